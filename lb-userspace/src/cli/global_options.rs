//! PURE: options that say which agent is asked, and how its answer is printed, before the command:
//! `xelb --socket PATH get targets` is `xelb get targets --socket PATH`.

use std::ffi::OsString;

/// Options with a value that may stand before the command.
const OPTIONS: [&str; 10] = [
    "--socket",
    "--context",
    "--server",
    "--ca",
    "--token-file",
    "--client-cert",
    "--client-key",
    "--output",
    "-o",
    "--color",
];

/// The words of a command line, with such options behind the command.
pub(super) fn behind(words: Vec<OsString>) -> Vec<OsString> {
    let mut words = words.into_iter();
    let mut line: Vec<OsString> = words.next().into_iter().collect();
    let mut options = Vec::new();
    let mut command = None;
    while let Some(word) = words.next() {
        let text = word.to_str().unwrap_or_default();
        if OPTIONS.contains(&text) {
            options.push(word);
            options.extend(words.next());
        } else if text.split_once('=').is_some_and(|(name, _)| OPTIONS.contains(&name)) {
            options.push(word);
        } else {
            command = Some(word);
            break;
        }
    }
    if command.is_none() {
        // Clap says what is missing.
        line.extend(options);
        return line;
    }
    line.extend(command);
    line.extend(words);
    // What stands behind `--` is no option.
    let end = line.iter().position(|word| word == "--").unwrap_or(line.len());
    line.splice(end..end, options);
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(line: &str) -> String {
        let words = behind(line.split(' ').map(OsString::from).collect());
        words.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn options_before_the_command_stand_behind_it() {
        for (line, expected) in [
            ("xelb --socket a get targets", "xelb get targets --socket a"),
            ("xelb --socket=a get targets", "xelb get targets --socket=a"),
            ("xelb -o json --server b status", "xelb status -o json --server b"),
            ("xelb --socket a target drain web -- x", "xelb target drain web --socket a -- x"),
            ("xelb get targets --socket a", "xelb get targets --socket a"),
            ("xelb --help", "xelb --help"),
            ("xelb", "xelb"),
            ("xelb --socket a", "xelb --socket a"),
            ("xelb --socket", "xelb --socket"),
            ("xelb -Ln", "xelb -Ln"),
        ] {
            assert_eq!(of(line), expected);
        }
    }
}
