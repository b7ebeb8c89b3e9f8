//! Completion of names: a shell asks `xelb` itself, and that asks the running agent. It takes a second at
//! most, and says nothing where there is no answer.

mod line;
mod names;

use std::{ffi::OsStr, sync::mpsc::channel, thread, time::Duration};

use clap::{CommandFactory as _, Parser};
use clap_complete::{
    CompleteEnv,
    engine::{ArgValueCompleter, CompletionCandidate},
};

use super::{Arguments, Socket, context::Contexts, rules, wait_for};
use line::Line;
use names::Names;

/// Set by a shell that asks for completions, to its name.
pub(super) const VARIABLE: &str = "XELB_COMPLETE";

/// What takes longer gives no names.
const LIMIT: Duration = Duration::from_secs(1);

/// Answers a shell that asks for completions, and ends the process then.
pub(super) fn answer() {
    CompleteEnv::with_factory(Arguments::command).var(VARIABLE).complete();
}

/// Which agent a command line names.
#[derive(Parser)]
struct Agent {
    #[command(flatten)]
    socket: Socket,
}

/// Completes one argument by names of this kind.
fn completer(wanted: fn(&Line, &Names) -> Vec<String>) -> ArgValueCompleter {
    ArgValueCompleter::new(move |current: &OsStr| {
        let current = current.to_string_lossy();
        let line = Line::of(&Arguments::command(), &typed());
        let names = ask(line.agent.clone()).unwrap_or_default();
        let is_clean = |name: &String| {
            name.starts_with(&*current) && !name.chars().any(|one| one.is_control() || one == ' ')
        };
        wanted(&line, &names).into_iter().filter(is_clean).map(CompletionCandidate::new).collect()
    })
}

/// The words that were typed: those behind `--`.
fn typed() -> Vec<String> {
    let words = std::env::args_os().skip_while(|word| word != "--").skip(1);
    words.map(|word| word.to_string_lossy().into_owned()).collect()
}

/// The names that the agent knows; none if it does not answer in time. Files and name services may be
/// slow, too, so a thread does it all: the process does not wait for it.
fn ask(options: Vec<String>) -> Option<Names> {
    let (answer, answered) = channel();
    let asking = move || {
        let names = wait_for(async {
            let agent = Agent::try_parse_from(std::iter::once("xelb".to_owned()).chain(options))?;
            let client = agent.socket.client()?;
            let snapshot = client.status().await?;
            // Without the configuration there are no rules, and all other names.
            let rules = match client.configuration().await {
                Ok(configuration) => rules::of(&configuration.document).unwrap_or_default(),
                Err(_) => Vec::new(),
            };
            Ok(Names::new(&snapshot, &rules))
        });
        // Nobody waits any more if it took too long.
        let _late = answer.send(names.ok());
    };
    thread::Builder::new().name("names".to_owned()).spawn(asking).ok()?;
    answered.recv_timeout(LIMIT).ok()?
}

/// Names of target groups, and of targets behind a group.
pub(super) fn groups_and_targets() -> ArgValueCompleter {
    completer(|line, names| match line.positional(1) {
        Some("targets" | "target" | "t") => names.groups_and_targets(),
        _ => names.groups.clone(),
    })
}

/// Names of target groups.
pub(super) fn groups() -> ArgValueCompleter {
    completer(|_, names| names.groups.clone())
}

/// What `xelb target VERB` takes first: a target, or the group of one that is added.
pub(super) fn group_of_target() -> ArgValueCompleter {
    completer(|line, names| match line.positional(1) {
        Some("add") => names.groups.clone(),
        _ => names.groups_and_targets(),
    })
}

/// Addresses of the targets of the group before it.
pub(super) fn addresses() -> ArgValueCompleter {
    completer(|line, names| names.addresses(line.positional(2).unwrap_or_default()))
}

/// Names of objects of the kind before them.
pub(super) fn objects() -> ArgValueCompleter {
    completer(|line, names| names.of_kind(line.positional(1).unwrap_or_default()))
}

/// Names of scaled groups.
pub(super) fn scaled_groups() -> ArgValueCompleter {
    completer(|_, names| names.scaled_groups.clone())
}

/// Names of members of the group before them.
pub(super) fn members() -> ArgValueCompleter {
    completer(|line, names| names.members(line.positional(2).unwrap_or_default()))
}

/// Metrics of the group before them that are sent with `post`.
pub(super) fn posted_metrics() -> ArgValueCompleter {
    completer(|line, names| names.posted_metrics(line.positional(2).unwrap_or_default()))
}

/// Names of contexts.
pub(super) fn contexts() -> ArgValueCompleter {
    ArgValueCompleter::new(|current: &OsStr| {
        let current = current.to_string_lossy();
        let names = Contexts::read().map(|contexts| contexts.names()).unwrap_or_default();
        let names = names.into_iter().filter(|name| name.starts_with(&*current));
        names.map(CompletionCandidate::new).collect()
    })
}

/// Kinds of objects.
pub(super) fn kinds() -> ArgValueCompleter {
    ArgValueCompleter::new(|current: &OsStr| {
        let current = current.to_string_lossy();
        let kinds = ["listener", "target-group", "rule", "target"].into_iter();
        kinds.filter(|kind| kind.starts_with(&*current)).map(CompletionCandidate::new).collect()
    })
}
