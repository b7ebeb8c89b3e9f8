//! PURE: the record of one change of a group, for people. Nothing is decided from it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{decision::Decision, moment::Moment};

/// How an activity stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Members are being launched or ended.
    InProgress,
    /// All members are in their new state.
    Successful,
    /// It ended early, with the reason.
    Failed(String),
    /// A later activity took its place.
    Cancelled,
}

/// One change of the desired capacity, from its cause to its outcome.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Activity {
    /// The rule that caused it, in words.
    pub cause: String,
    /// The desired capacity before.
    pub from: u32,
    /// The desired capacity after.
    pub to: u32,
    /// When it was decided.
    pub start: Moment,
    /// When it ended.
    pub end: Option<Moment>,
    /// How much is done, in percent.
    pub progress: u8,
    /// How it stands.
    pub outcome: Outcome,
}

impl Activity {
    /// The activity that a decision begins; `None` if it changes nothing.
    #[must_use]
    pub fn begun_by(decision: &Decision) -> Option<Self> {
        (decision.from != decision.desired).then(|| Self {
            cause: decision.rule.to_string(),
            from: decision.from,
            to: decision.desired,
            start: decision.at,
            end: None,
            progress: 0,
            outcome: Outcome::InProgress,
        })
    }

    /// Notes how many members are in service. It ends successfully when that is the new capacity.
    pub fn observe(&mut self, in_service: u32, now: Moment) {
        if self.outcome != Outcome::InProgress {
            return;
        }
        let total = self.from.abs_diff(self.to).max(1);
        let left = in_service.abs_diff(self.to).min(total);
        let percent = u64::from(total - left) * 100 / u64::from(total);
        self.progress = u8::try_from(percent).unwrap_or(100);
        if left == 0 {
            self.finish(Outcome::Successful, now);
        }
    }

    /// Ends it. An activity that has ended already stays as it is.
    pub fn finish(&mut self, outcome: Outcome, now: Moment) {
        if self.outcome == Outcome::InProgress {
            self.outcome = outcome;
            self.end = Some(now);
        }
    }
}

impl fmt::Display for Activity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cause, from, to, progress, .. } = self;
        write!(formatter, "{from} -> {to}: {cause}; ")?;
        match &self.outcome {
            Outcome::InProgress => write!(formatter, "{progress} % done"),
            Outcome::Successful => write!(formatter, "successful"),
            Outcome::Failed(reason) => write!(formatter, "failed at {progress} %: {reason}"),
            Outcome::Cancelled => write!(formatter, "cancelled at {progress} %"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn progress_until_the_end() {
        let start = Moment { boot_id: 1, boot: Duration::ZERO, wall: jiff::Timestamp::UNIX_EPOCH };
        let mut activity = Activity {
            cause: "policy load".to_owned(),
            from: 2,
            to: 6,
            start,
            end: None,
            progress: 0,
            outcome: Outcome::InProgress,
        };
        let end = start.after(Duration::from_mins(1));
        // (in service, progress); a member that is lost meanwhile takes progress back.
        for (in_service, progress) in [(2, 0), (3, 25), (5, 75), (4, 50), (0, 0)] {
            activity.observe(in_service, end);
            assert_eq!(activity.progress, progress, "{in_service} in service");
        }
        assert_eq!(activity.to_string(), "2 -> 6: policy load; 0 % done");
        activity.observe(6, end);
        assert_eq!((activity.progress, activity.end), (100, Some(end)));
        activity.observe(2, end);
        activity.finish(Outcome::Cancelled, start);
        assert_eq!((activity.outcome, activity.end), (Outcome::Successful, Some(end)));
    }
}
