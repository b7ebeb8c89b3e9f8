//! PURE: what happened to a group, bounded: activities, decisions that changed something, and load.

use std::collections::VecDeque;

use lb_members::{ActivityKind, MemberActivity};
use lb_scale::{Activity, Decision, Memory, Moment, Outcome, Samples};
use serde::{Deserialize, Serialize};

use crate::loads::Loads;

/// Activities that are kept. EC2 Auto Scaling keeps six weeks.
pub(crate) const ACTIVITIES_MAX: usize = 200;
/// Decisions that are kept.
const DECISIONS_MAX: usize = 20;

/// One activity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Recorded {
    /// A change of the desired capacity.
    Capacity(Activity),
    /// A change of one member.
    Member(MemberActivity),
}

impl Recorded {
    fn is_over(&self) -> bool {
        let outcome = match self {
            Self::Capacity(activity) => &activity.outcome,
            Self::Member(activity) => &activity.outcome,
        };
        *outcome != Outcome::InProgress
    }
}

/// The history of a group, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct History {
    activities: VecDeque<Recorded>,
    /// Without what they remember.
    decisions: VecDeque<Decision>,
    /// What `replay` uses. It is stored apart; former versions stored it here.
    #[serde(default, skip_serializing)]
    loads: Loads,
}

impl History {
    /// All activities, oldest first.
    pub(crate) fn activities(&self) -> impl DoubleEndedIterator<Item = &Recorded> {
        self.activities.iter()
    }

    /// The decisions that changed something, oldest first.
    pub(crate) fn decisions(&self) -> impl DoubleEndedIterator<Item = &Decision> {
        self.decisions.iter()
    }

    /// The load of the last hours.
    #[must_use]
    pub(crate) const fn loads(&self) -> &Loads {
        &self.loads
    }

    /// The same with this load.
    pub(crate) fn with_loads(self, loads: Loads) -> Self {
        Self { loads, ..self }
    }

    /// What a decision was made from.
    pub(crate) fn note_load(&mut self, samples: &Samples, desired: u32, now: Moment) {
        self.loads.note(samples, desired, now);
    }

    /// A decision that changes something. What the one before began takes its place.
    pub(crate) fn decide(&mut self, decision: &Decision) {
        let Some(activity) = Activity::begun_by(decision) else { return };
        self.begin(activity);
        let decision = Decision { memory: Memory::default(), ..decision.clone() };
        self.decisions.push_back(decision);
        while self.decisions.len() > DECISIONS_MAX {
            self.decisions.pop_front();
        }
    }

    /// A change of the desired capacity begins, and ends the one before.
    pub(crate) fn begin(&mut self, activity: Activity) {
        let now = activity.start;
        for recorded in &mut self.activities {
            if let Recorded::Capacity(before) = recorded {
                before.finish(Outcome::Cancelled, now);
            }
        }
        self.push(Recorded::Capacity(activity));
    }

    /// So many members are in service. Whether an activity has ended by that.
    pub(crate) fn observe(&mut self, in_service: u32, now: Moment) -> bool {
        let mut ended = false;
        for recorded in &mut self.activities {
            if let Recorded::Capacity(activity) = recorded
                && activity.outcome == Outcome::InProgress
            {
                activity.observe(in_service, now);
                ended |= activity.outcome != Outcome::InProgress;
            }
        }
        ended
    }

    /// An activity of a member. One that ends replaces the one that began, and keeps its cause.
    pub(crate) fn member(&mut self, mut activity: MemberActivity) {
        let is_same = |recorded: &&mut Recorded| match recorded {
            Recorded::Member(other) => {
                other.name == activity.name
                    && other.kind == activity.kind
                    && other.outcome == Outcome::InProgress
            }
            Recorded::Capacity(_) => false,
        };
        if let Some(Recorded::Member(began)) = self.activities.iter_mut().rev().find(is_same) {
            if activity.cause.is_empty() {
                activity.cause = std::mem::take(&mut began.cause);
            }
            *began = activity;
        } else {
            self.push(Recorded::Member(activity));
        }
    }

    fn push(&mut self, recorded: Recorded) {
        self.activities.push_back(recorded);
        while self.activities.len() > ACTIVITIES_MAX {
            // What has ended goes first: what goes on is not forgotten while there are others.
            let over = self.activities.iter().position(Recorded::is_over).unwrap_or(0);
            self.activities.remove(over);
        }
    }
}

/// The name of what an activity does, for people and programs.
pub(crate) const fn kind_name(kind: ActivityKind) -> &'static str {
    match kind {
        ActivityKind::Launch => "launch",
        ActivityKind::Terminate => "terminate",
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(seconds: u64) -> Moment {
        let boot = Duration::from_secs(seconds);
        Moment { boot_id: 1, boot, wall: jiff::Timestamp::UNIX_EPOCH }
    }

    fn launch(name: &str, cause: &str, outcome: Outcome) -> MemberActivity {
        let (name, cause) = (name.to_owned(), cause.to_owned());
        let end = (outcome != Outcome::InProgress).then(|| at(9));
        MemberActivity { name, kind: ActivityKind::Launch, cause, start: at(1), end, outcome }
    }

    #[test]
    fn an_activity_that_ends_keeps_its_cause() {
        let mut history = History::default();
        history.member(launch("a", "members are missing", Outcome::InProgress));
        history.member(launch("b", "members are missing", Outcome::InProgress));
        history.member(launch("a", "", Outcome::Successful));
        let expected = [
            launch("a", "members are missing", Outcome::Successful),
            launch("b", "members are missing", Outcome::InProgress),
        ];
        let found: Vec<Recorded> = history.activities().cloned().collect();
        assert_eq!(found, expected.map(Recorded::Member));
    }

    #[test]
    fn it_is_bounded_and_keeps_what_goes_on() {
        let mut history = History::default();
        history.member(launch("slow", "", Outcome::InProgress));
        for number in 0..2 * ACTIVITIES_MAX {
            history.member(launch(&number.to_string(), "", Outcome::Successful));
        }
        assert_eq!(history.activities().count(), ACTIVITIES_MAX);
        let first = history.activities().next().unwrap();
        assert!(matches!(first, Recorded::Member(activity) if activity.name == "slow"));
    }

    #[test]
    fn a_change_of_capacity_ends_the_one_before() {
        let activity = |from, to, second| Activity {
            cause: "policy load".to_owned(),
            from,
            to,
            start: at(second),
            end: None,
            progress: 0,
            outcome: Outcome::InProgress,
        };
        let mut history = History::default();
        history.begin(activity(2, 4, 0));
        assert!(!history.observe(3, at(1)));
        history.begin(activity(4, 6, 2));
        assert!(history.observe(6, at(3)));
        let outcomes: Vec<&Outcome> = history
            .activities()
            .map(|recorded| match recorded {
                Recorded::Capacity(activity) => &activity.outcome,
                Recorded::Member(_) => panic!(),
            })
            .collect();
        assert_eq!(outcomes, [&Outcome::Cancelled, &Outcome::Successful]);
    }
}
