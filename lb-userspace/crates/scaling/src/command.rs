//! PURE: what people ask of a scaled group.

use lb_scale::Process;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use utoipa::ToSchema;

/// A command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "command", rename_all = "snake_case", deny_unknown_fields)]
pub enum ScaleCommand {
    /// Sets the desired capacity. It holds for the scale-in window; then policies may lower it.
    SetDesired {
        /// The desired capacity, within the limits.
        capacity: u32,
    },
    /// Suspends processes.
    Suspend {
        /// Their names: launch, terminate, replace-unhealthy, alarm-notification or
        /// scheduled-actions; all if there is none.
        #[serde(default)]
        processes: Vec<String>,
    },
    /// Resumes processes.
    Resume {
        /// Their names; all if there is none.
        #[serde(default)]
        processes: Vec<String>,
    },
    /// Protects a member from scale-in and replacement, or ends the protection.
    Protect {
        /// Its name, or its address and port.
        member: String,
        /// Whether it is protected.
        protected: bool,
    },
    /// Takes a member out of service and keeps it, or puts it back.
    Standby {
        /// Its name, or its address and port.
        member: String,
        /// Whether it is out of service.
        standby: bool,
    },
    /// Ends a member. Another one is launched if the desired capacity asks for it.
    End {
        /// Its name, or its address and port.
        member: String,
    },
    /// Replaces all members of another template.
    Refresh,
    /// Stops a refresh; members stay as they are.
    CancelRefresh,
    /// Goes back to the template before the refresh.
    RollBackRefresh,
    /// Launches again at once after failed launches.
    RetryLaunches,
    /// Sends the value of a metric with `post`: the work of the whole group. The next sample has it.
    PostMetric {
        /// The metric.
        metric: String,
        /// Its value; not negative.
        #[schema(value_type = f64)]
        value: serde_json::Number,
        /// For how many seconds it holds; not longer than `max_age` of the metric.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ttl_seconds: Option<u32>,
    },
}

/// Why a command is not carried out; nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CommandError {
    /// The group does not exist, or is not scaled.
    #[error("{0}")]
    NoGroup(String),
    /// There is no such member.
    #[error("group {group} has no member {member}; `xelb get members {group}` lists them")]
    NoMember {
        /// The group.
        group: String,
        /// What was named.
        member: String,
    },
    /// There is no such process.
    #[error(
        "`{0}` is no process; known are launch, terminate, replace-unhealthy, alarm-notification and \
         scheduled-actions"
    )]
    NoProcess(String),
    /// The capacity is outside the limits.
    #[error(
        "{capacity} is outside the limits {limits} of group {group}; `xelb scale limits {group}` \
         changes them"
    )]
    OutsideLimits {
        /// The group.
        group: String,
        /// What was asked for.
        capacity: u32,
        /// The limits.
        limits: String,
    },
    /// The state of the group does not allow it.
    #[error("{0}")]
    NotNow(String),
    /// The intent could not be stored.
    #[error("{0}")]
    NotStored(String),
}

/// All processes that can be suspended.
pub(crate) const PROCESSES: [Process; 5] = [
    Process::Launch,
    Process::Terminate,
    Process::ReplaceUnhealthy,
    Process::AlarmNotification,
    Process::ScheduledActions,
];

/// The name of a process, as EC2 Auto Scaling has it, in lower case.
pub(crate) const fn process_name(process: Process) -> &'static str {
    match process {
        Process::Launch => "launch",
        Process::Terminate => "terminate",
        Process::ReplaceUnhealthy => "replace-unhealthy",
        Process::AlarmNotification => "alarm-notification",
        Process::ScheduledActions => "scheduled-actions",
    }
}

/// The process with a name.
#[must_use]
pub fn process_named(name: &str) -> Option<Process> {
    PROCESSES.into_iter().find(|process| process_name(*process) == name)
}

/// The processes with these names; all if there is none.
pub(crate) fn processes_named(names: &[String]) -> Result<Vec<Process>, CommandError> {
    if names.is_empty() {
        return Ok(PROCESSES.into());
    }
    let find =
        |name: &String| process_named(name).ok_or_else(|| CommandError::NoProcess(name.clone()));
    names.iter().map(find).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processes_have_the_names_that_are_stored() {
        for process in PROCESSES {
            let stored = serde_json::to_value(process).unwrap();
            assert_eq!(stored, process_name(process));
            assert_eq!(process_named(process_name(process)), Some(process));
        }
        assert_eq!(processes_named(&[]).unwrap().len(), 5);
        let wrong = processes_named(&["launch".to_owned(), "Launch".to_owned()]);
        assert_eq!(wrong, Err(CommandError::NoProcess("Launch".to_owned())));
    }
}
