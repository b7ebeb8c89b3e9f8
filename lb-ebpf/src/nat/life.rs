//! When a binding ends: by what TCP says, and by silence. Pure.

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

/// Seconds that a connection is remembered that was reset.
const RESET: u32 = 10;

/// Seconds that a binding rests after its flow is forgotten: longer than a packet is under way in
/// the program.
const REST: u32 = 2;

/// Which way a packet goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the client.
    Request = 0,
    /// From the target.
    Reply = 1,
}

/// The life of a binding after a packet.
#[must_use]
#[inline(always)]
pub fn after(life: Life, direction: Direction, tcp_flags: u8, now: u32) -> Life {
    let mut flags = life.flags;
    match direction {
        Direction::Reply => {
            flags |= Life::ANSWERED;
            if tcp_flags & Tcp::FIN != 0 {
                flags |= Life::TARGET_FIN;
            }
        }
        Direction::Request => {
            if flags & Life::ANSWERED != 0 && tcp_flags & Tcp::SYN == 0 {
                flags |= Life::ESTABLISHED;
            }
            if tcp_flags & Tcp::FIN != 0 {
                flags |= Life::CLIENT_FIN;
            }
        }
    }
    if tcp_flags & Tcp::RST != 0 {
        flags |= Life::RESET;
    }
    Life { seen: now, phase: life.phase, flags }
}

/// Whether a TCP connection has ended, so that a SYN begins another.
#[must_use]
#[inline(always)]
pub const fn has_ended(life: Life) -> bool {
    const BOTH: u16 = Life::CLIENT_FIN | Life::TARGET_FIN;
    life.flags & Life::RESET != 0 || life.flags & BOTH == BOTH
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

/// Seconds since the last packet; a clock that another CPU saw a little later counts as now.
#[inline(always)]
const fn silence(life: Life, now: u32) -> u32 {
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
        packets.iter().fold(NEW, |life, (direction, flags)| after(life, *direction, *flags, 100))
    }

    #[test]
    fn a_connection_is_remembered_as_long_as_its_state_deserves() {
        const SYN_ACK: u8 = Tcp::SYN | Tcp::ACK;
        const FIN: u8 = Tcp::FIN | Tcp::ACK;
        let opened = [(Request, Tcp::SYN), (Reply, SYN_ACK), (Request, Tcp::ACK)];
        let with = |more: &[(Direction, u8)]| {
            let step =
                |life, (direction, flags): &(Direction, u8)| after(life, *direction, *flags, 100);
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
        assert_eq!(patience(walk(&[(Request, 0)]), UDP, 120), UNANSWERED);
        assert_eq!(patience(walk(&[(Request, 0), (Reply, 0)]), UDP, 120), 120);
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
