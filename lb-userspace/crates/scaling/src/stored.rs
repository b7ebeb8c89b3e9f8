//! PURE: what is kept of a scaled group. A new agent knows nothing else. It has parts, so that what has
//! not changed is not written again.

use std::collections::BTreeMap;

use lb_config::{Driver, Hook};
use lb_members::{Ledger, MemberSettings};
use lb_scale::{Limits, Memory, Suspensions};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    history::History,
    loads::{CHUNKS, Loads},
};

/// What members are, and what is intended with them.
const MAIN: &str = "";
/// What decisions remember. It changes with each of them.
const MEMORY: &str = "memory";
/// What happened.
const HISTORY: &str = "history";
/// The load: chunks of minutes, of which one grows.
const LOADS: [&str; CHUNKS] = [
    "load-00", "load-01", "load-02", "load-03", "load-04", "load-05", "load-06", "load-07",
    "load-08", "load-09", "load-10", "load-11", "load-12", "load-13", "load-14", "load-15",
    "load-16", "load-17", "load-18",
];

/// By what members are started and ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Means {
    /// The driver.
    pub(crate) driver: Driver,
    /// What runs before a member takes traffic.
    #[serde(default)]
    pub(crate) launch_hook: Option<Hook>,
    /// What runs before a member is ended.
    #[serde(default)]
    pub(crate) terminate_hook: Option<Hook>,
}

impl Means {
    /// Whether both have the same hooks.
    pub(crate) fn has_hooks_of(&self, other: &Self) -> bool {
        self.launch_hook == other.launch_hook && self.terminate_hook == other.terminate_hook
    }
}

/// The state of a scaled group.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(crate) struct Stored {
    /// Its members, and what is intended with them.
    pub(crate) ledger: Ledger,
    /// How its members come and go: a group that has left the configuration ends them.
    pub(crate) settings: MemberSettings,
    /// By what.
    pub(crate) means: Means,
    /// Its desired capacity.
    pub(crate) desired: u32,
    /// Its limits now: those of the configuration, or of the schedule that was last due.
    pub(crate) limits: Limits,
    /// The limits that the configuration had then: other ones replace those of a schedule.
    pub(crate) configured: Limits,
    /// Its suspended processes.
    #[serde(default)]
    pub(crate) suspended: Suspensions,
    /// What decisions remember. Former versions kept it in the main part.
    #[serde(default)]
    pub(crate) memory: Option<Memory>,
    /// What happened. Former versions kept it in the main part, with the load.
    #[serde(default)]
    pub(crate) history: Option<History>,
}

/// The main part, to be written.
#[derive(Debug, Serialize)]
pub(crate) struct Main<'a> {
    pub(crate) ledger: &'a Ledger,
    pub(crate) settings: &'a MemberSettings,
    pub(crate) means: &'a Means,
    pub(crate) desired: u32,
    pub(crate) limits: Limits,
    pub(crate) configured: Limits,
    pub(crate) suspended: &'a Suspensions,
}

/// The state of a group as it is stored, in JSON, by part.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Parts(BTreeMap<&'static str, Vec<u8>>);

impl Parts {
    /// The names of all parts there are.
    pub(crate) fn names() -> Vec<&'static str> {
        [MAIN, MEMORY, HISTORY].into_iter().chain(LOADS).collect()
    }

    /// What was read under these names, in their order.
    pub(crate) fn found(parts: Vec<Option<Vec<u8>>>) -> Self {
        let named = Self::names().into_iter().zip(parts);
        Self(named.filter_map(|(name, part)| Some((name, part?))).collect())
    }

    /// What is to be stored.
    pub(crate) fn of(main: &Main<'_>, memory: &Memory, history: &History) -> Result<Self, String> {
        let mut parts = BTreeMap::new();
        parts.insert(MAIN, json(main)?);
        parts.insert(MEMORY, json(memory)?);
        parts.insert(HISTORY, json(history)?);
        for (name, chunk) in LOADS.into_iter().zip(history.loads().chunks()) {
            if !chunk.is_empty() {
                parts.insert(name, json(&chunk)?);
            }
        }
        Ok(Self(parts))
    }

    /// The parts that are others than before; `None` for one that there is no more.
    pub(crate) fn changes<'a>(
        &'a self,
        before: &'a Self,
    ) -> impl Iterator<Item = (&'static str, Option<&'a [u8]>)> {
        let written = self.0.iter().filter(|(name, part)| before.0.get(*name) != Some(part));
        let gone = before.0.keys().filter(|name| !self.0.contains_key(*name));
        let written = written.map(|(name, part)| (*name, Some(part.as_slice())));
        written.chain(gone.map(|name| (*name, None)))
    }

    /// The state; `None` if nothing is stored.
    pub(crate) fn read(&self) -> Result<Option<Stored>, String> {
        let Some(mut stored) = self.part::<Stored>(MAIN)? else { return Ok(None) };
        if stored.memory.is_none() {
            stored.memory = self.part(MEMORY)?;
        }
        if stored.history.is_none() {
            let history: Option<History> = self.part(HISTORY)?;
            let chunks: Result<Vec<Option<Loads>>, String> =
                LOADS.into_iter().map(|name| self.part(name)).collect();
            let loads = Loads::joined(chunks?.into_iter().flatten());
            stored.history = Some(history.unwrap_or_default().with_loads(loads));
        }
        Ok(Some(stored))
    }

    fn part<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, String> {
        let part = self.0.get(name).map(|part| serde_json::from_slice(part));
        part.transpose().map_err(|error| error.to_string())
    }
}

fn json(value: &impl Serialize) -> Result<Vec<u8>, String> {
    serde_json::to_vec(value).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use lb_scale::{Moment, Reading, Sample};

    use super::*;
    use crate::samples::PACKETS;

    fn at(minute: i64) -> Moment {
        let wall = jiff::Timestamp::from_second(minute * 60).unwrap();
        Moment { boot_id: 1, boot: Duration::ZERO, wall }
    }

    fn parts(ledger: &Ledger, history: &History) -> Parts {
        let targets = vec!["10.0.0.1:80".parse().unwrap()];
        let means =
            Means { driver: Driver::Static { targets }, launch_hook: None, terminate_hook: None };
        let limits = Limits { min: 0, max: 2 };
        let main = Main {
            ledger,
            settings: &MemberSettings::default(),
            means: &means,
            desired: 1,
            limits,
            configured: limits,
            suspended: &Suspensions::default(),
        };
        Parts::of(&main, &Memory::default(), history).unwrap()
    }

    /// A history of so many minutes of load.
    fn history(minutes: std::ops::Range<i64>) -> History {
        let reading = |value| Reading::Total { sample: Sample::Value(value), saturated: false };
        let mut history = History::default();
        for minute in minutes {
            let samples = [(PACKETS.to_owned(), reading(1e6))].into();
            history.note_load(&samples, 1, at(minute));
        }
        history
    }

    fn names(now: &Parts, before: &Parts) -> Vec<(&'static str, bool)> {
        now.changes(before).map(|(name, part)| (name, part.is_some())).collect()
    }

    #[test]
    fn only_what_has_changed_is_written() {
        let ledger = Ledger::new(1);
        let empty = Parts::default();
        let first = parts(&ledger, &history(0..1));
        let all = [("", true), ("history", true), ("load-00", true), ("memory", true)];
        assert_eq!(names(&first, &empty), all);
        assert_eq!(names(&first, &first), []);
        assert_eq!(names(&parts(&ledger, &history(0..2)), &first), [("load-00", true)]);
        assert_eq!(names(&parts(&Ledger::new(2), &history(0..1)), &first), [("", true)]);
        assert_eq!(names(&empty, &first), all.map(|(name, _)| (name, false)));
        // A minute more is some bytes in one chunk, however much is kept.
        let (long, longer) = (parts(&ledger, &history(0..5000)), parts(&ledger, &history(0..5001)));
        let written: Vec<usize> =
            longer.changes(&long).filter_map(|(_, part)| Some(part?.len())).collect();
        assert!(written.len() == 1 && written[0] < 1000, "{written:?}");
    }

    #[test]
    fn what_is_stored_is_read_again() {
        let (ledger, history) = (Ledger::new(7), history(0..400));
        let parts = parts(&ledger, &history);
        let bytes = Parts::names().into_iter().map(|name| parts.0.get(name).cloned()).collect();
        assert_eq!(Parts::found(bytes), parts);
        let stored = parts.read().unwrap().unwrap();
        assert_eq!((&stored.ledger, stored.history.as_ref()), (&ledger, Some(&history)));
        assert_eq!(stored.memory, Some(Memory::default()));
        assert_eq!(Parts::default().read(), Ok(None));
    }

    /// Before there were parts, all was one.
    #[test]
    fn the_state_of_a_former_version_is_read() {
        let whole = parts(&Ledger::new(7), &history(0..2));
        let mut text: serde_json::Value = serde_json::from_slice(&whole.0[MAIN]).unwrap();
        text["memory"] = serde_json::to_value(Memory::default()).unwrap();
        text["history"] = serde_json::json!({
            "activities": [], "decisions": [], "loads": [[5, 2, 100, null], [6, 2, null, null, 7]]
        });
        let mut former = whole;
        former.0.insert(MAIN, text.to_string().into_bytes());
        let stored = former.read().unwrap().unwrap();
        let history = stored.history.unwrap();
        let minutes: Vec<i64> = history.loads().minutes().map(|one| one.minute).collect();
        assert_eq!(minutes, [5, 6], "the version that wrote last has said it");
    }
}
