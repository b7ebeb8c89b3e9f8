//! The only list of what the data path counts: number, name and help of every counter.
//!
//! Numbers are part of the ABI: entries are appended, never removed or renumbered.

use crate::limits;

/// Entries of the map `COUNTERS`.
pub const COUNTERS_MAX: usize = 128;

/// Index of the first [`Counter`] in the map `COUNTERS`; the drop reasons are before it.
pub const COUNTERS_BASE: usize = 64;

macro_rules! numbered {
    (
        $(#[$meta:meta])*
        pub enum $name:ident { $( $variant:ident = $number:literal, $text:literal, $help:literal; )* }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        // 32 bits, so that whatever holds one is aligned on the stack of a BPF program.
        #[repr(u32)]
        pub enum $name { $( #[doc = $help] $variant = $number, )* }

        impl $name {
            /// All of them, by number.
            pub const ALL: &[Self] = &[ $( Self::$variant, )* ];

            /// Its stable name, for programs.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $( Self::$variant => $text, )* }
            }

            /// What it means, for people.
            #[must_use]
            pub const fn help(self) -> &'static str {
                match self { $( Self::$variant => $help, )* }
            }
        }

        impl TryFrom<u32> for $name {
            type Error = u32;

            fn try_from(number: u32) -> Result<Self, u32> {
                match number { $( $number => Ok(Self::$variant), )* other => Err(other) }
            }
        }
    };
}

numbered! {
    /// Why a packet was dropped. There is no drop without a reason.
    pub enum DropReason {
        Ipv4HeaderMalformed = 0, "ipv4_header_malformed",
            "IPv4 header of a packet for a VIP is truncated or contradicts itself";
        Ipv6HeaderMalformed = 1, "ipv6_header_malformed",
            "IPv6 header of a packet for a VIP is truncated or contradicts itself";
        ExtensionHeaderMalformed = 2, "extension_header_malformed",
            "IPv6 extension header of a packet for a VIP is truncated";
        ExtensionHeadersTooMany = 3, "extension_headers_too_many",
            "a packet for a VIP has more than 7 IPv6 extension headers";
        TransportHeaderMalformed = 4, "transport_header_malformed",
            "TCP, UDP or ICMP header of a packet for a VIP is truncated or contradicts itself";
        RingMissing = 5, "ring_missing",
            "the listener's target group has no ring (it has no targets)";
        NoTarget = 6, "no_target",
            "no target of the listener's target group may take traffic";
        TargetMissing = 7, "target_missing",
            "the ring names a target that does not exist: a fault of the agent";
        NextHopUnresolved = 8, "next_hop_unresolved",
            "the MAC address of the target's next hop is not known";
        PacketTooBig = 9, "packet_too_big",
            "the packet and its outer header do not fit the MTU towards the target";
        HeadroomExhausted = 10, "headroom_exhausted",
            "the driver left no room in front of the packet for an outer header";
        ModeUnknown = 11, "mode_unknown",
            "the target has a forwarding mode that this program does not know: a fault of the agent";
        OuterHeaderMalformed = 12, "outer_header_malformed",
            "decapsulation: the outer header is truncated or contradicts itself";
        InnerHeaderMalformed = 13, "inner_header_malformed",
            "decapsulation: what is inside is not the IP packet that the outer header announces";
        EcnInvalid = 14, "ecn_invalid",
            "decapsulation: outer header says congestion, inner one cannot carry it (RFC 6040)";
        OuterSourceRefused = 15, "outer_source_refused",
            "decapsulation: the tunnel packet comes from an address that is not allowed";
        FragmentUnmatched = 16, "fragment_unmatched",
            "a fragment for a VIP came without, or before, the first fragment of its packet";
        FragmentOverlap = 17, "fragment_overlap",
            "a fragment for a VIP would overwrite the TCP header of the first one (RFC 1858)";
        IcmpRateLimited = 18, "icmp_rate_limited",
            "a ping to a VIP was not answered: there were more than the configuration allows";
        FlowUnknown = 19, "flow_unknown",
            "nat, fullnat: a packet that begins no flow belongs to none that is remembered";
        PoolExhausted = 20, "pool_exhausted",
            "nat, fullnat: a new flow found no free port or binding";
        FlowTableFull = 21, "flow_table_full",
            "nat, fullnat: a new flow found no room in the flow table";
        TupleTaken = 22, "tuple_taken",
            "nat: a client uses one port for two listeners that lead to one port of a target";
        TtlExceeded = 23, "ttl_exceeded",
            "nat, fullnat: the packet's TTL or hop limit does not allow another hop";
        ResetRateLimited = 24, "reset_rate_limited",
            "a packet of a flow whose target is gone was not answered with RST: there were too many";
        ProgramMissing = 25, "program_missing",
            "the program for packets that are not plain is not there: a fault of the agent";
        SourceInvalid = 26, "source_invalid",
            "a ping or TCP packet would be answered to a source that is no single host, or the VIP itself";
        InnerDestinationRefused = 27, "inner_destination_refused",
            "decapsulation: what is inside is for an address that is no VIP of this host";
        InnerProtocolRefused = 28, "inner_protocol_refused",
            "decapsulation: what is inside is neither TCP, UDP, a ping nor an ICMP error";
        HairpinRefused = 29, "hairpin_refused",
            "nat: a target asked its own listener and was led to itself, and source_nat has no free port";
    }
}

numbered! {
    /// Counters other than drop reasons.
    pub enum Counter {
        FragmentPassed = 0, "fragment_passed",
            "fragments for a VIP that are neither TCP nor UDP, passed to the host's own stack";
        Decapsulated = 1, "decapsulated",
            "IP-in-IP packets that the target side unwrapped";
        FragmentForwarded = 2, "fragment_forwarded",
            "fragments that were forwarded, first ones included";
        IcmpErrorForwarded = 3, "icmp_error_forwarded",
            "ICMP errors for a VIP that were forwarded to the target of the flow in them";
        EchoReplySent = 4, "echo_reply_sent",
            "pings to a VIP that were answered";
        TooBigSent = 5, "too_big_sent",
            "senders that were told to send smaller packets (ICMP), for packet_too_big drops";
        DecapsulatedGue = 6, "decapsulated_gue",
            "GUE packets that the target side unwrapped";
        ReplyForwarded = 7, "reply_forwarded",
            "nat, fullnat: packets of targets that went back to their clients";
        FlowCreated = 8, "flow_created",
            "nat, fullnat: new flows that got a binding";
        FlowForgotten = 9, "flow_forgotten",
            "nat, fullnat: flows that ended or were silent, whose binding was taken back";
        FlowRemembered = 10, "flow_remembered",
            "flows that were remembered, since their slot is armed or their listener tracks all";
        FlowNotRemembered = 11, "flow_not_remembered",
            "flows that should have been remembered, and found no room or no budget";
        ResetSent = 12, "reset_sent",
            "packets of flows whose target is gone that were answered with RST";
        OtherHostPassed = 13, "other_host_passed",
            "IP frames for the MAC address of another host, left to the host's own stack, which drops them";
        FlowEvicted = 14, "flow_evicted",
            "nat, fullnat: flows that had ended or had not begun, whose binding another one took since none was free";
    }
}

impl DropReason {
    /// Its index in the map `COUNTERS`.
    #[must_use]
    #[inline(always)]
    pub const fn index(self) -> u32 {
        self as u32
    }
}

impl Counter {
    /// Its index in the map `COUNTERS`.
    #[must_use]
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "COUNTERS_BASE is below COUNTERS_MAX")]
    pub const fn index(self) -> u32 {
        COUNTERS_BASE as u32 + self as u32
    }
}

const _: () = assert!(DropReason::ALL.len() <= COUNTERS_BASE);
const _: () = assert!(COUNTERS_BASE + Counter::ALL.len() <= COUNTERS_MAX);
const _: () = assert!(limits::EXTENSION_HEADERS_MAX == 7, "the help text names the limit");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_dense_and_come_back() {
        for (number, reason) in (0_u32..).zip(DropReason::ALL) {
            assert_eq!(DropReason::try_from(number), Ok(*reason));
        }
        for (number, counter) in (0_u32..).zip(Counter::ALL) {
            assert_eq!(Counter::try_from(number), Ok(*counter));
        }
    }
}
