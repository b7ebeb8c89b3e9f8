//! PURE: a command line that is not complete yet: its words without options, and the options that say
//! which agent is asked.

use clap::Command;

/// Options that name an agent.
const AGENT: [&str; 7] =
    ["--socket", "--server", "--ca", "--token-file", "--client-cert", "--client-key", "--context"];

#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Line {
    /// Commands and arguments, without `xelb`.
    positionals: Vec<String>,
    /// Options that name an agent, with their values.
    pub(super) agent: Vec<String>,
}

impl Line {
    /// Reads the words, `xelb` first.
    pub(super) fn of(root: &Command, words: &[String]) -> Self {
        let mut line = Self::default();
        let mut command = root;
        let mut is_command = true;
        let mut words = words.iter().skip(1).peekable();
        while let Some(word) = words.next() {
            if word.starts_with('-') && word.len() > 1 {
                let (name, value) = match word.split_once('=') {
                    Some((name, value)) => (name, Some(value.to_owned())),
                    None if takes_value(command, word) => (word.as_str(), words.next().cloned()),
                    None => continue,
                };
                if let (true, Some(value)) = (AGENT.contains(&name), value) {
                    line.agent.extend([name.to_owned(), value]);
                }
                continue;
            }
            match command.find_subcommand(word).filter(|_| is_command) {
                Some(found) => command = found,
                None => is_command = false,
            }
            line.positionals.push(word.clone());
        }
        line
    }

    /// A word; 0 is the command.
    pub(super) fn positional(&self, number: usize) -> Option<&str> {
        self.positionals.get(number).map(String::as_str)
    }
}

/// Whether this option of the command takes the next word.
fn takes_value(command: &Command, option: &str) -> bool {
    let is_it = |argument: &&clap::Arg| {
        let long = argument.get_long().is_some_and(|long| option == format!("--{long}"));
        let short = argument.get_short().is_some_and(|short| option == format!("-{short}"));
        long || short
    };
    let found = command.get_arguments().find(is_it);
    AGENT.contains(&option) || found.is_some_and(|argument| argument.get_action().takes_values())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::{super::super::Arguments, *};

    #[test]
    fn words_and_the_agent_are_found() {
        for (typed, positionals, agent) in [
            ("xelb get targets we", &["get", "targets", "we"][..], &[][..]),
            (
                "xelb --socket /a get -o json targets --state healthy we",
                &["get", "targets", "we"],
                &["--socket", "/a"],
            ),
            ("xelb target drain --force web", &["target", "drain", "web"], &[]),
            (
                "xelb describe target --server=https://lb1 web/10.0.1.11",
                &["describe", "target", "web/10.0.1.11"],
                &["--server", "https://lb1"],
            ),
            ("xelb get targets --socket", &["get", "targets"], &[]),
            ("xelb", &[], &[]),
            ("", &[], &[]),
        ] {
            let words: Vec<String> = typed.split(' ').map(str::to_owned).collect();
            let line = Line::of(&Arguments::command(), &words);
            assert_eq!(
                (
                    line.positionals.iter().map(String::as_str).collect::<Vec<_>>(),
                    line.agent.iter().map(String::as_str).collect::<Vec<_>>()
                ),
                (positionals.to_vec(), agent.to_vec()),
                "{typed}"
            );
        }
    }
}
