//! When a binding ends: by TCP flags, and by silence. Pure.

use lb_common::{Life, listener::protocol::TCP};

use crate::header::Tcp;

/// Seconds that a flow may be silent before the target has answered: the SYN is sent again after 1
/// and 3 seconds (RFC 6298).
const UNANSWERED: u32 = 10;

/// Seconds that a TCP connection may take to be established: Linux sends SYN-ACK for 63.
const OPENING: u32 = 60;

/// Seconds that a closed connection is remembered: TIME-WAIT of Linux, so that its port is not
/// given to another connection before the target has forgotten it.
const CLOSED: u32 = 60;

/// Seconds that a reset connection is remembered.
const RESET: u32 = 10;

/// Seconds until a binding is reused after its flow is forgotten: longer than a packet is in the
/// program.
const REST: u32 = 2;

/// Seconds that a flow may take to begin when bindings are short: its first packet is sent again after
/// one (RFC 6298).
const OPENING_SHORT: u32 = 2;

/// Seconds of silence after a datagram's answer when bindings are short.
const EXCHANGE_SHORT: u32 = 10;

/// The direction of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the client.
    Request = 0,
    /// From the target.
    Reply = 1,
}

/// The life of a binding after a packet with these TCP flags; `answers` if only the client can have
/// sent it.
#[must_use]
#[inline(always)]
pub fn after(life: Life, direction: Direction, tcp_flags: u8, answers: bool, now: u32) -> Life {
    const SYN_ACK: u8 = Tcp::SYN | Tcp::ACK;
    const ENDS: u8 = Tcp::SYN | Tcp::FIN | Tcp::RST;
    let mut flags = life.flags;
    if flags & CLOSED_BY_BOTH == CLOSED_BY_BOTH && tcp_flags & ENDS == 0 {
        flags |= Life::SETTLED;
    }
    if tcp_flags & Tcp::RST != 0 {
        flags |= Life::RESET;
    } else if tcp_flags & SYN_ACK == Tcp::ACK {
        // The connection continues: the receiver of the reset has not accepted it.
        flags &= !Life::RESET;
    }
    match direction {
        Direction::Reply => {
            // The target has accepted another connection.
            if tcp_flags & SYN_ACK == SYN_ACK && has_ended(life) {
                flags = 0;
            }
            flags |= Life::ANSWERED;
            if tcp_flags & Tcp::FIN != 0 {
                flags |= Life::TARGET_FIN;
            }
        }
        Direction::Request => {
            if flags & Life::ANSWERED != 0 && tcp_flags & Tcp::SYN == 0 && answers {
                flags |= Life::ESTABLISHED;
            }
            if tcp_flags & Tcp::FIN != 0 {
                flags |= Life::CLIENT_FIN;
            }
        }
    }
    Life { seen: now, phase: life.phase, flags }
}

/// Whether a TCP connection has ended, so that a SYN may begin another.
#[must_use]
#[inline(always)]
pub const fn has_ended(life: Life) -> bool {
    life.flags & Life::RESET != 0 || life.flags & CLOSED_BY_BOTH == CLOSED_BY_BOTH
}

/// Flags of a connection that both ends have closed.
const CLOSED_BY_BOTH: u16 = Life::CLIENT_FIN | Life::TARGET_FIN;

/// Whether a live binding may be evicted if none is free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Spare {
    /// It may not: the flow is established.
    No,
    /// It may not, unless its listener is flooded: the flow has just begun.
    Young,
    /// The flow has not begun in time.
    HalfOpen,
    /// The flow has ended.
    Ended,
}

/// See [`Spare`]. RFC 7857 (section 2.1) permits to reuse a closed connection's port at once if the
/// target checks its SYNs as in RFC 6191, as Linux does.
#[must_use]
#[inline(always)]
pub const fn spare(life: Life, protocol: u8, idle_timeout: u16, now: u32) -> Spare {
    let silence = silence(life, now);
    if life.phase != Life::LIVE {
        Spare::No
    } else if has_ended(life) && (life.flags & Life::SETTLED != 0 || silence > 0)
        || silence > patience(life, protocol, idle_timeout)
    {
        Spare::Ended
    } else if has_ended(life) || life.flags & Life::ESTABLISHED != 0 {
        Spare::No
    } else if silence >= opening_short(life, protocol) {
        Spare::HalfOpen
    } else {
        Spare::Young
    }
}

#[inline(always)]
const fn opening_short(life: Life, protocol: u8) -> u32 {
    if protocol != TCP && life.flags & Life::ANSWERED != 0 { EXCHANGE_SHORT } else { OPENING_SHORT }
}

/// Seconds of silence after which a live binding is forgotten.
#[must_use]
#[inline(always)]
pub const fn patience(life: Life, protocol: u8, idle_timeout: u16) -> u32 {
    if life.flags & Life::RESET != 0 {
        RESET
    } else if has_ended(life) {
        CLOSED
    } else if life.flags & Life::ANSWERED == 0 {
        UNANSWERED
    } else if protocol == TCP && life.flags & Life::ESTABLISHED == 0 {
        OPENING
    } else {
        idle_timeout as u32
    }
}

/// Seconds since the last packet; a time of another CPU slightly in the future counts as now.
#[inline(always)]
pub(super) const fn silence(life: Life, now: u32) -> u32 {
    let age = now.wrapping_sub(life.seen);
    if age > u32::MAX / 2 { 0 } else { age }
}

/// Whether a live binding is to be forgotten.
#[must_use]
#[inline(always)]
pub const fn is_over(life: Life, protocol: u8, idle_timeout: u16, now: u32) -> bool {
    life.phase == Life::LIVE && silence(life, now) > patience(life, protocol, idle_timeout)
}

/// Whether a binding can be given to another flow: it is new, or its last one was forgotten a while
/// ago.
#[must_use]
#[inline(always)]
pub const fn has_rested(life: Life, now: u32) -> bool {
    match life.phase {
        Life::FREE => true,
        Life::DEAD => silence(life, now) >= REST,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Direction::{Reply, Request};

    const NEW: Life = Life { seen: 100, phase: Life::LIVE, flags: 0 };
    const UDP: u8 = 17;

    fn walk(packets: &[(Direction, u8)]) -> Life {
        packets
            .iter()
            .fold(NEW, |life, (direction, flags)| after(life, *direction, *flags, true, 100))
    }

    #[test]
    fn a_connection_is_remembered_as_long_as_its_state_deserves() {
        const SYN_ACK: u8 = Tcp::SYN | Tcp::ACK;
        const FIN: u8 = Tcp::FIN | Tcp::ACK;
        let opened = [(Request, Tcp::SYN), (Reply, SYN_ACK), (Request, Tcp::ACK)];
        let with = |more: &[(Direction, u8)]| {
            let step = |life, (direction, flags): &(Direction, u8)| {
                after(life, *direction, *flags, true, 100)
            };
            patience(opened.iter().chain(more).fold(NEW, step), TCP, 350)
        };
        assert_eq!(patience(walk(&opened[..1]), TCP, 350), UNANSWERED);
        assert_eq!(patience(walk(&[(Request, Tcp::SYN); 3]), TCP, 350), UNANSWERED);
        assert_eq!(patience(walk(&opened[..2]), TCP, 350), OPENING);
        assert_eq!(with(&[]), 350);
        assert_eq!(with(&[(Request, FIN)]), 350, "half closed");
        assert_eq!(with(&[(Reply, FIN)]), 350, "half closed");
        assert_eq!(with(&[(Reply, FIN), (Request, FIN)]), CLOSED);
        assert_eq!(with(&[(Reply, Tcp::RST)]), RESET);
        assert_eq!(with(&[(Reply, Tcp::RST), (Request, Tcp::SYN)]), RESET);
        assert_eq!(with(&[(Request, Tcp::RST), (Reply, Tcp::ACK)]), 350, "it was not taken");
        assert_eq!(with(&[(Reply, Tcp::RST), (Request, Tcp::ACK)]), 350, "nor was this one");
        let closed = [(Reply, FIN), (Request, FIN), (Request, Tcp::SYN)];
        assert_eq!(with(&closed), CLOSED, "the target has not answered the SYN");
        let again = [&closed[..], &[(Reply, SYN_ACK)]].concat();
        assert_eq!(with(&again), OPENING, "another connection");
        assert_eq!(with(&[&again[..], &[(Request, Tcp::ACK)]].concat()), 350);
        assert_eq!(patience(walk(&[(Request, 0)]), UDP, 120), UNANSWERED);
        assert_eq!(patience(walk(&[(Request, 0), (Reply, 0)]), UDP, 120), 120);
    }

    #[test]
    fn ended_and_unopened_flows_can_be_evicted_when_bindings_are_short() {
        const FIN: u8 = Tcp::FIN | Tcp::ACK;
        let open = [(Request, Tcp::SYN), (Reply, Tcp::SYN | Tcp::ACK), (Request, Tcp::ACK)];
        let at = |more: &[(Direction, u8)], count: usize, protocol, now| {
            let packets = [&open[..count], more].concat();
            spare(walk(&packets), protocol, 350, now)
        };
        assert_eq!(at(&[], 3, TCP, 100), Spare::No, "established");
        assert_eq!(at(&[], 3, TCP, 450), Spare::No);
        assert_eq!(at(&[], 3, TCP, 451), Spare::Ended, "silent");
        for count in [1, 2] {
            assert_eq!(at(&[], count, TCP, 101), Spare::Young, "it has just begun");
            assert_eq!(at(&[], count, TCP, 102), Spare::HalfOpen);
        }
        let closed = [(Reply, FIN), (Request, FIN), (Reply, Tcp::ACK)];
        assert_eq!(at(&closed[..1], 3, TCP, 400), Spare::No, "half closed");
        assert_eq!(at(&closed[..2], 3, TCP, 100), Spare::No, "the last ACK is under way");
        assert_eq!(at(&closed[..2], 3, TCP, 101), Spare::Ended);
        assert_eq!(at(&closed, 3, TCP, 100), Spare::Ended);
        let reset = [(Request, Tcp::RST)];
        assert_eq!(at(&reset, 3, TCP, 100), Spare::No, "a challenge may be under way");
        assert_eq!(at(&reset, 3, TCP, 101), Spare::Ended);
        let unproven = after(walk(&open[..2]), Request, Tcp::ACK, false, 100);
        assert_eq!(spare(unproven, TCP, 350, 102), Spare::HalfOpen, "anybody can have sent it");
        let datagrams = [(Request, 0), (Reply, 0), (Request, 0)];
        for (count, now, expected) in [
            (1, 101, Spare::Young),
            (1, 102, Spare::HalfOpen),
            (2, 109, Spare::Young),
            (2, 110, Spare::HalfOpen),
            (3, 400, Spare::No),
        ] {
            assert_eq!(spare(walk(&datagrams[..count]), UDP, 350, now), expected, "{count}");
        }
    }

    #[test]
    fn silence_ends_it_and_rest_frees_it() {
        assert!(!is_over(NEW, TCP, 350, 110));
        assert!(is_over(NEW, TCP, 350, 111));
        assert!(!is_over(NEW, TCP, 350, 99), "another CPU's clock");
        assert!(is_over(Life { seen: u32::MAX - 5, ..NEW }, TCP, 350, 6), "the clock wraps");
        let dead = Life { phase: Life::DEAD, ..NEW };
        assert!(!is_over(dead, TCP, 350, 1000));
        assert!(!has_rested(dead, 101));
        assert!(has_rested(dead, 102));
        assert!(!has_rested(NEW, 1000));
        assert!(has_rested(Life::default(), 0));
    }
}
