//! How many flows are remembered while a group changes at a steady rate: the agent's own ring and
//! rule, and flows that come and go, without packets. Those that remember every flow remember 100 %.
#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "rounded numbers for people"
)]

use std::net::Ipv4Addr;

use lb_common::{RingRef, Slot};
use lb_plan::{
    consistency::{self, Change},
    maglev::{self, Member},
};

/// Targets of the group.
const TARGETS: u16 = 100;

/// Log2 of the slots of its ring.
const BITS: u8 = 14;

/// New flows a second.
const ARRIVALS: usize = 2000;

/// Seconds that are simulated, and the first of them, which are not counted.
const LASTS: u32 = 3600;
const WARM_UP: u32 = 900;

/// Seconds after which a slot without exceptions disarms.
const IDLE: u32 = 350;

/// A flow: its slot, its target, when it ends.
struct Flow {
    slot: usize,
    target: u16,
    ends: u32,
    remembered: bool,
}

/// What came of it.
#[derive(Default)]
struct Outcome {
    flows: usize,
    remembered: usize,
    live: usize,
    kept: usize,
    armed: usize,
    seconds: usize,
}

/// Measures and prints everything.
pub(crate) fn run() {
    println!(
        "{TARGETS} targets, ring of {} slots, {ARRIVALS} new flows a second; 95 % of them last",
        1 << BITS
    );
    println!(
        "20 s on average, 5 % 600 s, and send all the time; idle timeout {IDLE} s; one change (a"
    );
    println!(
        "target leaves, comes back, or halves its weight) every so many seconds; {} s simulated",
        LASTS - WARM_UP
    );
    println!(
        "{:>10} {:>18} {:>14} {:>22}",
        "change/s", "flows remembered", "slots armed", "remembered at a time"
    );
    for interval in [5, 15, 60, 300, 1800] {
        let Outcome { flows, remembered, live, kept, armed, seconds } = simulate(interval);
        let part = |some: usize, all: usize| 100.0 * some as f64 / all.max(1) as f64;
        println!(
            "{:>10} {:>17.1}% {:>13.1}% {:>12} of {}",
            format!("1/{interval}"),
            part(remembered, flows),
            part(armed, seconds << BITS),
            kept / seconds.max(1),
            live / seconds.max(1),
        );
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014).
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// Seconds that a flow lasts: exponential, 20 s on average for most, 600 s for some.
fn lifetime(state: &mut u64) -> u32 {
    let mean = if next(state) % 100 < 5 { 600.0 } else { 20.0 };
    let uniform = (next(state) >> 11) as f64 / (1_u64 << 53) as f64;
    (-mean * (1.0 - uniform).ln()) as u32
}

fn members(step: usize) -> Vec<Member> {
    let all = (1..=TARGETS).map(|id| {
        let address = Ipv4Addr::from(0x0a00_0000 | u32::from(id)).into();
        Member { id, identity: maglev::identity(address, 80), weight: 100 }
    });
    let mut members: Vec<Member> = all.collect();
    // By turns: one leaves, it comes back, one halves its weight, it gets it back.
    let chosen = (step / 4 * 37) % members.len();
    match step % 4 {
        1 => {
            members.remove(chosen);
        }
        3 => members[chosen].weight = 50,
        _ => {}
    }
    members
}

fn simulate(interval: u32) -> Outcome {
    let ring = RingRef::new(0, BITS);
    let mut state = 1;
    let first = maglev::build(&members(0), BITS);
    let mut slots: Vec<Slot> = first.into_iter().map(Slot::unarmed).collect();
    let mut seen = vec![0_u32; slots.len()];
    let (mut flows, mut outcome, mut step) = (Vec::<Flow>::new(), Outcome::default(), 0);
    for now in 0..LASTS {
        if now % interval == 0 && now > 0 {
            step += 1;
        }
        let owners = maglev::build(&members(step), BITS);
        let after = {
            let idle_slots = |slot: usize| consistency::is_idle(seen[slot], now, IDLE);
            let routable = |_: u16| true;
            let epoch = consistency::epoch(now);
            let change = Change {
                arms: true,
                resets: false,
                routable: &routable,
                idle_slots: &idle_slots,
                epoch,
            };
            consistency::own(&slots, &owners, &change)
        };
        for (index, (before, after)) in slots.iter().zip(after.iter()).enumerate() {
            if after.is_armed() && before != after {
                seen[index] = now;
            }
        }
        slots = after.to_vec();
        flows.retain(|flow| flow.ends > now);
        for flow in &flows {
            if slots[flow.slot].is_armed() && slots[flow.slot].current != flow.target {
                seen[flow.slot] = now;
            }
        }
        for _ in 0..ARRIVALS {
            let slot = ring.slot_of(next(&mut state));
            let remembered = slots[slot].is_armed();
            let ends = now + 1 + lifetime(&mut state);
            flows.push(Flow { slot, target: slots[slot].current, ends, remembered });
            if now >= WARM_UP {
                outcome.flows += 1;
                outcome.remembered += usize::from(remembered);
            }
        }
        if now >= WARM_UP {
            outcome.seconds += 1;
            outcome.live += flows.len();
            outcome.kept += flows.iter().filter(|flow| flow.remembered).count();
            outcome.armed += consistency::armed(&slots);
        }
    }
    outcome
}
