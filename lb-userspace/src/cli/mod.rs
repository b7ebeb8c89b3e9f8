//! The command line: flags to requests, answers to output. No logic of its own.

mod access;
mod agent;
mod apply;
mod assignment;
mod bench;
mod color;
mod complete;
mod completions;
mod config_key;
mod context;
mod create;
mod decap;
mod delete;
mod describe;
mod describe_target;
mod detach;
mod diff;
mod doctor;
mod driver;
mod edit;
mod events;
mod exec_checks;
mod explain;
mod explain_config;
mod explain_http;
mod get;
mod global_options;
#[cfg(test)]
mod golden_tests;
mod habits;
#[cfg(test)]
mod help_tests;
mod import;
mod input;
mod limits;
mod list;
mod local_commands;
mod man;
mod object;
mod output;
mod page;
mod part_change;
mod pass;
mod place;
mod preview;
mod progress;
mod proxy;
mod relative_time;
mod remote;
mod rollback;
mod rules;
mod scale;
mod scale_order;
mod schema;
mod schema_keys;
mod selected_targets;
mod selection;
mod set;
mod stats;
mod status;
mod table;
mod target;
mod target_name;
mod targets;
mod terminal;
mod this_host;
mod token;
mod traffic;
mod validate;
mod wait;
mod weigh;
mod weight;

use std::{ffi::OsString, future::Future, path::PathBuf, process::ExitCode, time::Duration};

use clap::{Args, Parser, Subcommand};
use lb_api::{Client, ClientError, Transport, access::AccessError};
use lb_bench::{BenchError, traffic::TrafficError};
use lb_config::ConfigErrors;
use lb_dataplane::{PassError, XdpMode, decap::DecapError};
use lb_doctor::gather::GatherError;
use lb_log::{self as log, LogFormat};
use lb_proxy_control::{ExplainHttpError, ServiceError};

const AFTER_HELP: &str = "\
Exit codes: 0 done; 1 failed at run time; 2 wrong usage or invalid configuration (nothing was
changed).

Environment: XELB_SOCKET is the default of --socket, XELB_SERVER of --server, XELB_CA of --ca,
XELB_CONTEXT of --context. XELB_TOKEN is the token for --server.
XELB_LOG is the log level of agent, decap and proxy (error, warn, info, debug or trace; default
info).
XELB_LOG_FORMAT is the format of their log (text or json).";

/// xelb, an elastic load balancer: an XDP program spreads flows over targets, an agent checks the
/// health of targets, and this command line manages both
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
    #[command(subcommand)]
    Create(create::Create),
    Set(set::Set),
    Edit(edit::Edit),
    Delete(delete::Delete),
    Rollback(rollback::Rollback),
    Diff(diff::Diff),
    Validate(validate::Validate),
    Import(import::Import),
    Get(get::Get),
    #[command(subcommand)]
    Target(target::Target),
    #[command(subcommand)]
    Scale(scale::Scale),
    Describe(describe::Describe),
    Wait(wait::Wait),
    Status(status::Status),
    Stats(stats::Stats),
    Events(events::EventsCommand),
    Explain(explain::Explain),
    Doctor(doctor::Doctor),
    #[command(subcommand)]
    Driver(driver::Driver),
    #[command(subcommand)]
    Bench(bench::Bench),
    Decap(decap::Decap),
    Proxy(proxy::Proxy),
    Pass(pass::PassCommand),
    Detach(detach::Detach),
    #[command(subcommand)]
    Context(context::ContextCommand),
    Token(token::TokenCommand),
    Schema(schema::Schema),
    Completions(completions::Completions),
    Man(man::Man),
}

impl Arguments {
    /// The command line of this process. It does not return if that is wrong, or if a shell asks for
    /// completions.
    #[must_use]
    pub fn read() -> Self {
        complete::answer();
        let typed: Vec<OsString> = std::env::args_os().collect();
        Self::try_parse_from(words(typed.iter().cloned())).unwrap_or_else(|error| {
            if error.exit_code() == 0 {
                error.exit();
            }
            let behind = typed.iter().skip(1).map(|word| word.to_string_lossy().into_owned());
            let behind: Vec<String> = behind.collect();
            let tip =
                local_commands::tip(&behind).or_else(|| habits::tip(&behind).map(str::to_owned));
            // A closed standard error is no other error.
            let _unread = error.print();
            if let Some(tip) = tip {
                output::print_error(&format!("\ntip: {tip}"));
            }
            std::process::exit(error.exit_code());
        })
    }

    /// How what the command logs is written.
    #[must_use]
    pub const fn log_format(&self) -> LogFormat {
        match &self.command {
            Command::Agent(command) => command.log_format(),
            Command::Decap(command) => command.log_format(),
            Command::Proxy(command) => command.log_format(),
            _ => LogFormat::Text,
        }
    }

    /// How long the last lines may take to be written: services must end even if standard error is
    /// not read, commands write everything.
    #[must_use]
    pub const fn log_flush_timeout(&self) -> Duration {
        match self.command {
            Command::Agent(_) | Command::Decap(_) | Command::Proxy(_) => Duration::from_secs(1),
            _ => Duration::MAX,
        }
    }
}

impl Command {
    /// Whether it is done after a while: others run until they are ended, or have a progress of their
    /// own.
    const fn has_an_end(&self) -> bool {
        !matches!(
            self,
            Self::Agent(_)
                | Self::Bench(_)
                | Self::Decap(_)
                | Self::Events(_)
                | Self::Pass(_)
                | Self::Proxy(_)
        )
    }
}

/// The words of a command line, as clap reads them.
fn words(typed: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let words = target_name::split(global_options::behind(typed.into_iter().collect()));
    scale_order::member_split(scale_order::verb_first(object::kind_split(words)))
}

/// Which agent, here or elsewhere.
#[derive(Debug, Args)]
struct Socket {
    /// Socket of the agent [env: XELB_SOCKET] [default: /run/xelb/xelb.sock]
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
    #[command(flatten)]
    remote: remote::RemoteAgent,
}

impl Socket {
    /// The client of the agent that options, environment or a context name.
    fn client(&self) -> Result<Client, ClientError> {
        self.transport().map(Client::by)
    }

    /// The way to it.
    fn transport(&self) -> Result<Transport, ClientError> {
        let options = self.remote.options(self.socket.clone());
        let environment = context::Environment::read();
        context::transport(options, environment, context::Contexts::read)
    }
}

/// How XDP programs are attached.
#[derive(Debug, Args)]
struct Attach {
    /// Where XDP runs: `native` in the driver; `generic` in the kernel's network stack (works
    /// everywhere, slower); `auto` native if the driver supports it and can send packets, otherwise
    /// generic
    #[arg(long, value_name = "MODE", default_value = "auto")]
    xdp_mode: XdpMode,
}

/// How what happens is written to the error output.
#[derive(Debug, Args)]
struct Log {
    /// Format of the log: `text`, lines for people, or `json`, one object per line. Lines for the
    /// journal of systemd have no time, since the journal adds it
    #[arg(
        id = "log_format",
        long = "log-format",
        value_name = "FORMAT",
        default_value = "text",
        env = "XELB_LOG_FORMAT"
    )]
    format: LogFormat,
}

/// Runs the command, and returns its exit code.
#[must_use]
pub fn run(arguments: Arguments) -> ExitCode {
    let format = arguments.log_format();
    if arguments.command.has_an_end() {
        progress::working();
    }
    let result = match arguments.command {
        Command::Doctor(command) => return end(format, wait_for(command.run())),
        Command::Driver(command) => return end(format, wait_for(command.run())),
        Command::Validate(command) => return command.run(),
        Command::Agent(command) => command.run(),
        Command::Apply(command) => wait_for(command.run()),
        Command::Create(command) => wait_for(command.run()),
        Command::Set(command) => wait_for(command.run()),
        Command::Edit(command) => wait_for(command.run()),
        Command::Delete(command) => wait_for(command.run()),
        Command::Rollback(command) => wait_for(command.run()),
        Command::Diff(command) => wait_for(command.run()),
        Command::Get(command) => wait_for(command.run()),
        Command::Target(command) => wait_for(command.run()),
        Command::Scale(command) => wait_for(command.run()),
        Command::Describe(command) => wait_for(command.run()),
        Command::Wait(command) => wait_for(command.run()),
        Command::Status(command) => wait_for(command.run()),
        Command::Stats(command) => wait_for(command.run()),
        Command::Events(command) => wait_for(command.run()),
        Command::Explain(command) => wait_for(command.run()),
        Command::Bench(command) => command.run(),
        Command::Decap(command) => command.run(),
        Command::Proxy(command) => command.run(),
        Command::Pass(command) => command.run(),
        Command::Detach(command) => command.run(),
        Command::Context(command) => command.run(),
        Command::Token(command) => command.run(),
        Command::Import(command) => command.run(),
        Command::Schema(command) => command.run(),
        Command::Completions(command) => command.run(),
        Command::Man(command) => command.run(),
    };
    end(format, result.map(|()| true))
}

/// The exit code; `false` means that the command succeeded and found an error.
fn end(format: LogFormat, result: anyhow::Result<bool>) -> ExitCode {
    progress::end();
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            log::print_error(format, &terminal::lines(&shown(&error)));
            ExitCode::from(exit_code(&error))
        }
    }
}

/// The text for standard error. The errors of a configuration name their file already.
fn shown(error: &anyhow::Error) -> String {
    match error.downcast_ref::<ConfigErrors>() {
        Some(errors) => errors.to_string(),
        None => format!("error: {error:#}"),
    }
}

/// 2 for errors that the user must correct, 1 for all others.
fn exit_code(error: &anyhow::Error) -> u8 {
    let invalid = error.is::<ConfigErrors>()
        || error.is::<AccessError>()
        || error.downcast_ref().is_some_and(BenchError::is_usage)
        || matches!(error.downcast_ref(), Some(ClientError::Invalid(_)))
        || error.is::<ExplainHttpError>()
        || error.is::<decap::BalancerError>()
        || error.is::<driver::DriverUsageError>()
        || error.downcast_ref().is_some_and(ServiceError::is_usage)
        || error.downcast_ref().is_some_and(DecapError::is_usage)
        || error.downcast_ref().is_some_and(PassError::is_usage)
        || error.downcast_ref().is_some_and(GatherError::is_usage)
        || error.downcast_ref().is_some_and(TrafficError::is_usage);
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
    fn the_command_line_definition_is_valid() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn exit_codes_distinguish_wrong_usage_from_failures() {
        let invalid = anyhow::Error::new(ClientError::Invalid("no group".to_owned()));
        let failed = anyhow::Error::new(ClientError::Failed("busy".to_owned()));
        let config = anyhow::Error::new(lb_config::parse("", "x.yaml").unwrap_err());
        assert_eq!([invalid, failed, config].map(|error| exit_code(&error)), [2, 1, 2]);
    }
}
