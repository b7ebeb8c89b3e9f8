//! PURE: `GROUP/ADDRESS`, as output names a target, in the place of the two arguments `GROUP ADDRESS`.

use std::ffi::OsString;

/// The words of a command line, with each such name of a target in two.
pub(super) fn split(words: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let words: Vec<OsString> = words.into_iter().collect();
    // The verb of `xelb target` is followed by the name of the target; options may stand before it.
    let Some(verb) = words.iter().position(|word| word == "target") else {
        return words;
    };
    let named = |(number, word): (usize, &OsString)| {
        let (group, place) = word.to_str()?.split_once('/')?;
        let is_name = !group.is_empty() && !place.is_empty() && !word.to_str()?.starts_with('-');
        let is_value = words.get(number - 1)?.to_str()?.starts_with("--");
        (is_name && !is_value && !place.contains('/')).then(|| (number, group.into(), place.into()))
    };
    let found: Option<(usize, OsString, OsString)> =
        words.iter().enumerate().skip(verb + 2).find_map(named);
    match found {
        Some((number, group, place)) => {
            let mut split = words;
            split.splice(number..=number, [group, place]);
            split
        }
        None => words,
    }
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
            (
                "xelb target drain web/10.0.1.13:80 --force",
                "xelb target drain web 10.0.1.13:80 --force",
            ),
            (
                "xelb target weight web/[2001:db8::1]:80 5",
                "xelb target weight web [2001:db8::1]:80 5",
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
            "xelb target drain /web",
            "xelb target drain web/",
            "xelb --socket a/b target drain web 10.0.1.13",
            "xelb apply -f a/b",
        ] {
            assert_eq!(of(line), line);
        }
    }
}
