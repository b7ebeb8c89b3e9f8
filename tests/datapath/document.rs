//! docs/datapath.md names every counter and drop reason, with the help text of the code.

use lb_common::{Counter, DropReason};

const DOCUMENT: &str = include_str!("../../docs/datapath.md");

#[test]
fn every_counter_is_documented() {
    let reasons = DropReason::ALL.iter().map(|reason| (reason.name(), reason.help()));
    let counters = Counter::ALL.iter().map(|counter| (counter.name(), counter.help()));
    for (name, help) in reasons.chain(counters) {
        let row = format!("| `{name}` | {help} |");
        assert!(DOCUMENT.contains(&row), "docs/datapath.md lacks the row\n{row}");
    }
}
