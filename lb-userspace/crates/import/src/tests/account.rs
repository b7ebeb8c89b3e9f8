//! Inputs that were changed at random: no crash, a result that xelb accepts, and no line without a word.

use proptest::prelude::*;

use super::assert_kept;
use crate::{
    Fate::{Empty, Mapped, Remarked},
    Format, ImportError, import,
};

const INPUTS: [(Format, &str); 4] = [
    (Format::Ipvs, include_str!("golden/ipvs-dump.txt")),
    (Format::Ipvs, include_str!("golden/ipvs-table.txt")),
    (Format::Keepalived, include_str!("golden/keepalived.txt")),
    (Format::Haproxy, include_str!("golden/haproxy.txt")),
];

/// Words that mean something somewhere, or are at a bound.
const WORDS: &[&str] = &[
    "0",
    "65536",
    "-1",
    "99999999999999999999",
    "{",
    "}",
    "\"",
    "'",
    "\\",
    "#",
    "!",
    "10.0.1.11:80",
    "[2001:db8::1]:443",
    "fe80::1",
    "127.0.0.1",
    "224.0.0.1",
    "0.0.0.0:0",
    ":80",
    "*:1-65535",
    "backup",
    "weight",
    "inter",
    "1us",
    "-b",
    "-r",
    "->",
    "from",
    "server",
    "no",
    "mode",
    "http",
    "real_server",
    "virtual_server",
    "group",
    "fwmark",
    "listen",
    "\u{2028}",
    "\u{85}",
    "\u{0}",
    "é",
    ": [",
    "--- a",
];

/// One change of a line.
#[derive(Clone, Debug)]
enum Change {
    Remove,
    Repeat,
    /// Without some characters from a place on.
    Cut(usize, usize),
    /// A word is put into, or in place of, one.
    Word(usize, &'static str, bool),
    /// Any characters.
    Insert(usize, String),
}

fn change() -> impl Strategy<Value = (usize, Change)> {
    let word = (0..8_usize, proptest::sample::select(WORDS), any::<bool>())
        .prop_map(|(at, word, instead)| Change::Word(at, word, instead));
    let insert = (0..60_usize, "\\PC{1,12}").prop_map(|(at, text)| Change::Insert(at, text));
    let one = prop_oneof![
        1 => Just(Change::Remove),
        1 => Just(Change::Repeat),
        2 => (0..60_usize, 1..9_usize).prop_map(|(at, count)| Change::Cut(at, count)),
        6 => word,
        2 => insert,
    ];
    (0..200_usize, one)
}

fn changed(text: &str, changes: &[(usize, Change)]) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for (index, change) in changes {
        if lines.is_empty() {
            break;
        }
        let index = index % lines.len();
        let line = &mut lines[index];
        match change {
            Change::Remove => drop(lines.remove(index)),
            Change::Repeat => {
                let line = line.clone();
                lines.insert(index, line);
            }
            Change::Cut(at, count) => {
                let kept = |(place, _): &(usize, char)| !(*at..at + count).contains(place);
                *line = line.chars().enumerate().filter(kept).map(|(_, c)| c).collect();
            }
            Change::Word(at, word, instead) => {
                let mut words: Vec<&str> = line.split(' ').collect();
                let at = at % words.len();
                if *instead {
                    words[at] = word;
                } else {
                    words.insert(at, word);
                }
                *line = words.join(" ");
            }
            Change::Insert(at, text) => {
                let place = line.char_indices().nth(*at).map_or(line.len(), |(place, _)| place);
                line.insert_str(place, text);
            }
        }
    }
    lines.join("\n")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..Default::default() })]

    #[test]
    fn changed_inputs_never_lose_a_line(
        which in 0..INPUTS.len(),
        changes in proptest::collection::vec(change(), 1..12),
    ) {
        let (format, text) = INPUTS[which];
        let text = changed(text, &changes);
        match import(format, &text) {
            Ok(imported) => assert_kept(format, &text, &imported),
            Err(ImportError::Nothing { .. }) => {}
            Err(error) => prop_assert!(error.to_string().starts_with("line "), "{error}"),
        }
    }

    #[test]
    fn any_text_is_read_or_refused(format in 0..3_usize, text in "[ -~\n\t{}é]{0,300}") {
        let format = [Format::Ipvs, Format::Keepalived, Format::Haproxy][format];
        if let Ok(imported) = import(format, &text) {
            assert_kept(format, &text, &imported);
        }
    }
}

/// The account itself: a line that no parser mentions is mentioned at the end.
#[test]
fn a_line_that_nobody_mentions_is_mentioned() {
    let text = "a\n\n# b\nc\nd\n";
    let mut ledger = crate::ledger::Ledger::new(text, Format::Haproxy);
    ledger.dropped(1, "known");
    let (remarks, fates) = ledger.settle(&[4].into());
    assert_eq!(fates, [Remarked, Empty, Empty, Mapped, Remarked]);
    assert!(remarks[1].line().starts_with("line 5: no counterpart: nothing in the result comes"));
}

/// Thousands of services take seconds at most: what is refused is taken out in one go.
#[test]
fn large_inputs_are_read() {
    let mut text = String::new();
    for number in 0..3000_u32 {
        let [_, _, high, low] = number.to_be_bytes();
        let vip = format!("203.0.{high}.{low}:80");
        text.extend([format!("-A -t {vip} -s rr\n-a -t {vip} -r 10.0.{high}.{low}:80 -g -w 1\n")]);
    }
    let imported = super::imported(Format::Ipvs, &text);
    // Rings of new groups need more than there is for 2,047 of them.
    assert!(imported.text().matches("forwarding: l2dsr").count() > 900);
    assert!(super::remarks(&imported).contains("3000 target groups are more than the 2047"));
}
