//! PURE: docs/operations.md as steps of a walk: what is run, where, and what it must print. Nothing is
//! run here.
//!
//! Blocks of `sh` are commands. A comment in front of a block says what the page says in words:
//!
//! | comment | meaning of the block behind it |
//! |---|---|
//! | `on: target`, `on: client` | its commands are run on that host, not on the balancer |
//! | `exit: 2` | its last command ends with this code, as the page says; its others with 0 |
//! | `file: PATH` | what the next `editor PATH` leaves in that file |
//! | `prints` | part of what the block of commands before it prints; `...` stands for anything |
//!
//! `named only: COMMAND, ...: REASON` lists commands that are in the text and are not run.

use std::ops::Range;

use anyhow::{Context as _, Result, bail, ensure};
use pulldown_cmark::{CodeBlockKind, Event, Parser, Tag};

use super::expected;

/// Programs whose commands, where the text names one, must be run.
const PROGRAMS: &[&str] =
    &["xelb", "systemctl", "journalctl", "dpkg", "ethtool", "sysctl", "mount", "ip", "chgrp"];

/// Languages of blocks. Any other one could hide commands.
const LANGUAGES: &[&str] = &["sh", "text", "yaml", "ini"];

/// Where commands are run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Host {
    #[default]
    Balancer,
    Target,
    Client,
}

impl Host {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Balancer => "balancer",
            Self::Target => "target",
            Self::Client => "client",
        }
    }
}

/// One step.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// What the next `editor` leaves in a file.
    File { path: String, text: String },
    /// Commands.
    Run(Commands),
}

/// A block of commands.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Commands {
    /// Its first line in the page.
    pub(super) line: usize,
    pub(super) host: Host,
    pub(super) exit: u8,
    pub(super) text: String,
    /// What it must print, as a regular expression.
    pub(super) prints: Option<String>,
}

/// What comments have said about the next block.
#[derive(Default)]
struct Remarks {
    host: Option<Host>,
    exit: Option<u8>,
    file: Option<String>,
    prints: bool,
}

/// The steps of a page. An error where it has commands that would not be run.
pub(super) fn steps(page: &str) -> Result<Vec<Step>> {
    let mut steps = Vec::new();
    let mut remarks = Remarks::default();
    let mut named = Vec::new();
    let mut only_named = String::new();
    let mut block: Option<(String, usize, String)> = None;
    for (event, Range { start, .. }) in Parser::new(page).into_offset_iter() {
        let line = page[..start].matches('\n').count() + 1;
        match event {
            Event::Html(html) => {
                remark(html.trim(), &mut remarks, &mut only_named)
                    .with_context(|| format!("line {line}: {}", html.trim()))?;
            }
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(language))) => {
                block = Some((language.to_string(), line, String::new()));
            }
            Event::Start(Tag::CodeBlock(CodeBlockKind::Indented)) => {
                bail!("line {line}: a block without a language; write ```sh or ```text");
            }
            Event::Text(text) => {
                if let Some((_, _, written)) = &mut block {
                    written.push_str(&text);
                }
            }
            Event::End(pulldown_cmark::TagEnd::CodeBlock) => {
                if let Some((language, line, text)) = block.take() {
                    let remarks = std::mem::take(&mut remarks);
                    take(&mut steps, &language, line, text, remarks)
                        .with_context(|| format!("the block in line {line}"))?;
                }
            }
            Event::Code(code) => named.push((line, code.to_string())),
            _ => {}
        }
    }
    ensure!(steps.iter().any(|step| matches!(step, Step::Run(_))), "the page has no commands");
    let unrun = |code: &str| {
        essence(code).is_some_and(|words| !is_run(&words, &steps) && !mentions(&only_named, &words))
    };
    let unrun: Vec<String> = named
        .iter()
        .filter(|(_, code)| unrun(code))
        .map(|(line, code)| format!("line {line} names `{code}`"))
        .collect();
    ensure!(
        unrun.is_empty(),
        "no block runs these commands; run them, or list them in a comment `named only`:\n{}",
        unrun.join("\n")
    );
    Ok(steps)
}

fn remark(html: &str, remarks: &mut Remarks, only_named: &mut String) -> Result<()> {
    let text = html.strip_prefix("<!--").and_then(|rest| rest.strip_suffix("-->"));
    let text = text.context("HTML that is not a comment of one line")?.trim();
    match text.split_once(": ") {
        Some(("on", "target")) => remarks.host = Some(Host::Target),
        Some(("on", "client")) => remarks.host = Some(Host::Client),
        Some(("exit", code)) => remarks.exit = Some(code.parse()?),
        Some(("file", path)) => remarks.file = Some(path.to_owned()),
        Some(("named only", commands)) => {
            ensure!(commands.contains(": "), "no reason is given");
            only_named.push_str(commands);
        }
        None if text == "prints" => remarks.prints = true,
        _ => bail!("not a comment that the walk knows"),
    }
    Ok(())
}

fn take(
    steps: &mut Vec<Step>,
    language: &str,
    line: usize,
    text: String,
    remarks: Remarks,
) -> Result<()> {
    ensure!(
        LANGUAGES.contains(&language),
        "its language is {language:?}, not one of {LANGUAGES:?}"
    );
    let Remarks { host, exit, file, prints } = remarks;
    if language == "sh" {
        ensure!(file.is_none() && !prints, "commands are neither a file nor printed");
        let (host, exit) = (host.unwrap_or_default(), exit.unwrap_or(0));
        steps.push(Step::Run(Commands { line, host, exit, text, prints: None }));
        return Ok(());
    }
    ensure!(host.is_none() && exit.is_none(), "only commands are run on a host, and end");
    let typed = text.lines().find(|line| line.starts_with("$ ") || line.starts_with("# xelb"));
    ensure!(typed.is_none(), "it has a command that is not run: {typed:?}");
    if let Some(path) = file {
        steps.push(Step::File { path, text });
    } else if prints {
        let Some(Step::Run(commands)) = steps.last_mut() else {
            bail!("there are no commands before it that could print it");
        };
        commands.prints = Some(expected::pattern(&text)?);
    }
    Ok(())
}

/// The words of a command that say what it does: `systemctl restart` of `systemctl restart xelb-agent`.
/// `None` for what is no command of [`PROGRAMS`].
fn essence(code: &str) -> Option<String> {
    let words: Vec<&str> = code.split_whitespace().collect();
    let (program, rest) = words.split_first().filter(|(first, _)| PROGRAMS.contains(first))?;
    let plain = |word: &&&str| word.starts_with(|first: char| first.is_ascii_lowercase());
    let length = match *program {
        // Its own options, of which the text says what they do, and words in capitals, do not count.
        "xelb" if rest.first() == Some(&"target") => 2,
        "xelb" | "systemctl" | "ip" => 1,
        _ => return (!rest.is_empty()).then(|| words[..2].join(" ")),
    };
    let said: Vec<&str> = rest.iter().take_while(plain).take(length).copied().collect();
    (!said.is_empty()).then(|| format!("{program} {}", said.join(" ")))
}

fn is_run(essence: &str, steps: &[Step]) -> bool {
    steps.iter().any(|step| match step {
        Step::Run(commands) => mentions(&commands.text, essence),
        Step::File { .. } => false,
    })
}

/// Whether a text has these words: not only the beginning of the last one.
fn mentions(text: &str, words: &str) -> bool {
    let ends = |rest: &str| !rest.starts_with(|next: char| next.is_alphanumeric() || next == '-');
    text.match_indices(words).any(|(at, _)| ends(&text[at + words.len()..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(page: &str) -> String {
        format!("{:#}", steps(page).unwrap_err())
    }

    #[test]
    fn blocks_become_steps_in_their_order() {
        let page = "<!-- file: /etc/f -->\n```yaml\na: 1\n```\n\n```sh\nxelb status   # now\n```\n\n\
                    It prints\n\n<!-- prints -->\n```text\nall ... well\n```\n\n<!-- on: client -->\n\
                    <!-- exit: 2 -->\n```sh\nfalse\n```\n\n```yaml\nan: example\n```\n";
        let run = |line, host, exit, text: &str, prints: Option<&str>| {
            let (text, prints) = (text.to_owned(), prints.map(str::to_owned));
            Step::Run(Commands { line, host, exit, text, prints })
        };
        let expected = [
            Step::File { path: "/etc/f".to_owned(), text: "a: 1\n".to_owned() },
            run(
                6,
                Host::Balancer,
                0,
                "xelb status   # now\n",
                expected::pattern("all ... well").ok().as_deref(),
            ),
            run(19, Host::Client, 2, "false\n", None),
        ];
        assert_eq!(steps(page).unwrap(), expected);
    }

    #[test]
    fn commands_that_would_not_be_run_are_found() {
        let run = "```sh\nxelb status\nsystemctl restart xelb-agent\n```\n";
        let cases = [
            ("```bash\nxelb stats\n```\n", "its language is \"bash\""),
            ("```\nxelb stats\n```\n", "its language is \"\""),
            ("Text\n\n    xelb stats\n", "a block without a language"),
            ("```text\n$ xelb stats\n```\n", "a command that is not run: Some(\"$ xelb stats\")"),
            ("Say `xelb stats --all`.\n", "line 6 names `xelb stats --all`"),
            ("Say `systemctl reload xelb-agent`.\n", "names `systemctl reload xelb-agent`"),
            ("Say `xelb stat`.\n", "names `xelb stat`"),
            ("<!-- on: moon -->\n```sh\ntrue\n```\n", "not a comment that the walk knows"),
            ("<!-- named only: xelb stats -->\n", "no reason is given"),
            ("<!-- exit: 2 -->\n```text\nx\n```\n", "only commands"),
        ];
        for (more, expected) in cases {
            let said = refused(&format!("{run}\n{more}"));
            assert!(said.contains(expected), "{more}: {said}");
        }
        let fine = "Say `xelb status -o json`, `/etc/xelb`, `xelb-agent` or `xelb stats`.\n\n\
                    <!-- named only: xelb stats: nothing to see -->\n";
        assert_eq!(steps(&format!("{run}\n{fine}")).unwrap().len(), 1);
        assert!(refused("Nothing.\n").contains("no commands"));
        let alone = "<!-- prints -->\n```text\nx\n```\n";
        assert!(refused(alone).contains("no commands before it"), "{}", refused(alone));
    }

    #[test]
    fn the_page_can_be_walked() {
        let page = include_str!("../../../../docs/operations.md");
        let steps = steps(page).unwrap();
        let runs = steps.iter().filter(|step| matches!(step, Step::Run(_))).count();
        let checked = steps
            .iter()
            .filter(|step| matches!(step, Step::Run(commands) if commands.prints.is_some()));
        assert!(runs > 30 && checked.count() > 15, "{runs} blocks");
    }
}
