//! Modes nat and fullnat: what forged packets and moved routers do to bindings. On the host's build,
//! as in `nat_life`.

use lb_common::{DropReason, Family, Mode, Pool};
use lb_ebpf::{
    Verdict,
    host::{MemoryTables, VecPacket},
};

use crate::{
    nat::{Plan, plans},
    nat_life::{
        ACK, FIN_ACK, RST, SYN, SYN_ACK, Seen, client, counter, send, tables, wait, with_flags,
    },
    support::frames::{BALANCER_MAC, CLIENT_MAC, Packet, TCP, UDP},
};

/// Where the streams of the connection begin.
const CLIENT_START: u32 = 0x1111_0000;
const TARGET_START: u32 = 0xeeee_0000;

/// Another router, or a neighbour.
const OTHER_MAC: [u8; 6] = [2, 0, 0, 0, 0, 7];

/// A segment with these numbers.
fn segment(packet: &Packet, flags: u8, sent: u32, received: u32) -> Vec<u8> {
    let mut frame = with_flags(packet, flags);
    let numbers = match packet.family {
        Family::V4 => 14 + 20 + 4,
        Family::V6 => 14 + 40 + 4,
    };
    frame[numbers..numbers + 4].copy_from_slice(&sent.to_be_bytes());
    frame[numbers + 4..numbers + 8].copy_from_slice(&received.to_be_bytes());
    frame
}

/// A connection that is open.
struct Open {
    tables: MemoryTables,
    plan: Plan,
    flow: Packet,
    seen: Seen,
}

impl Open {
    fn new(plan: &Plan) -> Self {
        let (tables, flow) = (tables(plan, 1000), client(plan, TCP, 1));
        let syn = segment(&flow, SYN, CLIENT_START, 0);
        let seen = send(&tables, &syn, plan.family).unwrap();
        let open = Self { tables, plan: *plan, flow, seen };
        open.reply(SYN_ACK, TARGET_START, CLIENT_START + 1).unwrap();
        open.request(ACK, CLIENT_START + 1, TARGET_START + 1);
        open
    }

    fn request(&self, flags: u8, sent: u32, received: u32) {
        let frame = segment(&self.flow, flags, sent, received);
        assert_eq!(send(&self.tables, &frame, self.plan.family).unwrap(), self.seen);
    }

    /// What the target sends, as the client's side gets it.
    fn reply(&self, flags: u8, sent: u32, received: u32) -> Option<Vec<u8>> {
        let mut answer = self.flow.clone();
        (answer.source, answer.source_port) = (self.plan.target, 8080);
        answer.port = self.seen.1;
        answer.destination = match self.plan.family {
            Family::V4 => <[u8; 4]>::try_from(self.seen.0.as_slice()).unwrap().into(),
            Family::V6 => <[u8; 16]>::try_from(self.seen.0.as_slice()).unwrap().into(),
        };
        let mut packet = VecPacket::new(&segment(&answer, flags, sent, received), 1);
        match lb_ebpf::process(&mut packet, &self.tables) {
            Verdict::Transmit => Some(packet.bytes().to_vec()),
            _ => None,
        }
    }

    /// Other flows begin, so that what has ended is taken back.
    fn others_begin(&self, first: usize) {
        for number in first..first + 498 {
            let syn = with_flags(&client(&self.plan, TCP, number), SYN);
            let _room = send(&self.tables, &syn, self.plan.family);
        }
    }

    /// Whether the target's packets still find their client after a long silence.
    fn lives(&self) -> bool {
        wait(&self.tables, 300);
        self.others_begin(2);
        self.reply(ACK, TARGET_START + 1, CLIENT_START + 1).is_some()
    }
}

#[test]
fn two_blind_packets_end_nothing() {
    for plan in plans() {
        let open = Open::new(&plan);
        for guess in [0, 7, CLIENT_START - 100_000, CLIENT_START + 200_000, TARGET_START] {
            open.request(RST, guess, 0);
            open.request(SYN, guess, 0);
        }
        assert!(open.reply(RST, CLIENT_START, 0).is_some(), "the client judges it itself");
        assert!(open.lives(), "{:?} {:?}", plan.mode, plan.family);
    }
}

#[test]
fn forged_fins_end_nothing_and_those_of_both_ends_do() {
    for plan in plans() {
        let open = Open::new(&plan);
        for guess in [0, 7, CLIENT_START - 100_000, CLIENT_START + 2_000_000, TARGET_START] {
            open.request(FIN_ACK, guess, TARGET_START + 1);
        }
        assert!(open.reply(FIN_ACK, CLIENT_START, CLIENT_START + 1).is_some());
        assert!(open.lives(), "{:?} {:?}", plan.mode, plan.family);
        let open = Open::new(&plan);
        assert!(open.reply(FIN_ACK, TARGET_START + 1, CLIENT_START + 1).is_some());
        assert!(open.lives(), "{:?}: half closed", plan.mode);
        let open = Open::new(&plan);
        assert!(open.reply(FIN_ACK, TARGET_START + 1, CLIENT_START + 1).is_some());
        // What was under way was not seen here yet.
        open.request(FIN_ACK, CLIENT_START + 500_000, TARGET_START + 2);
        assert!(!open.lives(), "{:?}: closed", plan.mode);
    }
}

/// Who sends a SYN in another's name does not know what the target answers.
#[test]
fn a_blind_ack_establishes_nothing() {
    for plan in plans() {
        for (received, lives) in
            [(0, false), (TARGET_START - (2 << 20), false), (TARGET_START + 1, true)]
        {
            let (tables, flow) = (tables(&plan, 1000), client(&plan, TCP, 1));
            let syn = segment(&flow, SYN, CLIENT_START, 0);
            let seen = send(&tables, &syn, plan.family).unwrap();
            let open = Open { tables, plan, flow, seen };
            open.reply(SYN_ACK, TARGET_START, CLIENT_START + 1).unwrap();
            open.request(ACK, CLIENT_START + 1, received);
            assert_eq!(open.lives(), lives, "{:?} {received:#x}", plan.mode);
        }
    }
}

#[test]
fn a_reset_counts_inside_the_window_until_the_connection_continues() {
    for plan in plans() {
        let resets: [fn(&Open); 2] = [
            |open| open.request(RST, CLIENT_START + 1, 0),
            |open| assert!(open.reply(RST, TARGET_START + 1, 0).is_some()),
        ];
        for reset in resets {
            let open = Open::new(&plan);
            reset(&open);
            assert!(!open.lives(), "{:?}: it is forgotten", plan.mode);
            // A kernel that does not take it challenges its sender (RFC 5961).
            let open = Open::new(&plan);
            reset(&open);
            open.reply(ACK, TARGET_START + 1, CLIENT_START + 1).unwrap();
            assert!(open.lives(), "{:?}: the target has gone on", plan.mode);
            let open = Open::new(&plan);
            reset(&open);
            open.request(ACK, CLIENT_START + 1, TARGET_START + 1);
            assert!(open.lives(), "{:?}: the client has gone on", plan.mode);
        }
    }
}

/// The window moves with the stream, far beyond what it was at the start.
#[test]
fn resets_are_checked_with_the_targets_last_segment() {
    for plan in plans() {
        let open = Open::new(&plan);
        let (mut sent, mut received) = (TARGET_START + 1, CLIENT_START + 1);
        for _ in 0..1000 {
            (sent, received) = (sent.wrapping_add(30_000), received.wrapping_add(10_000));
            open.reply(ACK, sent, received).unwrap();
        }
        open.request(RST, CLIENT_START + 1, 0);
        assert!(open.reply(RST, TARGET_START + 1, 0).is_some());
        wait(&open.tables, 60);
        open.others_begin(1000);
        assert!(open.reply(ACK, sent, received).is_some(), "numbers of the start are too old");
        open.request(RST, received, 0);
        assert!(!open.lives());
    }
}

/// The destination MAC of a frame.
fn to(frame: &[u8]) -> &[u8] {
    &frame[..6]
}

fn from_other(packet: &Packet, flags: u8, sent: u32) -> Vec<u8> {
    let mut frame = segment(packet, flags, sent, TARGET_START + 1);
    frame[..6].copy_from_slice(&BALANCER_MAC);
    frame[6..12].copy_from_slice(&OTHER_MAC);
    frame
}

#[test]
fn answers_follow_the_packets_of_the_client() {
    for plan in plans() {
        let open = Open::new(&plan);
        let answer = || open.reply(ACK, TARGET_START + 1, CLIENT_START + 1).unwrap();
        assert_eq!(to(&answer()), CLIENT_MAC);
        // Another router.
        let moved = from_other(&open.flow, ACK, CLIENT_START + 1);
        send(&open.tables, &moved, plan.family).unwrap();
        assert_eq!(to(&answer()), OTHER_MAC);
        open.request(ACK, CLIENT_START + 1, TARGET_START + 1);
        assert_eq!(to(&answer()), CLIENT_MAC);
        // A neighbour that guesses.
        for sent in [0, CLIENT_START - (1 << 21), CLIENT_START + (1 << 21)] {
            for flags in [ACK, SYN, RST, FIN_ACK] {
                let forged = from_other(&open.flow, flags, sent);
                send(&open.tables, &forged, plan.family).unwrap();
                assert_eq!(to(&answer()), CLIENT_MAC, "{sent} {flags}");
            }
        }
    }
}

#[test]
fn a_neighbour_that_sends_first_does_not_keep_the_answers() {
    for plan in plans() {
        for (protocol, flags) in [(TCP, SYN), (UDP, 0)] {
            let (tables, flow) = (tables(&plan, 1000), client(&plan, protocol, 1));
            let mut first = with_flags(&flow, flags);
            first[6..12].copy_from_slice(&OTHER_MAC);
            let seen = send(&tables, &first, plan.family).unwrap();
            send(&tables, &with_flags(&flow, flags), plan.family).unwrap();
            let mut answer = flow.clone();
            (answer.source, answer.source_port, answer.port) = (plan.target, 8080, seen.1);
            answer.destination = if plan.mode == Mode::Nat { flow.source } else { plan.local };
            let mut packet = VecPacket::new(&with_flags(&answer, SYN_ACK), 1);
            assert_eq!(lb_ebpf::process(&mut packet, &tables), Verdict::Transmit);
            assert_eq!(to(packet.bytes()), CLIENT_MAC, "{:?} {protocol}", plan.mode);
        }
    }
}

#[test]
fn a_target_that_asks_its_own_listener_is_translated_fully_or_refused() {
    for plan in plans() {
        let mut tables = tables(&plan, 1000);
        let flow = Packet { source: plan.target, ..client(&plan, TCP, 1) };
        let syn = with_flags(&flow, SYN);
        if plan.mode == Mode::Nat {
            let refused = DropReason::HairpinRefused;
            assert_eq!(send(&tables, &syn, plan.family), Err(Verdict::Drop(refused)));
            assert_eq!(counter(&tables, refused), 1);
            let fullnat = Plan { mode: Mode::Fullnat, ..plan };
            let place = Pool::first_place(plan.family);
            tables.nat.pools.insert(place, crate::nat_life::pool(&fullnat));
        }
        let (address, port) = send(&tables, &syn, plan.family).unwrap();
        let local = match plan.local {
            std::net::IpAddr::V4(local) => local.octets().to_vec(),
            std::net::IpAddr::V6(local) => local.octets().to_vec(),
        };
        assert_eq!(address, local, "{:?}", plan.mode);
        let open = Open { tables, plan, flow, seen: (address, port) };
        let frame = open.reply(SYN_ACK, TARGET_START, CLIENT_START).unwrap();
        let destination = match plan.family {
            Family::V4 => &frame[30..34],
            Family::V6 => &frame[38..54],
        };
        let target = match plan.target {
            std::net::IpAddr::V4(target) => target.octets().to_vec(),
            std::net::IpAddr::V6(target) => target.octets().to_vec(),
        };
        assert_eq!(destination, target, "the client, which is the target");
    }
}
