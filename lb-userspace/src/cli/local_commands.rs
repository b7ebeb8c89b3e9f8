//! PURE: commands that ask no agent, or only one of this host, and why --server has no place there.

/// Commands by their first words, and why.
const LOCAL: &[(&str, &str)] = &[
    ("agent", "it is the agent of this host; --listen lets others ask it"),
    ("decap", "it unwraps packets that arrive at this host"),
    ("pass", "it attaches a program to an interface of this host"),
    ("detach", "it removes the data path from the kernel of this host, also without an agent"),
    ("bench", "it measures this host"),
    ("validate", "it checks a file; `xelb apply --dry-run` asks an agent"),
    ("import", "it translates a file; give the result to `xelb apply`"),
    ("driver", "it runs a driver on this host"),
    ("doctor target", "it looks at the target that it runs on"),
    ("explain config", "keys of the configuration are the same everywhere"),
    ("token", "it makes a token; the agent reads it from its tokens file"),
    ("schema", "the schema is that of this version of xelb"),
    ("completions", "it prints a script for this host"),
    ("man", "it writes pages for this host"),
    ("context", "it changes a file of this host; only `xelb context set` takes --server"),
];

/// Options that name an agent on another host.
const REMOTE: &[&str] = &["--server", "--context", "--ca", "--token-file"];

/// Why the command of a line that was refused cannot be asked of another host; none where that is not
/// what was wrong.
pub(super) fn tip(typed: &[String]) -> Option<String> {
    let is_remote = |word: &String| {
        REMOTE.contains(&word.split_once('=').map_or(word.as_str(), |(name, _)| name))
    };
    if !typed.iter().any(is_remote) {
        return None;
    }
    let line = typed.join(" ");
    let (command, why) = LOCAL.iter().find(|(command, _)| {
        line.strip_prefix(command).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
    })?;
    Some(format!("`xelb {command}` works on this host: {why}"))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::{super::Arguments, *};

    fn of(line: &str) -> Option<String> {
        tip(&line.split(' ').map(str::to_owned).collect::<Vec<_>>())
    }

    /// All commands without commands of their own.
    fn leaves(command: &clap::Command, name: &str, found: &mut Vec<(String, bool)>) {
        let takes = command.get_arguments().any(|one| one.get_long() == Some("server"));
        if command.get_subcommands().next().is_none() || takes {
            found.push((name.to_owned(), takes));
        }
        for sub in command.get_subcommands() {
            leaves(sub, format!("{name} {}", sub.get_name()).trim(), found);
        }
    }

    #[test]
    fn every_command_takes_a_server_or_says_why_not() {
        let mut all = Vec::new();
        leaves(&Arguments::command(), "", &mut all);
        assert!(all.iter().filter(|(_, takes)| *takes).count() > 20, "{all:?}");
        for (name, takes) in all {
            let tip = of(&format!("{name} --server=https://lb1:7443"));
            let is_excused = tip.is_some() || name == "context set";
            assert_ne!(takes && name != "context set", is_excused, "xelb {name}: {tip:?}");
        }
    }

    #[test]
    fn only_lines_with_such_options_have_a_tip() {
        assert!(of("detach --server https://a:1").is_some_and(|tip| tip.contains("kernel")));
        assert!(of("validate -f x --context lb1").is_some_and(|tip| tip.contains("--dry-run")));
        assert_eq!(of("detach --bananas"), None);
        assert_eq!(of("get targets --server a"), None);
        assert_eq!(of("management --server a"), None);
    }
}
