//! Modes nat and fullnat when bindings are short: new flows take those of flows that have ended, or
//! have not begun. On the host's build with the test's clock, as in `nat_life`, and in the kernel.

use std::time::Instant;

use lb_common::{DropReason, Family, Mode, Pool};
use lb_ebpf::{Verdict, host::MemoryTables};

use crate::{
    nat::{self, Plan, answer, plans, translated},
    nat_life::{
        self, ACK, FIN_ACK, SYN, SYN_ACK, Seen, client, counter, reply, send, tables, wait,
        with_flags,
    },
    support::{
        frames::{BALANCER_MAC, Packet, TARGET_MAC, TCP, UDP},
        world::{PORT_TCP, Sides as _},
    },
};

/// Opens a connection, from its SYN to the client's first ACK.
fn open(tables: &MemoryTables, plan: &Plan, flow: &Packet) -> Result<Seen, Verdict> {
    let seen = send(tables, &with_flags(flow, SYN), plan.family)?;
    assert!(reply(tables, plan, flow, &seen, SYN_ACK));
    assert_eq!(send(tables, &with_flags(flow, ACK), plan.family), Ok(seen.clone()));
    Ok(seen)
}

fn close(tables: &MemoryTables, plan: &Plan, flow: &Packet, seen: &Seen) {
    send(tables, &with_flags(flow, FIN_ACK), plan.family).unwrap();
    assert!(reply(tables, plan, flow, seen, FIN_ACK));
    send(tables, &with_flags(flow, ACK), plan.family).unwrap();
}

#[test]
fn closed_connections_give_their_bindings_and_open_ones_keep_theirs() {
    for plan in plans() {
        let tables = tables(&plan, 256);
        let mut kept: Vec<_> = (0..256)
            .map(|number| client(&plan, TCP, number))
            .map(|flow| (open(&tables, &plan, &flow).unwrap(), flow))
            .collect();
        // Every third one closes; all within a second.
        let mut number = 0;
        kept.retain(|(seen, flow)| {
            number += 1;
            let stays = number % 3 != 0;
            if !stays {
                close(&tables, &plan, flow, seen);
            }
            stays
        });
        for number in 1000..6000 {
            let flow = client(&plan, TCP, number);
            let seen = open(&tables, &plan, &flow).unwrap();
            close(&tables, &plan, &flow, &seen);
        }
        for (seen, flow) in &kept {
            let again = send(&tables, &with_flags(flow, ACK), plan.family);
            assert_eq!(again.as_ref(), Ok(seen), "{:?}", plan.mode);
            assert!(reply(&tables, &plan, flow, seen, ACK));
        }
        // If all are open, no binding is evicted.
        let mut refused = 0;
        for number in 10_000..10_200 {
            let opened = open(&tables, &plan, &client(&plan, TCP, number));
            refused += u32::from(opened == Err(Verdict::Drop(DropReason::PoolExhausted)));
        }
        assert!(refused >= 100, "{refused}");
        for (seen, flow) in &kept {
            assert!(reply(&tables, &plan, flow, seen, ACK));
        }
    }
}

/// A tenth of an address, and a tenth of 2,000 forged SYNs a second, which the target answers.
#[test]
fn a_flood_of_syns_leaves_ports_for_new_connections() {
    for plan in plans() {
        let tables = tables(&plan, 6451);
        let mut kept = Vec::new();
        for second in 0..90_usize {
            for number in 0..200 {
                let flow = client(&plan, TCP, 100_000 + second * 200 + number);
                if let Ok(seen) = send(&tables, &with_flags(&flow, SYN), plan.family) {
                    assert!(reply(&tables, &plan, &flow, &seen, SYN_ACK));
                }
            }
            let flow = client(&plan, TCP, second);
            let seen = open(&tables, &plan, &flow);
            kept.push((seen.unwrap_or_else(|stop| panic!("{second} s: {stop:?}")), flow));
            wait(&tables, 1);
        }
        // A look at 32 bindings may find none that may be taken: one of thousands.
        let refused = counter(&tables, DropReason::PoolExhausted);
        assert!(refused < 18, "{refused} of 18,000 forged SYNs");
        for (seen, flow) in &kept {
            assert!(reply(&tables, &plan, flow, seen, ACK), "{:?}", plan.mode);
        }
    }
}

#[test]
fn unanswered_flows_are_evicted_for_new_ones() {
    for plan in plans() {
        let tables = tables(&plan, 128);
        for number in 0..128 {
            send(&tables, &with_flags(&client(&plan, UDP, number), 0), plan.family).unwrap();
        }
        // All within a second: only a flood does that, and its own bindings are evicted.
        let other = with_flags(&client(&plan, UDP, 500), 0);
        assert!(send(&tables, &other, plan.family).is_ok());
        let first = with_flags(&client(&plan, UDP, 1), 0);
        wait(&tables, 2);
        assert!(send(&tables, &first, plan.family).is_ok());
    }
}

/// A listener that is flooded as fast as it takes three quarters of all bindings in a second: 50,000 forged SYNs
/// a second with the fewest bindings that an agent may have. Connections to it, and to another one, begin.
#[test]
fn a_flood_evicts_no_bindings_of_other_listeners_or_answering_clients() {
    const BINDINGS: u32 = 1024;
    const FORGED: usize = 768;
    /// Forged SYNs between a SYN and the client's answer: a tenth of a second.
    const MEANWHILE: usize = FORGED / 10;

    for plan in plans() {
        let tables = tables(&plan, BINDINGS);
        let (mut forged, mut kept, mut lost) = (0, Vec::new(), Vec::new());
        let mut flood = |count: usize| {
            for _ in 0..count {
                forged += 1;
                let flow = client(&plan, TCP, 100_000 + forged);
                if let Ok(seen) = send(&tables, &with_flags(&flow, SYN), plan.family) {
                    assert!(reply(&tables, &plan, &flow, &seen, SYN_ACK));
                }
            }
        };
        for second in 0..40_usize {
            for part in 0..FORGED / MEANWHILE {
                let number = second * 10 + part;
                // The other listener has another port.
                let port = if part % 2 == 0 { PORT_TCP } else { PORT_TCP + 1 };
                let flow = Packet { port, ..client(&plan, TCP, number) };
                let seen = send(&tables, &with_flags(&flow, SYN), plan.family);
                flood(MEANWHILE);
                let opened = seen.clone().is_ok_and(|seen| {
                    reply(&tables, &plan, &flow, &seen, SYN_ACK)
                        && send(&tables, &with_flags(&flow, ACK), plan.family) == Ok(seen)
                });
                if opened {
                    kept.push((seen.unwrap(), flow));
                } else {
                    lost.push((second, port, seen));
                }
            }
            wait(&tables, 1);
        }
        assert!(lost.is_empty(), "{:?}: {} of 400: {lost:?}", plan.mode, lost.len());
        for (seen, flow) in &kept {
            assert!(reply(&tables, &plan, flow, seen, ACK), "{:?}", plan.mode);
        }
    }
}

/// The same when ports are short, and not bindings: a port that is taken over is one of few that were tried.
#[test]
fn a_flood_of_a_targets_ports_evicts_no_answering_client() {
    for plan in plans().iter().filter(|plan| plan.mode == Mode::Fullnat) {
        let mut tables = tables(plan, 8192);
        let few = Pool { count: 1024, ..nat_life::pool(plan) };
        tables.nat.pools.insert(Pool::first_place(plan.family), few);
        let mut opened = 0;
        for number in 0..300 {
            let flow = client(plan, TCP, number);
            let seen = send(&tables, &with_flags(&flow, SYN), plan.family);
            for forged in 0..76 {
                let forged = client(plan, TCP, 100_000 + number * 76 + forged);
                let _sent = send(&tables, &with_flags(&forged, SYN), plan.family);
            }
            opened += usize::from(seen.is_ok_and(|seen| {
                reply(&tables, plan, &flow, &seen, SYN_ACK)
                    && send(&tables, &with_flags(&flow, ACK), plan.family) == Ok(seen)
            }));
            if number % 10 == 9 {
                wait(&tables, 1);
            }
        }
        assert!(opened >= 290, "{opened} of 300");
    }
}

/// Connections that are opened and closed one after the other through one address.
const CONNECTIONS: u32 = 200_000;

crate::support::world::in_sandbox! {
    fn one_address_carries_as_many_new_connections_as_the_program_can_take() {
        let is_this = |plan: &&Plan| plan.mode == Mode::Fullnat && plan.family == Family::V4;
        let plan = *plans().iter().find(is_this).unwrap();
        let mut world = nat::world_with_ports(&plan, 40_000);
        let packet = nat::plain(&plan, TCP);
        let request = |number: u32, flags: u8| {
            let mut frame = packet.frame().bytes();
            let [first, second, high, low] = number.to_be_bytes();
            frame[26..30].copy_from_slice(&[10, 77 + first, second, high]);
            frame[34..36].copy_from_slice(&[40 + low / 64, low]);
            frame[47] = flags;
            frame
        };
        let template = answer(&translated(&plan, &packet)).frame();
        let template = template.between(TARGET_MAC, BALANCER_MAC);
        let response = |port: &[u8], flags: u8| {
            let mut frame = template.clone();
            frame[36..38].copy_from_slice(port);
            frame[47] = flags;
            frame
        };
        let started = Instant::now();
        for number in 0..CONNECTIONS {
            let ran = world.kernel.run(&request(number, SYN));
            assert_eq!(ran.action, 3, "connection {number}");
            let port = ran.frame[34..36].to_vec();
            let mut all = vec![response(&port, SYN_ACK), request(number, ACK)];
            all.extend([request(number, FIN_ACK), response(&port, FIN_ACK), request(number, ACK)]);
            for frame in all {
                assert_eq!(world.kernel.run(&frame).action, 3, "connection {number}");
            }
        }
        let counted = world.kernel_counters();
        assert_eq!(counted["flow_created"], u64::from(CONNECTIONS));
        assert!(!counted.contains_key("pool_exhausted"));
        let rate = f64::from(CONNECTIONS) / started.elapsed().as_secs_f64();
        println!("{CONNECTIONS} connections through 40,000 ports, {rate:.0} a second, each packet by TEST_RUN");
    }
}
