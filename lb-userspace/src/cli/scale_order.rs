//! PURE: `xelb scale GROUP VERB`, as people think of a group and then of what to do, in the order of
//! all other commands, `xelb scale VERB GROUP`; and `GROUP/MEMBER`, as output names a member.

use std::ffi::OsString;

/// The verbs of `xelb scale`.
const VERBS: [&str; 12] = [
    "set-desired",
    "limits",
    "suspend",
    "resume",
    "protect",
    "standby",
    "end",
    "refresh",
    "retry",
    "post-metric",
    "replay",
    "explain",
];

/// Those that take a member.
const MEMBER_VERBS: [&str; 3] = ["protect", "standby", "end"];

/// The words of a command line, with `GROUP/MEMBER` in two.
pub(super) fn member_split(mut words: Vec<OsString>) -> Vec<OsString> {
    let named = match words.as_slice() {
        [_, command, verb, name, ..]
            if command == "scale" && MEMBER_VERBS.iter().any(|one| verb == one) =>
        {
            name.to_str().and_then(|name| name.split_once('/'))
        }
        _ => None,
    };
    let named = named.filter(|(group, member)| {
        !group.is_empty() && !group.starts_with('-') && !member.is_empty()
    });
    if let Some([group, member]) = named.map(|(group, member)| [group, member].map(OsString::from))
    {
        words.splice(3..=3, [group, member]);
    }
    words
}

/// The words of a command line, with the verb in front.
pub(super) fn verb_first(mut words: Vec<OsString>) -> Vec<OsString> {
    let is_verb = |word: &OsString| VERBS.iter().any(|verb| word == verb);
    // The command is the first word behind the program: options of it come later.
    if let [_, command, group, verb, ..] = words.as_mut_slice()
        && command == "scale"
        && !is_verb(group)
        && is_verb(verb)
        && !group.as_encoded_bytes().starts_with(b"-")
    {
        std::mem::swap(group, verb);
    }
    words
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_verb_comes_first() {
        for (line, expected) in [
            ("xelb scale web set-desired 4", "xelb scale set-desired web 4"),
            ("xelb scale set-desired web 4", "xelb scale set-desired web 4"),
            // A group that is called like a verb.
            ("xelb scale end explain", "xelb scale end explain"),
            ("xelb scale --help refresh", "xelb scale --help refresh"),
            ("xelb target web end", "xelb target web end"),
            ("xelb scale", "xelb scale"),
        ] {
            let words = verb_first(line.split(' ').map(OsString::from).collect());
            let words: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
            assert_eq!(words.join(" "), expected);
        }
    }

    #[test]
    fn a_member_is_two_words() {
        for (line, expected) in [
            ("xelb scale end web/web-1 --socket a/b", "xelb scale end web web-1 --socket a/b"),
            ("xelb scale end web web-1", "xelb scale end web web-1"),
            ("xelb scale end --socket a/b web web-1", "xelb scale end --socket a/b web web-1"),
            ("xelb scale limits a/b", "xelb scale limits a/b"),
            ("xelb scale end web/", "xelb scale end web/"),
        ] {
            let words = member_split(line.split(' ').map(OsString::from).collect());
            let words: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
            assert_eq!(words.join(" "), expected);
        }
    }

    #[test]
    fn all_verbs_are_known() {
        let command = super::super::Arguments::command();
        let scale = command.find_subcommand("scale").unwrap();
        let verbs: Vec<&str> = scale.get_subcommands().map(clap::Command::get_name).collect();
        assert_eq!(verbs, VERBS);
    }
}
