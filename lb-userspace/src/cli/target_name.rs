//! PURE: `GROUP/ADDRESS`, as output names a target, in the place of the two arguments `GROUP ADDRESS`.

use std::ffi::OsString;

use lb_config::TargetAddress;

use super::place::parse_place;

/// The verbs of `xelb target`.
const VERBS: [&str; 5] = ["add", "remove", "weight", "drain", "undrain"];

/// Options of them without a value.
const FLAGS: [&str; 4] = ["--force", "--now", "--wait", "--dry-run"];

/// The words of a command line, with such a name of a target in two.
pub(super) fn split(words: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut words: Vec<OsString> = words.into_iter().collect();
    let is_verb = |pair: &[OsString]| matches!(pair, [target, verb] if target == "target" && VERBS.iter().any(|one| verb == one));
    let Some(target) = words.windows(2).position(is_verb) else {
        return words;
    };
    let is_selector = |number: usize| {
        let before = number.checked_sub(1).and_then(|before| words.get(before));
        before.is_some_and(|word| word == "-l" || word == "--selector" || word == "-m")
    };
    let is_value = |number: usize| {
        let before = number.checked_sub(1).and_then(|before| words.get(before));
        let before = before.and_then(|word| word.to_str()).unwrap_or_default();
        before.starts_with("--") && !before.contains('=') && !FLAGS.contains(&before)
    };
    let named = |(number, word): (usize, &OsString)| {
        let word = word.to_str().filter(|_| !is_selector(number))?;
        // `get targets -o name` prints the kind, too.
        let kind = word.strip_prefix("target/").filter(|rest| rest.contains('/'));
        let (group, place) = kind.unwrap_or(word).split_once('/')?;
        let is_name = !group.is_empty()
            && parse_place(place).is_ok_and(|place| match place.address {
                TargetAddress::Ip(_) => true,
                // What stands behind an option may be a path.
                TargetAddress::Name(name) => name.contains('.') && !is_value(number),
            });
        is_name.then(|| (number, [OsString::from(group), OsString::from(place)]))
    };
    let found = words.iter().enumerate().skip(target + 2).find_map(named);
    if let Some((number, name)) = found {
        words.splice(number..=number, name);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(line: &str) -> String {
        let words = split(line.split(' ').map(OsString::from));
        words.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_name_of_a_target_becomes_two_arguments() {
        for (line, expected) in [
            ("xelb target drain web/10.0.1.13", "xelb target drain web 10.0.1.13"),
            ("xelb target drain target/web/10.0.1.13:80", "xelb target drain web 10.0.1.13:80"),
            ("xelb target drain target/10.0.1.13", "xelb target drain target 10.0.1.13"),
            (
                "xelb target drain web/10.0.1.13:80 --force",
                "xelb target drain web 10.0.1.13:80 --force",
            ),
            (
                "xelb target weight web/[2001:db8::1]:80 5",
                "xelb target weight web [2001:db8::1]:80 5",
            ),
            (
                "xelb target weight --force web/order.example.org:80 5",
                "xelb target weight --force web order.example.org:80 5",
            ),
            (
                "xelb target drain --socket /run/x web/10.0.1.13",
                "xelb target drain --socket /run/x web 10.0.1.13",
            ),
        ] {
            assert_eq!(of(line), expected);
        }
    }

    #[test]
    fn everything_else_stays() {
        for line in [
            "xelb",
            "xelb get targets",
            "xelb target",
            "xelb target drain web 10.0.1.13",
            "xelb target drain web",
            "xelb target drain --socket run/xelb web 10.0.1.13",
            "xelb target drain --socket run/xelb.sock web 10.0.1.13",
            "xelb target drain /web",
            "xelb target drain web/",
            "xelb doctor target --vip 203.0.113.0/28",
            "xelb --socket a/b target drain web 10.0.1.13",
            "xelb target drain web -l a/10.0.1.13",
            "xelb apply -f a/b",
        ] {
            assert_eq!(of(line), line);
        }
    }
}
