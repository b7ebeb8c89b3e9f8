//! What the balancer believes of a TCP segment that may be forged: its place in the stream is compared with
//! what the target has said (RFC 5961). Pure.
//!
//! Only segments of the target are remembered, so that nobody who sends in a client's name can say
//! what is right; and only to 16 KiB, so that most packets write nothing.

use lb_common::{Binding, Sequence, listener::protocol::TCP};

use super::life::Direction;
use crate::{Content, Datagram, header::Tcp};

/// How exactly sequence numbers are remembered.
const STEP: u32 = 1 << 14;

/// Length of the window in which a reset counts. The kernel that it is for takes the exact number
/// only (RFC 5961, section 3.2): behind it may be what was under way.
const WINDOW: u32 = 1 << 16;

/// How far a client's packets may be from what the target expects, so that answers go where they come
/// from: retransmissions before, a sender's window behind.
const NEAR: u32 = 1 << 20;

/// Whether a packet says anything of its flow's life: an ICMP error does not, nor a reset that the
/// receiver would not take.
#[must_use]
#[inline(always)]
pub fn counts(flow: &Datagram, binding: &Binding, direction: Direction) -> bool {
    if matches!(flow.content, Content::IcmpError) {
        return false;
    }
    if flow.tcp_flags & Tcp::RST == 0 || binding.sequence == 0 {
        return true;
    }
    let known = Sequence::from_word(binding.sequence);
    let expected = match direction {
        Direction::Request => known.received,
        Direction::Reply => known.sent,
    };
    flow.sequence.sent.wrapping_sub(expected & !(STEP - 1)) < WINDOW + STEP
}

/// Whether answers may go the way that a client's packet came: of an established TCP connection
/// ([`lb_common::Life::ESTABLISHED`]) only when its place in the stream is plausible.
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
    fn a_reset_counts_inside_the_window_only() {
        use Direction::{Reply, Request};

        let known = bound(1_000_000, u32::MAX - 100);
        for (direction, sent, counted) in [
            (Request, u32::MAX - 100, true),
            (Request, 50, true),
            (Request, 60_000, true),
            (Request, 100_000, false),
            (Request, 1_000_000, false),
            (Request, u32::MAX - 50_000, false),
            (Reply, 1_000_000, true),
            (Reply, 1_060_000, true),
            (Reply, 2_000_000, false),
            (Reply, 0, false),
        ] {
            let reset = flow(Tcp::RST, sent, 0);
            assert_eq!(counts(&reset, &known, direction), counted, "{direction:?} {sent}");
            assert!(counts(&reset, &Binding::EMPTY, direction), "nothing is known");
            assert!(counts(&flow(Tcp::ACK, sent, 0), &known, direction), "no reset");
        }
        let error = Datagram { content: Content::IcmpError, ..flow(0, 0, 0) };
        assert!(!counts(&error, &known, Request));
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
    fn answers_follow_what_is_plausible() {
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
