//! PURE: how long new maps wait for the first verdicts. The first write is a ring without history,
//! in which every flow has the target that the same ring with the same seed gave it before. Rings
//! that grow target by target would send flows that exist already to wherever the first ones are.

use std::time::{Duration, Instant};

use lb_common::target::TargetState;
use lb_config::Config;
use lb_dataplane::Maps;
use lb_health::FIRST_PROBE_WAIT_MAX;
use lb_plan::{NextHopState, NextHops, Reports, TargetReport};

/// First verdicts are waited for as long as this many first probes may take.
const PROBES: u32 = 3;

/// They are never waited for longer than this, whatever time probes may take.
const WAIT_MAX: Duration = Duration::from_secs(10);

/// The same when nothing forwards meanwhile: one probe of a target that lives.
const COLD_WAIT_MAX: Duration = Duration::from_millis(1500);

/// The longest that a probe may take.
pub(super) fn timeout(config: &Config) -> Duration {
    let groups = config.target_groups.iter();
    groups.map(|group| group.health_check.timeout).max().unwrap_or_default()
}

/// The wait.
#[derive(Debug)]
pub(super) struct StartupWait {
    since: Instant,
    until: Instant,
}

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ready {
    /// Not yet.
    No,
    /// Every target has a verdict.
    Yes,
    /// It has lasted long enough; so many targets have no verdict.
    Late(usize),
}

impl StartupWait {
    /// The wait for the targets of new maps, whose probes end after this time at the latest; none
    /// for maps that an agent before has filled.
    pub(super) fn begin(maps: Maps, timeout: Duration, now: Instant) -> Option<Self> {
        let probe = FIRST_PROBE_WAIT_MAX + timeout;
        let wait = match maps {
            Maps::Found => return None,
            Maps::New => probe.min(COLD_WAIT_MAX),
            Maps::Migrating => (probe * PROBES).min(WAIT_MAX),
        };
        Some(Self { since: now, until: now + wait })
    }

    /// When it ends at the latest.
    pub(super) const fn until(&self) -> Instant {
        self.until
    }

    /// How long it has lasted.
    pub(super) fn lasted(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.since)
    }

    /// Whether it is over.
    pub(super) fn ready(&self, targets: &Reports, next_hops: &NextHops, now: Instant) -> Ready {
        let waits = |report: &&TargetReport| {
            let hop = next_hops.get(&report.key.address);
            report.state == TargetState::Initial
                || report.state != TargetState::Unused
                    && matches!(hop, None | Some(NextHopState::Asking(_)))
        };
        match targets.iter().filter(waits).count() {
            0 => Ready::Yes,
            late if now >= self.until => Ready::Late(late),
            _ => Ready::No,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use lb_config::TargetKey;
    use lb_plan::NextHop;

    use super::*;

    fn report(number: u8, state: TargetState) -> TargetReport {
        let address = [10, 0, 0, number].into();
        TargetReport {
            key: TargetKey { group: "web".into(), address, port: 80 },
            id: number.into(),
            weight: 1,
            state,
            reason: None,
            detail: String::new(),
            in_ring: false,
            leaving: false,
            until: None,
            share: 0.0,
        }
    }

    fn resolved() -> NextHopState {
        NextHopState::Resolved(NextHop {
            interface: 1,
            vlan: 0,
            source_mac: [2; 6],
            destination_mac: [4; 6],
            mtu: 1500,
            on_link: true,
        })
    }

    #[test]
    fn it_ends_with_the_last_verdict_and_next_hop_or_with_its_time() {
        use TargetState::{Draining, Healthy, Initial, Unhealthy, Unused};
        let asking = || Some(NextHopState::Asking("who has it?".to_owned()));
        let lost = || Some(NextHopState::Unresolved("no route".to_owned()));
        let reached = || Some(resolved());
        let cases = [
            (vec![], Ready::Yes, Ready::Yes),
            (vec![(Healthy, reached()), (Unhealthy, reached())], Ready::Yes, Ready::Yes),
            (vec![(Healthy, reached()), (Initial, reached())], Ready::No, Ready::Late(1)),
            (vec![(Initial, None), (Initial, lost())], Ready::No, Ready::Late(2)),
            (vec![(Healthy, asking())], Ready::No, Ready::Late(1)),
            (vec![(Healthy, None)], Ready::No, Ready::Late(1)),
            (vec![(Unhealthy, lost()), (Unused, None)], Ready::Yes, Ready::Yes),
            (vec![(Draining, reached())], Ready::Yes, Ready::Yes),
        ];
        let begun = Instant::now();
        let startup_wait =
            StartupWait::begin(Maps::Migrating, Duration::from_secs(1), begun).unwrap();
        for (targets, early, late) in cases {
            let text = format!("{targets:?}");
            let (mut reports, mut next_hops) = (Vec::new(), BTreeMap::new());
            for (number, (state, hop)) in (1..).zip(targets) {
                let report = report(number, state);
                next_hops.extend(hop.map(|hop| (report.key.address, hop)));
                reports.push(report);
            }
            let reports = reports.into_iter().collect();
            let ready = |at| startup_wait.ready(&reports, &next_hops, at);
            assert_eq!(ready(begun), early, "{text}");
            assert_eq!(ready(startup_wait.until()), late, "{text}, later");
        }
    }

    #[test]
    fn the_startup_wait_ends_even_with_slow_probes() {
        let now = Instant::now();
        for (maps, timeout_s, lasts_ms) in [
            (Maps::Migrating, 0, 1500),
            (Maps::Migrating, 1, 4500),
            (Maps::Migrating, 5, 10_000),
            (Maps::Migrating, 120, 10_000),
            (Maps::New, 0, 500),
            (Maps::New, 120, 1500),
        ] {
            let startup_wait =
                StartupWait::begin(maps, Duration::from_secs(timeout_s), now).unwrap();
            let lasts = startup_wait.until() - now;
            assert_eq!(lasts, Duration::from_millis(lasts_ms), "{maps:?}, {timeout_s} s");
        }
        assert!(StartupWait::begin(Maps::Found, Duration::from_secs(1), now).is_none());
    }
}
