//! The command line: flags to requests, answers to output. No logic of its own.

mod agent;
mod apply;
mod completions;
mod decap;
mod detach;
mod doctor;
mod events;
mod explain;
mod get;
#[cfg(test)]
mod help_tests;
mod output;
mod schema;
mod stats;
mod status;
mod table;
mod target;
mod validate;

use std::{future::Future, path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand};

use crate::{
    api::ClientError, config::ConfigErrors, dataplane::XdpMode, doctor::gather::GatherError,
};

const AFTER_HELP: &str = "\
Exit codes: 0 done; 1 failed at run time; 2 wrong usage or invalid configuration (nothing was
changed).

Environment: XELB_SOCKET is the default of --socket; XELB_LOG says what agent and decap log
(error, warn, info, debug, trace; default info).";

/// xelb, an elastic load balancer: an XDP program spreads flows over targets, an agent checks their
/// health, this command line manages both
///
/// Example: xelb agent --config /etc/xelb.yaml
///
/// Example: xelb get targets
#[derive(Debug, Parser)]
#[command(name = "xelb", version, after_help = AFTER_HELP, max_term_width = 100)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Agent(agent::Agent),
    Apply(apply::Apply),
    Validate(validate::Validate),
    Get(get::Get),
    #[command(subcommand)]
    Target(target::Target),
    Status(status::Status),
    Stats(stats::Stats),
    Events(events::EventsCommand),
    Explain(explain::Explain),
    Doctor(doctor::Doctor),
    Decap(decap::Decap),
    Detach(detach::Detach),
    Schema(schema::Schema),
    Completions(completions::Completions),
}

/// Which agent.
#[derive(Debug, Args)]
struct Socket {
    /// Socket of the agent
    #[arg(
        long,
        value_name = "PATH",
        default_value = "/run/xelb/xelb.sock",
        env = "XELB_SOCKET",
        global = true
    )]
    socket: PathBuf,
}

impl Socket {
    fn client(&self) -> crate::api::Client {
        crate::api::Client::new(&self.socket)
    }
}

/// How XDP programs are attached.
#[derive(Debug, Args)]
struct Attach {
    /// Where XDP runs: `native` in the driver, `generic` in the kernel's stack (works everywhere,
    /// slower), `auto` native if the driver can
    #[arg(long, value_name = "MODE", default_value = "auto")]
    xdp_mode: XdpMode,
}

/// Runs what was asked for, and says what became of it in the exit code.
#[must_use]
pub fn run(arguments: Arguments) -> ExitCode {
    let result = match arguments.command {
        Command::Doctor(command) => return end(wait_for(command.run())),
        Command::Validate(command) => return command.run(),
        Command::Agent(command) => command.run(),
        Command::Apply(command) => wait_for(command.run()),
        Command::Get(command) => wait_for(command.run()),
        Command::Target(command) => wait_for(command.run()),
        Command::Status(command) => wait_for(command.run()),
        Command::Stats(command) => wait_for(command.run()),
        Command::Events(command) => wait_for(command.run()),
        Command::Explain(command) => wait_for(command.run()),
        Command::Decap(command) => command.run(),
        Command::Detach(command) => command.run(),
        Command::Schema(command) => command.run(),
        Command::Completions(command) => command.run(),
    };
    end(result.map(|()| true))
}

/// The exit code; `false` is an answer, too: what was looked at is not well.
fn end(result: anyhow::Result<bool>) -> ExitCode {
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{}", shown(&error));
            ExitCode::from(exit_code(&error))
        }
    }
}

/// What stands on the error output. The errors of a configuration name their file already.
fn shown(error: &anyhow::Error) -> String {
    match error.downcast_ref::<ConfigErrors>() {
        Some(errors) => errors.to_string(),
        None => format!("error: {error:#}"),
    }
}

/// 2 for what the user must change in what he asked for, 1 for everything else.
fn exit_code(error: &anyhow::Error) -> u8 {
    let invalid = error.is::<ConfigErrors>()
        || matches!(error.downcast_ref(), Some(ClientError::Invalid(_)))
        || error.downcast_ref().is_some_and(GatherError::is_usage);
    if invalid { 2 } else { 1 }
}

/// Runs a request on a runtime of one thread: it waits for one answer.
fn wait_for<T>(request: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(request)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn exit_codes_tell_whose_fault_it_is() {
        let invalid = anyhow::Error::new(ClientError::Invalid("no group".to_owned()));
        let failed = anyhow::Error::new(ClientError::Failed("busy".to_owned()));
        let config = anyhow::Error::new(crate::config::parse("", "x.yaml").unwrap_err());
        assert_eq!([invalid, failed, config].map(|error| exit_code(&error)), [2, 1, 2]);
    }
}
