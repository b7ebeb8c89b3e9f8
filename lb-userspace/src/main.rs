//! The binary `xelb`: reads the command line, sets up the log, runs the command.

use std::process::ExitCode;

use clap::Parser as _;
use lb_userspace::{cli, log};

fn main() -> ExitCode {
    let arguments = cli::Arguments::parse();
    log::start(arguments.log_format());
    cli::run(arguments)
}
