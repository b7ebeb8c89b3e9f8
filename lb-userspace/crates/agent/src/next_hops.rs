//! PURE: next hops as the plan uses them. While the kernel resolves a next hop, the previous one is
//! used: a target must not leave the ring for the moment that its new gateway takes to answer, nor
//! for a restart of the agent.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use lb_plan::{NextHopState, NextHops};

/// How long the previous next hop of a target is used while the kernel resolves the new one.
const ASKING_MAX: Duration = Duration::from_secs(1);

/// How long the next hops of the previous agent are used while the kernel resolves all of them.
const RESTART_MAX: Duration = Duration::from_secs(30);

/// Next hops by address of the target.
#[derive(Debug, Default)]
pub(super) struct KeptNextHops {
    current: Arc<NextHops>,
    /// Those that hold in spite of what the kernel says, and until when.
    previous: BTreeMap<IpAddr, (NextHopState, Instant)>,
}

impl KeptNextHops {
    /// What the agent before knew.
    pub(super) fn resumed(known: NextHops, now: Instant) -> Self {
        let previous =
            known.iter().map(|(address, hop)| (*address, (hop.clone(), now + RESTART_MAX)));
        Self { previous: previous.collect(), current: Arc::new(known) }
    }

    /// For the plan: another value when one has changed.
    pub(super) const fn current(&self) -> &Arc<NextHops> {
        &self.current
    }

    /// Takes over what the kernel says.
    pub(super) fn take(&mut self, mut reported: NextHops, now: Instant) {
        self.previous.retain(|address, _| reported.contains_key(address));
        for (address, state) in &mut reported {
            if !matches!(state, NextHopState::Asking(_)) {
                self.previous.remove(address);
                continue;
            }
            if let Some(known @ NextHopState::Resolved(_)) = self.current.get(address) {
                let previous = || (known.clone(), now + ASKING_MAX);
                self.previous.entry(*address).or_insert_with(previous);
            }
            // The kernel asks again from time to time: without an answer, that is no news.
            let unresolved = self
                .current
                .get(address)
                .filter(|known| matches!(known, NextHopState::Unresolved(_)));
            let held = self.previous.get(address).map(|(hop, _)| hop);
            if let Some(known) = held.or(unresolved) {
                *state = known.clone();
            }
        }
        if *self.current != reported {
            self.current = Arc::new(reported);
        }
    }

    /// Drops previous next hops whose time is over. Says whether there was any.
    pub(super) fn expire(&mut self, now: Instant) -> bool {
        let before = self.previous.len();
        let Self { current, previous } = self;
        previous.retain(|address, (_, until)| {
            let holds = *until > now;
            if !holds {
                let why = format!("no answer from the next hop of {address}");
                Arc::make_mut(current).insert(*address, NextHopState::Unresolved(why));
            }
            holds
        });
        previous.len() < before
    }
}

#[cfg(test)]
mod tests {
    use lb_plan::NextHop;

    use super::*;

    fn resolved(interface: u32) -> NextHopState {
        NextHopState::Resolved(NextHop {
            interface,
            vlan: 0,
            source_mac: [2; 6],
            destination_mac: [4; 6],
            mtu: 1500,
            on_link: true,
        })
    }

    fn address() -> IpAddr {
        [10, 0, 0, 9].into()
    }

    fn reported(state: NextHopState) -> BTreeMap<IpAddr, NextHopState> {
        [(address(), state)].into()
    }

    fn asking() -> NextHopState {
        NextHopState::Asking("who has it?".to_owned())
    }

    #[test]
    fn the_previous_next_hop_is_used_while_the_kernel_resolves() {
        let (start, mut next_hops) = (Instant::now(), KeptNextHops::default());
        next_hops.take(reported(asking()), start);
        assert_eq!(next_hops.current()[&address()], asking(), "nothing was known before");
        next_hops.take(reported(resolved(1)), start);
        next_hops.take(reported(asking()), start);
        assert_eq!(next_hops.current()[&address()], resolved(1));
        assert!(!next_hops.expire(start + ASKING_MAX / 2));
        next_hops.take(reported(resolved(2)), start);
        assert_eq!(next_hops.current()[&address()], resolved(2), "the answer");
        assert!(!next_hops.expire(start + 2 * ASKING_MAX));
    }

    #[test]
    fn it_holds_no_longer_than_it_may() {
        let (start, mut next_hops) = (Instant::now(), KeptNextHops::default());
        next_hops.take(reported(resolved(1)), start);
        next_hops.take(reported(asking()), start);
        // A repeated report does not extend its time.
        next_hops.take(reported(asking()), start + ASKING_MAX / 2);
        assert!(next_hops.expire(start + ASKING_MAX));
        assert!(matches!(next_hops.current()[&address()], NextHopState::Unresolved(_)));
        // It stays so while the kernel asks again, until there is an answer.
        next_hops.take(reported(asking()), start + ASKING_MAX);
        assert!(matches!(next_hops.current()[&address()], NextHopState::Unresolved(_)));
        next_hops.take(reported(resolved(2)), start + ASKING_MAX);
        assert_eq!(next_hops.current()[&address()], resolved(2));
    }

    #[test]
    fn an_unresolved_next_hop_is_dropped_at_once() {
        let (start, mut next_hops) = (Instant::now(), KeptNextHops::default());
        let gone = NextHopState::Unresolved("interface eth0 is down".to_owned());
        next_hops.take(reported(resolved(1)), start);
        next_hops.take(reported(gone.clone()), start);
        assert_eq!(next_hops.current()[&address()], gone);
    }

    #[test]
    fn next_hops_of_the_previous_agent_are_used_after_a_restart() {
        let start = Instant::now();
        let mut next_hops = KeptNextHops::resumed(reported(resolved(1)), start);
        next_hops.take(reported(asking()), start);
        assert!(!next_hops.expire(start + RESTART_MAX / 2));
        assert_eq!(next_hops.current()[&address()], resolved(1));
        assert!(next_hops.expire(start + RESTART_MAX));
    }
}
