//! PURE: decisions in plain words.

use std::fmt::{self, Display, Formatter};

use crate::{
    decision::{Alert, Ask, Because, Decision, Input, Rejected, Rule},
    suspension::Process,
};

/// A decision in words: the result, the rule, what each policy saw, what was rejected, and alerts;
/// one fact a line.
#[must_use]
pub fn explain(decision: &Decision) -> String {
    decision.to_string()
}

impl Display for Decision {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let Self { from, desired, limits, at, .. } = self;
        if from == desired {
            writeln!(formatter, "{desired} targets, unchanged, at {}", at.wall)?;
        } else {
            writeln!(formatter, "{from} -> {desired} targets at {}", at.wall)?;
        }
        writeln!(formatter, "rule: {}", self.rule)?;
        writeln!(formatter, "limits: {limits}")?;
        for input in &self.inputs {
            writeln!(formatter, "input: {input}")?;
        }
        for rejected in &self.rejected {
            writeln!(formatter, "rejected: {rejected}")?;
        }
        if !self.replace.is_empty() {
            writeln!(formatter, "replace: {}", self.replace.join(", "))?;
        }
        if !self.launch {
            writeln!(formatter, "launching is paused")?;
        }
        for alert in &self.alerts {
            writeln!(formatter, "alert: {alert}")?;
        }
        Ok(())
    }
}

impl Display for Rule {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Limits => write!(formatter, "the capacity was outside the limits"),
            Self::Schedule(policy) => write!(formatter, "schedule {policy} was due"),
            Self::ScaleOut(policy) => {
                write!(formatter, "policy {policy} asks for the largest capacity")
            }
            Self::ScaleIn(policy) => {
                write!(formatter, "fewer are enough; policy {policy} asks for the largest capacity")
            }
            Self::Hold => write!(formatter, "nothing changes"),
        }
    }
}

impl Display for Input {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let Self { policy, metric, sample, ask } = self;
        write!(formatter, "{policy} sees {metric} = {sample}, and ")?;
        match ask {
            Ask::Work(work) => write!(formatter, "needs {work:.2} targets"),
            Ask::Capacity(capacity) => write!(formatter, "asks for {capacity}"),
            Ask::Nothing => write!(formatter, "is not in breach"),
            Ask::Wait => write!(formatter, "waits for new members or its cooldown"),
            Ask::Unknown => write!(formatter, "blocks scale-in"),
        }
    }
}

impl Display for Rejected {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let Self { by, capacity, because } = self;
        write!(formatter, "{capacity} by {by}: {because}")
    }
}

impl Display for Because {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Limits(limits) => write!(formatter, "the limits are {limits}"),
            Self::Larger(policy) => write!(formatter, "{policy} asks for as many or more"),
            Self::Tolerance => {
                write!(formatter, "the work is within the tolerance of the present capacity")
            }
            Self::NeededBefore { by, need } => {
                write!(formatter, "{by} needed {need:.2} targets within the scale-in window")
            }
            Self::Failed(policy) => write!(formatter, "the input of {policy} failed"),
            Self::Empty(policy) => write!(formatter, "the input of {policy} is empty"),
            Self::WindowNotFull { left } => write!(
                formatter,
                "samples do not cover the scale-in window yet, {} s are missing",
                left.as_secs()
            ),
            Self::Rate => write!(formatter, "the rate of changes is limited"),
            Self::Suspended(Process::Launch) => write!(formatter, "launching is suspended"),
            Self::Suspended(Process::Terminate) => write!(formatter, "terminating is suspended"),
            Self::Suspended(process) => write!(formatter, "{process:?} is suspended"),
            Self::FailsOpen => write!(formatter, "the group fails open"),
            Self::LaunchesFail { retry_in } => {
                write!(formatter, "launches fail; the next is in {} s", retry_in.as_secs())
            }
            Self::NotGrowing { waited } => write!(
                formatter,
                "no member has come into service for {} s since more were asked for",
                waited.as_secs()
            ),
        }
    }
}

impl Display for Alert {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::LaunchesFail { failures, retry_in } => write!(
                formatter,
                "{failures} launches failed in a row; the next is in {} s: see the driver's errors",
                retry_in.as_secs()
            ),
            Self::NotGrowing { waited } => write!(
                formatter,
                "no member has come into service for {} s: see the driver's errors and the health \
                 checks",
                waited.as_secs()
            ),
            Self::AllUnhealthy => write!(
                formatter,
                "all members fail their health checks at once, so none is replaced: check the \
                 probes first"
            ),
            Self::InputFailed { policy, error } => {
                write!(formatter, "the input of policy {policy} failed: {error}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::limits::Limits;

    #[test]
    fn reasons_in_words() {
        let a_minute = Duration::from_mins(1);
        let load = || "load".to_owned();
        let cases = [
            (Because::Limits(Limits { min: 2, max: 9 }), "the limits are 2 to 9"),
            (Because::Larger(load()), "load asks for as many or more"),
            (Because::Tolerance, "the work is within the tolerance of the present capacity"),
            (
                Because::NeededBefore { by: load(), need: 7.123 },
                "load needed 7.12 targets within the scale-in window",
            ),
            (Because::Failed(load()), "the input of load failed"),
            (Because::Empty(load()), "the input of load is empty"),
            (
                Because::WindowNotFull { left: a_minute },
                "samples do not cover the scale-in window yet, 60 s are missing",
            ),
            (Because::Rate, "the rate of changes is limited"),
            (Because::Suspended(Process::Launch), "launching is suspended"),
            (Because::Suspended(Process::Terminate), "terminating is suspended"),
            (Because::FailsOpen, "the group fails open"),
            (Because::LaunchesFail { retry_in: a_minute }, "launches fail; the next is in 60 s"),
            (
                Because::NotGrowing { waited: a_minute },
                "no member has come into service for 60 s since more were asked for",
            ),
        ];
        for (because, expected) in cases {
            let rejected = Rejected { by: load(), capacity: 7, because };
            assert_eq!(rejected.to_string(), format!("7 by load: {expected}"));
        }
    }
}
