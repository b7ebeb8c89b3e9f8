//! Agent scripts: configurations and events in, the tables of the maps out.
//!
//! A script (`tests/scripts/*.script`) is a list of steps. A step is a line that is not indented; what
//! is indented below it belongs to it. Comments begin with `#`.
//!
//! | step | what happens |
//! |---|---|
//! | `apply` | the YAML below becomes the configuration, or is refused; `apply force` also where a listener loses all targets |
//! | `limits listeners=2 targets=9` | the agent allows so much, and as much as fits of the rest |
//! | `health TARGET up`, `down` | a verdict on `GROUP/ADDRESS:PORT`, or on `all` |
//! | `drain TARGET`, `undrain TARGET` | what operators ask for |
//! | `route ADDRESS lost`, `found` | there is no way to an address any more, or again |
//! | `route ADDRESS vlan 100` | its next hop is behind this VLAN tag; 0 is none |
//! | `advance 30s` | time passes, and what follows from that happens |
//! | `restart` | another agent, which knows nothing but the maps and the configuration |
//! | `expect` | the tables, read back from the maps, are as below |
//!
//! `XELB_BLESS=1 cargo test -p lb-tests --test simulation scripts` writes what came out into the files.

mod difference;
mod ground;
mod parse;
mod play;
mod show;

use std::{env, fs, path::PathBuf};

pub use ground::{Fake, Ground, Kernel};

use parse::Step;
use play::Player;

/// All scripts, by name.
pub fn all() -> std::io::Result<Vec<PathBuf>> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("scripts");
    let entries = fs::read_dir(folder)?.map(|entry| Ok(entry?.path()));
    let mut paths = entries.collect::<std::io::Result<Vec<_>>>()?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "script"));
    paths.sort();
    Ok(paths)
}

/// Whether files are to be rewritten.
#[must_use]
pub fn blesses() -> bool {
    env::var_os("XELB_BLESS").is_some()
}

/// The script with what comes out in the place of what was expected; an error when a step cannot be
/// understood.
pub fn play<G: Ground>(text: &str, ground: G) -> Result<String, String> {
    let mut player = Player::new(ground);
    let mut result = String::new();
    for step in parse::steps(text) {
        let body = match step.words.first().map(String::as_str) {
            Some("expect") => Some(player.shown()),
            Some(_) => {
                player.take(&step).map_err(|error| format!("line {}: {error}", step.line))?;
                None
            }
            None => None,
        };
        result.push_str(&rendered(&step, body));
    }
    Ok(result)
}

fn rendered(step: &Step, body: Option<String>) -> String {
    let Some(body) = body else { return step.text.clone() };
    let mut text = format!("{}\n", step.words.join(" "));
    for line in body.lines() {
        text.extend(["  ", line, "\n"]);
    }
    text.push_str(&step.blank);
    text
}

/// What differs between two texts, with the lines around it; `None` when they are the same.
#[must_use]
pub fn difference(expected: &str, found: &str) -> Option<String> {
    (expected != found).then(|| difference::lines(expected, found))
}
