//! PURE: the last probes of a target, for people who ask why it is in its state.

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

use super::Outcome;

/// Probes that are kept of each target.
const KEPT: usize = 5;

/// A probe that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndedProbe {
    /// When it ended.
    pub ended: Instant,
    /// How long it took.
    pub took: Duration,
    /// What it ended with.
    pub outcome: Outcome,
}

/// The last probes.
#[derive(Clone, Debug, Default)]
pub(super) struct Recent(VecDeque<EndedProbe>);

impl Recent {
    pub(super) fn add(&mut self, probe: EndedProbe) {
        if self.0.len() == KEPT {
            self.0.pop_back();
        }
        self.0.push_front(probe);
    }

    /// The newest first.
    pub(super) fn all(&self) -> Vec<EndedProbe> {
        self.0.iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_probes_are_kept_newest_first() {
        let mut recent = Recent::default();
        let begun = Instant::now();
        for seconds in 1..=7 {
            let took = Duration::from_secs(seconds);
            recent.add(EndedProbe { ended: begun + took, took, outcome: Outcome::Success });
        }
        let seconds: Vec<u64> = recent.all().iter().map(|probe| probe.took.as_secs()).collect();
        assert_eq!(seconds, [7, 6, 5, 4, 3]);
    }
}
