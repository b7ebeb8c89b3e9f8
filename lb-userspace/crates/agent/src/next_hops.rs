//! PURE: next hops as the plan uses them. While the kernel is being asked, the former one holds: a
//! target must not leave for the moment that its new gateway takes to answer, nor for a restart of
//! the agent.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use lb_plan::{NextHopState, NextHops};

/// How long a target is reached the former way while the kernel asks for the new one.
const ASKING_MAX: Duration = Duration::from_secs(1);

/// How long what the agent before knew holds while the kernel is being asked for all of it.
const RESTART_MAX: Duration = Duration::from_secs(30);

/// Next hops by address of the target.
#[derive(Debug, Default)]
pub(super) struct KeptNextHops {
    current: Arc<NextHops>,
    /// Those that hold in spite of what the kernel says, and until when.
    former: BTreeMap<IpAddr, (NextHopState, Instant)>,
}

impl KeptNextHops {
    /// What the agent before knew.
    pub(super) fn resumed(known: NextHops, now: Instant) -> Self {
        let former =
            known.iter().map(|(address, hop)| (*address, (hop.clone(), now + RESTART_MAX)));
        Self { former: former.collect(), current: Arc::new(known) }
    }

    /// For the plan: another value when one has changed.
    pub(super) const fn current(&self) -> &Arc<NextHops> {
        &self.current
    }

    /// Takes over what the kernel says.
    pub(super) fn take(&mut self, mut told: NextHops, now: Instant) {
        self.former.retain(|address, _| told.contains_key(address));
        for (address, state) in &mut told {
            if !matches!(state, NextHopState::Asking(_)) {
                self.former.remove(address);
                continue;
            }
            if let Some(known @ NextHopState::Resolved(_)) = self.current.get(address) {
                let former = || (known.clone(), now + ASKING_MAX);
                self.former.entry(*address).or_insert_with(former);
            }
            if let Some((hop, _)) = self.former.get(address) {
                *state = hop.clone();
            }
        }
        if *self.current != told {
            self.current = Arc::new(told);
        }
    }

    /// Lets go of former ones whose time is over. Says whether there was any.
    pub(super) fn expire(&mut self, now: Instant) -> bool {
        let before = self.former.len();
        let Self { current, former } = self;
        former.retain(|address, (_, until)| {
            let holds = *until > now;
            if !holds {
                let why = format!("no answer from the next hop of {address}");
                Arc::make_mut(current).insert(*address, NextHopState::Unresolved(why));
            }
            holds
        });
        former.len() < before
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

    fn told(state: NextHopState) -> BTreeMap<IpAddr, NextHopState> {
        [(address(), state)].into()
    }

    fn asking() -> NextHopState {
        NextHopState::Asking("who has it?".to_owned())
    }

    #[test]
    fn the_former_one_holds_while_the_kernel_asks() {
        let (start, mut hops) = (Instant::now(), KeptNextHops::default());
        hops.take(told(asking()), start);
        assert_eq!(hops.current()[&address()], asking(), "nothing was known before");
        hops.take(told(resolved(1)), start);
        hops.take(told(asking()), start);
        assert_eq!(hops.current()[&address()], resolved(1));
        assert!(!hops.expire(start + ASKING_MAX / 2));
        hops.take(told(resolved(2)), start);
        assert_eq!(hops.current()[&address()], resolved(2), "the answer");
        assert!(!hops.expire(start + 2 * ASKING_MAX));
    }

    #[test]
    fn it_holds_no_longer_than_it_may() {
        let (start, mut hops) = (Instant::now(), KeptNextHops::default());
        hops.take(told(resolved(1)), start);
        hops.take(told(asking()), start);
        // Being told again does not make it younger.
        hops.take(told(asking()), start + ASKING_MAX / 2);
        assert!(hops.expire(start + ASKING_MAX));
        assert!(matches!(hops.current()[&address()], NextHopState::Unresolved(_)));
        hops.take(told(asking()), start + ASKING_MAX);
        assert_eq!(hops.current()[&address()], asking());
    }

    #[test]
    fn what_cannot_be_reached_leaves_at_once() {
        let (start, mut hops) = (Instant::now(), KeptNextHops::default());
        let gone = NextHopState::Unresolved("interface eth0 is down".to_owned());
        hops.take(told(resolved(1)), start);
        hops.take(told(gone.clone()), start);
        assert_eq!(hops.current()[&address()], gone);
    }

    #[test]
    fn what_the_agent_before_knew_outlives_its_restart() {
        let start = Instant::now();
        let mut hops = KeptNextHops::resumed(told(resolved(1)), start);
        hops.take(told(asking()), start);
        assert!(!hops.expire(start + RESTART_MAX / 2));
        assert_eq!(hops.current()[&address()], resolved(1));
        assert!(hops.expire(start + RESTART_MAX));
    }
}
