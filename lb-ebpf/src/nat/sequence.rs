//! Validation of a TCP segment that may be forged: its sequence number is compared with the
//! target's (RFC 5961). Pure.
//!
//! Only segments of the target are remembered, so that an attacker with a forged client address has
//! no influence; and only to 16 KiB, so that most packets write nothing.

use lb_common::{Binding, Sequence, listener::protocol::TCP};

use super::life::Direction;
use crate::{Content, Datagram, header::Tcp};

/// How exactly sequence numbers are remembered.
const STEP: u32 = 1 << 14;

/// Length of the window in which a reset counts. The kernel that it is for takes the exact number
/// only (RFC 5961, section 3.2): data in flight may follow it.
const WINDOW: u32 = 1 << 16;

/// How far a client's packets may be from what the target expects, so that answers go where they come
/// from: retransmissions before, a sender's window behind.
const NEAR: u32 = 1 << 20;

/// How far behind what its receiver expects a FIN may be: it is after all data in flight, up to a
/// receiver's window.
const FIN_WINDOW: u32 = NEAR;

/// What a packet says of its flow's life: the TCP flags that its receiver would believe, or nothing when
/// it is an ICMP error, or a reset that the receiver would not take.
#[must_use]
#[inline(always)]
pub fn believed(flow: &Datagram, binding: &Binding, direction: Direction) -> Option<u8> {
    const ENDS: u8 = Tcp::RST | Tcp::FIN;
    if matches!(flow.content, Content::IcmpError) {
        return None;
    }
    if flow.tcp_flags & ENDS == 0 || binding.sequence == 0 {
        return Some(flow.tcp_flags);
    }
    let known = Sequence::from_word(binding.sequence);
    let expected = match direction {
        Direction::Request => known.received,
        Direction::Reply => known.sent,
    };
    let ahead = flow.sequence.sent.wrapping_sub(expected & !(STEP - 1));
    if flow.tcp_flags & Tcp::RST != 0 {
        (ahead < WINDOW + STEP).then_some(flow.tcp_flags)
    } else if ahead < FIN_WINDOW + STEP {
        Some(flow.tcp_flags)
    } else {
        // Whatever it is else, it ends nothing.
        Some(flow.tcp_flags & !Tcp::FIN)
    }
}

/// Whether a client's packet acknowledges data of its target, so that only the client can have sent
/// it: the sender of a forged SYN does not see the target's sequence number. Where none is known,
/// every packet counts.
#[must_use]
#[inline(always)]
pub fn answers(flow: &Datagram, binding: &Binding) -> bool {
    let sent = Sequence::from_word(binding.sequence).sent;
    let near = flow.sequence.received.wrapping_sub(sent).wrapping_add(NEAR) < 2 * NEAR;
    flow.protocol != TCP || binding.sequence == 0 || near
}

/// Whether answers may take the reverse path of a client's packet. For an established TCP
/// connection ([`lb_common::Life::ESTABLISHED`]), its sequence number must be plausible.
#[must_use]
#[inline(always)]
pub fn leads_back(flow: &Datagram, binding: &Binding, is_established: bool) -> bool {
    match flow.content {
        Content::Whole | Content::FirstFragment => {}
        // An error comes from a router, and a later fragment has no sequence number.
        Content::IcmpError | Content::LaterFragment => return false,
    }
    if flow.protocol != TCP || !is_established || binding.sequence == 0 {
        return true;
    }
    let expected = Sequence::from_word(binding.sequence).received;
    flow.sequence.sent.wrapping_sub(expected).wrapping_add(NEAR) < 2 * NEAR
}

/// What is to be remembered of a target's segment, when it is news.
#[must_use]
#[inline(always)]
pub fn news(flow: &Datagram, binding: &Binding) -> Option<u64> {
    let says = flow.tcp_flags & (Tcp::ACK | Tcp::RST) == Tcp::ACK;
    let steps = Sequence { sent: !(STEP - 1), received: !(STEP - 1) }.to_word();
    let word = flow.sequence.to_word();
    let is_new = (word ^ binding.sequence) & steps != 0 || binding.sequence == 0;
    (says && is_new && word != 0).then_some(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow(tcp_flags: u8, sent: u32, received: u32) -> Datagram {
        let sequence = Sequence { sent, received };
        Datagram { protocol: TCP, tcp_flags, sequence, ..Datagram::EMPTY }
    }

    fn bound(sent: u32, received: u32) -> Binding {
        Binding { sequence: Sequence { sent, received }.to_word(), ..Binding::EMPTY }
    }

    #[test]
    fn a_reset_counts_inside_the_window_only_and_a_fin_not_far_behind_it() {
        use Direction::{Reply, Request};

        const FIN: u8 = Tcp::FIN | Tcp::ACK;
        let known = bound(1_000_000, u32::MAX - 100);
        for (direction, sent, reset, fin) in [
            (Request, u32::MAX - 100, true, true),
            (Request, 50, true, true),
            (Request, 60_000, true, true),
            (Request, 100_000, false, true),
            (Request, 1_000_000, false, true),
            (Request, 1_100_000, false, false),
            (Request, u32::MAX - 50_000, false, false),
            (Reply, 1_000_000, true, true),
            (Reply, 1_060_000, true, true),
            (Reply, 2_000_000, false, true),
            (Reply, 2_100_000, false, false),
            (Reply, 0, false, false),
        ] {
            let packet = flow(Tcp::RST, sent, 0);
            let expected = reset.then_some(Tcp::RST);
            assert_eq!(believed(&packet, &known, direction), expected, "{direction:?} {sent}");
            let unknown = believed(&packet, &Binding::EMPTY, direction);
            assert_eq!(unknown, Some(Tcp::RST), "nothing is known");
            let packet = flow(FIN, sent, 0);
            let expected = if fin { FIN } else { Tcp::ACK };
            assert_eq!(believed(&packet, &known, direction), Some(expected), "{sent}");
            assert_eq!(believed(&packet, &Binding::EMPTY, direction), Some(FIN));
            let packet = flow(Tcp::ACK, sent, 0);
            assert_eq!(believed(&packet, &known, direction), Some(Tcp::ACK), "it ends nothing");
        }
        let error = Datagram { content: Content::IcmpError, ..flow(0, 0, 0) };
        assert_eq!(believed(&error, &known, Request), None);
    }

    #[test]
    fn an_answer_needs_the_targets_sequence_number() {
        let known = bound(u32::MAX - 10, 1);
        for (received, expected) in
            [(u32::MAX - 9, true), (5, true), (u32::MAX - 10 - NEAR, true), (NEAR, false)]
        {
            assert_eq!(answers(&flow(Tcp::ACK, 1, received), &known), expected, "{received}");
            assert!(answers(&flow(Tcp::ACK, 1, received), &Binding::EMPTY), "nothing is known");
        }
        assert!(answers(&Datagram { protocol: 17, ..flow(0, 0, NEAR) }, &known), "UDP");
    }

    #[test]
    fn the_sequence_is_remembered_in_steps() {
        let known = bound(5 * STEP, 7 * STEP);
        assert_eq!(news(&flow(Tcp::ACK, 5 * STEP + 100, 8 * STEP - 1), &known), None);
        assert!(news(&flow(Tcp::ACK, 6 * STEP, 7 * STEP), &known).is_some());
        assert!(news(&flow(Tcp::ACK, 5 * STEP, 8 * STEP), &known).is_some());
        assert!(news(&flow(Tcp::ACK, 1, 1), &Binding::EMPTY).is_some(), "the first");
        assert_eq!(news(&flow(Tcp::SYN, 6 * STEP, 0), &known), None, "it acknowledges nothing");
        assert_eq!(news(&flow(Tcp::ACK | Tcp::RST, 6 * STEP, 0), &known), None, "a reset");
    }

    #[test]
    fn only_plausible_sequence_numbers_are_learned() {
        let known = bound(0, 1_000_000);
        for (sent, plausible) in
            [(1_000_000, true), (10, true), (2_000_000, true), (3_000_000, false)]
        {
            assert_eq!(leads_back(&flow(Tcp::ACK, sent, 0), &known, true), plausible, "{sent}");
            assert!(leads_back(&flow(Tcp::ACK, sent, 0), &known, false), "not established");
            let datagram = Datagram { protocol: 17, ..flow(0, sent, 0) };
            assert!(leads_back(&datagram, &known, true), "UDP");
        }
        for content in [Content::LaterFragment, Content::IcmpError] {
            assert!(!leads_back(&Datagram { content, ..flow(0, 0, 0) }, &known, false));
        }
    }
}
