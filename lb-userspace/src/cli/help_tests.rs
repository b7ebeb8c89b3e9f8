//! Tests of the help texts and of what the documentation says of the commands.

use std::{collections::BTreeSet, fs, path::Path};

use clap::{Command, CommandFactory as _};

use super::Arguments;

const README: &str = "../README.md";
const CLI: &str = "../docs/cli.md";

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// All commands with their whole names, `xelb` itself first.
fn commands() -> Vec<(String, Command)> {
    let mut all = vec![("xelb".to_owned(), Arguments::command())];
    let mut next = 0;
    while let Some((name, command)) = all.get(next).cloned() {
        all.extend(
            command
                .get_subcommands()
                .map(|sub| (format!("{name} {}", sub.get_name()), sub.clone())),
        );
        next += 1;
    }
    all
}

/// Whether the words behind `xelb` in a text are a command line that is understood.
fn check(words: &[&str]) -> Result<(), String> {
    let line = super::words(std::iter::once("xelb").chain(words.iter().copied()).map(Into::into));
    match Arguments::command().try_get_matches_from(line) {
        Ok(_) => Ok(()),
        Err(error) if error.exit_code() == 0 => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}

#[test]
fn every_help_has_an_example_that_is_understood() {
    for (name, mut command) in commands() {
        let help = command.render_long_help().to_string();
        let examples: Vec<&str> =
            help.lines().filter_map(|line| line.trim().strip_prefix("Example: xelb ")).collect();
        assert!(!examples.is_empty(), "{name} --help has no example:\n{help}");
        for example in examples {
            let words: Vec<&str> =
                example.split(" > ").next().unwrap_or_default().split_whitespace().collect();
            check(&words).unwrap_or_else(|error| panic!("{name}: {example}: {error}"));
            assert!(format!("xelb {example} ").starts_with(&name), "{name}: {example}");
        }
    }
}

#[test]
fn every_argument_is_explained() {
    for (name, command) in commands() {
        for argument in command.get_arguments() {
            assert!(argument.get_help().is_some(), "{name}: {}", argument.get_id());
        }
    }
}

#[test]
fn the_documentation_names_commands_that_exist() {
    let names: BTreeSet<String> =
        Arguments::command().get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
    for path in [README, CLI] {
        let text = read(path);
        // In code, `xelb` is always followed by a command or an option.
        let code = text.split('`').skip(1).step_by(2).filter(|code| !code.starts_with("sh\n"));
        let inline = code.filter_map(|code| code.strip_prefix("xelb "));
        let lines = text
            .lines()
            .filter_map(|line| line.strip_prefix("$ xelb ").or_else(|| line.strip_prefix("xelb ")));
        let mut seen = 0;
        for words in inline.chain(lines) {
            let first = words.split_whitespace().next().unwrap_or_default();
            let known = names.contains(first) || first.starts_with('-') || first == "COMMAND";
            assert!(known || words.starts_with("is "), "{path}: xelb {words}");
            seen += 1;
        }
        assert!(seen > 2, "{path} names no command; is it still read correctly?");
    }
}

#[test]
fn examples_of_the_documentation_are_understood() {
    for path in [README, CLI] {
        for line in read(path).lines().filter_map(|line| line.strip_prefix("$ xelb ")) {
            let words: Vec<&str> =
                line.split(" > ").next().unwrap_or_default().split(' ').collect();
            check(&words).unwrap_or_else(|error| panic!("{path}: xelb {line}: {error}"));
        }
    }
}

#[test]
fn every_command_and_option_is_documented() {
    let text = read(CLI);
    for (name, command) in commands() {
        assert!(
            text.contains(&format!("`{name}")) || text.contains(&format!("\n{name}")),
            "{name}"
        );
        for long in command.get_arguments().filter_map(clap::Arg::get_long) {
            assert!(text.contains(&format!("--{long}")), "{name} --{long}");
        }
    }
}
