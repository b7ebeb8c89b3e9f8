//! IPVS: what `ipvsadm` saves (`dump.rs`) and what it lists (`table.rs`), line by line.

mod dump;
mod scheduler;
mod table;

use crate::{error::ImportError, ledger::Ledger, service::Found};
use table::Place;

/// Reads rules, listings, and shell scripts with `ipvsadm` commands.
pub(crate) fn read(text: &str, ledger: &mut Ledger) -> Result<Found, ImportError> {
    let mut rules = dump::Rules::default();
    let mut place = Place::Outside;
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let mut words: Vec<&str> = line.split_whitespace().collect();
        // A prompt, `sudo` or a path may be before the command.
        let command = |word: &&str| word.rsplit('/').next() == Some("ipvsadm");
        if let Some(at) = words.iter().position(command) {
            words.drain(..=at);
        }
        match words.first() {
            None => ledger.dropped(number, "the command changes nothing"),
            Some(first) if first.starts_with('-') && *first != "->" => {
                rules.command(number, &words, ledger);
            }
            Some(_) => table::line(number, &words, &mut place, &mut rules, ledger),
        }
    }
    if rules.seen == 0 {
        return Err(ImportError::Nothing {
            wanted: "no rule (`-A -t ADDRESS:PORT ...`) and no service (`TCP  ADDRESS:PORT ...`)",
            format: "`ipvsadm -S -n` or `ipvsadm -L -n`",
        });
    }
    Ok(Found { services: rules.finish(ledger), ..Found::default() })
}
