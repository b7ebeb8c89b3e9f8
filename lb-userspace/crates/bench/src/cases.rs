//! PURE: what can be measured: kinds of packets, programs to compare with, numbers of flows.

use lb_common::{
    Family, Mode, generate::FLOWS_MAX, limits::MEMORY_LINES, memory::MEMORY_WORDS, nat::BINDINGS,
};
use lb_config::Protocol;

/// Most flows that are remembered in advance: half of what fits.
#[expect(clippy::cast_possible_truncation, reason = "two million")]
pub const REMEMBERED_MAX: u32 = (MEMORY_LINES * MEMORY_WORDS / 2) as u32;

/// One kind of packets for the balancer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Case {
    /// Its name, for options and reports.
    pub name: &'static str,
    /// How they reach their target.
    pub mode: Mode,
    /// Their transport protocol.
    pub protocol: Protocol,
    /// Family of their addresses.
    pub packets: Family,
    /// Family of the targets' addresses.
    pub targets: Family,
    /// What is remembered of their flows.
    pub memory: Memory,
}

/// What is remembered of flows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Memory {
    /// No slot is armed: nothing.
    Steady,
    /// Each flow has a binding, as modes nat and fullnat have it.
    Bound,
    /// All slots are armed, and nothing is remembered: flows go home.
    Home,
    /// All slots are armed, and each flow is remembered.
    Known,
    /// All slots are armed, and each packet is a SYN of a flow that is not remembered.
    Opening,
    /// UDP whose flows are all remembered.
    Tracked,
    /// Connections through mode fullnat from their first packet to their last, one after the other, with as many
    /// bindings as an agent may have, all of which have been used.
    Whole,
}

impl Memory {
    /// Its name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Steady => "steady",
            Self::Bound => "bound",
            Self::Home => "home",
            Self::Known => "known",
            Self::Opening => "opening",
            Self::Tracked => "tracked",
            Self::Whole => "whole",
        }
    }

    /// Whether it fills the memory of flows, which it then shares with no other case.
    #[must_use]
    pub const fn fills(self) -> bool {
        matches!(self, Self::Known | Self::Opening | Self::Tracked)
    }

    /// Whether its flows have bindings.
    #[must_use]
    pub const fn binds(self) -> bool {
        matches!(self, Self::Bound | Self::Whole)
    }

    /// Whether the slots are armed.
    #[must_use]
    pub const fn arms(self) -> bool {
        matches!(self, Self::Home | Self::Known | Self::Opening)
    }
}

const fn case(name: &'static str, mode: Mode, packets: Family, targets: Family) -> Case {
    let memory = match mode {
        Mode::Nat | Mode::Fullnat => Memory::Bound,
        _ => Memory::Steady,
    };
    Case { name, mode, protocol: Protocol::Tcp, packets, targets, memory }
}

const fn udp(case: Case, name: &'static str) -> Case {
    Case { name, protocol: Protocol::Udp, ..case }
}

const fn with(case: Case, name: &'static str, memory: Memory) -> Case {
    Case { name, memory, ..case }
}

use Family::{V4, V6};

const IPIP: Case = case("ipip-4in4", Mode::Ipip, V4, V4);
const IPIP6: Case = case("ipip-6in6", Mode::Ipip, V6, V6);
const GUE: Case = case("gue-4in4", Mode::Gue, V4, V4);
const GUE6: Case = case("gue-6in6", Mode::Gue, V6, V6);
const L2DSR: Case = case("l2dsr-ipv4", Mode::L2dsr, V4, V4);
const L2DSR6: Case = case("l2dsr-ipv6", Mode::L2dsr, V6, V6);
const NAT: Case = case("nat-ipv4", Mode::Nat, V4, V4);
const NAT6: Case = case("nat-ipv6", Mode::Nat, V6, V6);
const FULLNAT: Case = case("fullnat-ipv4", Mode::Fullnat, V4, V4);
const FULLNAT6: Case = case("fullnat-ipv6", Mode::Fullnat, V6, V6);

/// All cases. Names are part of the report's format: they are never given to another case.
pub const CASES: &[Case] = &[
    IPIP,
    IPIP6,
    case("ipip-4in6", Mode::Ipip, V4, V6),
    case("ipip-6in4", Mode::Ipip, V6, V4),
    udp(IPIP, "ipip-4in4-udp"),
    udp(IPIP6, "ipip-6in6-udp"),
    GUE,
    GUE6,
    case("gue-4in6", Mode::Gue, V4, V6),
    case("gue-6in4", Mode::Gue, V6, V4),
    udp(GUE, "gue-4in4-udp"),
    udp(GUE6, "gue-6in6-udp"),
    L2DSR,
    L2DSR6,
    udp(L2DSR, "l2dsr-ipv4-udp"),
    udp(L2DSR6, "l2dsr-ipv6-udp"),
    NAT,
    NAT6,
    udp(NAT, "nat-ipv4-udp"),
    udp(NAT6, "nat-ipv6-udp"),
    FULLNAT,
    FULLNAT6,
    udp(FULLNAT, "fullnat-ipv4-udp"),
    udp(FULLNAT6, "fullnat-ipv6-udp"),
    with(IPIP, "armed-home", Memory::Home),
    with(IPIP, "armed-known", Memory::Known),
    with(IPIP, "armed-syn", Memory::Opening),
    with(udp(IPIP, ""), "tracked-ipv4-udp", Memory::Tracked),
    with(udp(IPIP6, ""), "tracked-ipv6-udp", Memory::Tracked),
    with(FULLNAT, "fullnat-connections", Memory::Whole),
];

/// A program to compare with; its packets are TCP over IPv4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reference {
    /// Swaps the MACs and sends the frame back.
    Swap,
    /// Reads the headers and puts a constant IPv4 header before them.
    Constant,
    /// Looks each flow up in an LRU hash of the size of xelb's flow memory, and inserts it if it is
    /// missing: nothing else.
    Lru,
}

impl Reference {
    /// All of them.
    pub const ALL: &[Self] = &[Self::Swap, Self::Constant, Self::Lru];

    /// Its name, for options and reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Swap => "swap-macs",
            Self::Constant => "constant-header",
            Self::Lru => "lru-hash",
        }
    }
}

/// How many flows there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flows {
    /// The name of that number, for options and reports.
    pub name: &'static str,
    /// The number, a power of two.
    pub count: u32,
    /// Whether each packet is one of a new flow: a SYN of TCP. Else flows are picked at random.
    pub all_new: bool,
}

const fn known(name: &'static str, count: u32) -> Flows {
    Flows { name, count, all_new: false }
}

/// All numbers of flows.
pub const FLOWS: &[Flows] = &[
    known("1", 1),
    known("1k", 1 << 10),
    known("64k", 1 << 16),
    known("1M", 1 << 20),
    known("16M", FLOWS_MAX),
    Flows { name: "all-new", count: FLOWS_MAX, all_new: true },
];

impl Case {
    /// Why it is not measured with so many flows, if it is not.
    #[must_use]
    pub fn unfit(&self, flows: Flows) -> Option<&'static str> {
        match self.memory {
            Memory::Steady => None,
            Memory::Bound => fit(flows, BINDINGS, "more flows than bindings"),
            Memory::Home => flows.all_new.then_some("new flows are another case: armed-syn"),
            Memory::Opening | Memory::Whole => (!flows.all_new).then_some("all its flows are new"),
            Memory::Known | Memory::Tracked => {
                fit(flows, REMEMBERED_MAX as usize, "more flows than can be remembered")
            }
        }
    }
}

/// Addresses of the balancer's in mode fullnat.
pub const FULLNAT_ADDRESSES: usize = 2;

fn fit(flows: Flows, room: usize, why: &'static str) -> Option<&'static str> {
    (flows.all_new || flows.count as usize > room).then_some(why)
}

impl Reference {
    /// Why it is not measured with so many flows, if it is not.
    #[must_use]
    pub fn unfit(self, flows: Flows) -> Option<&'static str> {
        let too_many = self == Self::Lru && !flows.all_new && flows.count > REMEMBERED_MAX;
        too_many.then_some("more flows than entries")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_different() {
        let cases = CASES.iter().map(|case| case.name);
        let names: Vec<&str> = cases.chain(Reference::ALL.iter().map(|one| one.name())).collect();
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
        assert!(FLOWS.iter().all(|flows| flows.count.is_power_of_two()));
    }

    #[test]
    fn each_mode_has_each_family_and_protocol() {
        for mode in [Mode::Ipip, Mode::Gue, Mode::L2dsr, Mode::Nat, Mode::Fullnat] {
            for packets in [V4, V6] {
                for protocol in [Protocol::Tcp, Protocol::Udp] {
                    let is_it = |case: &&Case| {
                        case.mode == mode && case.packets == packets && case.protocol == protocol
                    };
                    assert!(
                        CASES.iter().any(|case| is_it(&case)),
                        "{mode:?} {packets:?} {protocol}"
                    );
                }
            }
        }
    }

    #[test]
    fn only_cases_that_fit_are_measured() {
        let [one, thousand, many, million, most, new] = FLOWS else { panic!("{FLOWS:?}") };
        let fits = |case: &Case, flows: &Flows| case.unfit(*flows).is_none();
        for flows in FLOWS {
            assert!(fits(&IPIP, flows));
            let opening = with(IPIP, "", Memory::Opening);
            assert_eq!(fits(&opening, flows), flows.all_new);
            assert_eq!(fits(&with(IPIP, "", Memory::Home), flows), !flows.all_new);
        }
        for flows in [one, thousand, many] {
            assert!(fits(&NAT, flows) && fits(&FULLNAT6, flows));
        }
        let tracked = with(IPIP, "", Memory::Tracked);
        assert!(fits(&tracked, million) && !fits(&tracked, most) && !fits(&tracked, new));
        assert!(!fits(&NAT, most) && !fits(&FULLNAT, new));
        let whole = with(FULLNAT, "", Memory::Whole);
        assert!(fits(&whole, new) && !fits(&whole, one));
        assert!(Reference::Lru.unfit(*most).is_some() && Reference::Lru.unfit(*new).is_none());
    }
}
