//! Options that say which programs health checks may run, of `xelb agent` and `xelb validate`.

use clap::Args;
use lb_health::{ExecPolicy, ExecUser, Programs};

/// Where programs of checks may be.
#[derive(Clone, Debug, Args)]
pub(super) struct ExecChecks {
    /// Directory with the programs that `exec` checks may run, or `off`. Only root may have write
    /// access to it, its programs and its parent directories
    #[arg(long = "exec-checks", value_name = "DIR|off", default_value = "/etc/xelb/checks")]
    programs: Programs,
}

/// The same, and who runs them.
#[derive(Clone, Debug, Args)]
pub(super) struct ExecArguments {
    #[command(flatten)]
    checks: ExecChecks,
    /// User (name or number) that the programs of `exec` checks run as, without capabilities
    #[arg(long = "exec-user", value_name = "USER", default_value = "nobody", value_parser = user)]
    user: ExecUser,
}

impl From<ExecChecks> for Programs {
    fn from(checks: ExecChecks) -> Self {
        checks.programs
    }
}

impl From<ExecArguments> for ExecPolicy {
    fn from(ExecArguments { checks, user }: ExecArguments) -> Self {
        Self { programs: checks.into(), user }
    }
}

/// The default must do where there is no user database.
pub(super) fn user(name: &str) -> Result<ExecUser, String> {
    match ExecUser::find(name) {
        Err(_) if name == "nobody" => Ok(ExecUser::nobody()),
        found => found,
    }
}
