//! The binary `xelb`: reads the command line, sets up the log, runs the command.

use std::process::ExitCode;

use lb_log as log;
use lb_userspace::cli;

fn main() -> ExitCode {
    let arguments = cli::Arguments::read();
    let flush_timeout = arguments.log_flush_timeout();
    if log::start(arguments.log_format()).is_err() {
        // There is nothing left to say it with.
        return ExitCode::FAILURE;
    }
    let code = cli::run(arguments);
    log::finish(flush_timeout);
    code
}
