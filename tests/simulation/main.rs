//! Connections never break: random lives of a target group, with the agent's own planning and the
//! data path's own code, checked after every packet (docs/consistency.md).
//!
//! A sequence that fails prints its number; `XELB_SEED=NUMBER cargo test -p lb-tests --test simulation
//! sequences` replays it with a line for each step.

mod agent;
mod breaks;
mod check;
mod flows;
mod group;
mod groups;
mod host;
mod lead_breaks;
mod lead_sequence;
mod random;
mod scripts;
mod sequence;
mod steps;

use std::{
    sync::atomic::{AtomicU64, Ordering},
    thread,
};

use breaks::Break;
use lead_breaks::LeadBreak;
use lead_sequence::LeadSequence;
use sequence::{Length, Sequence};

/// Sequences of a test run.
const SEQUENCES: u64 = 10_000;

/// The same with several groups; each change plans all of them.
const LEAD_SEQUENCES: u64 = 2_000;

/// Sequences within which each deliberate break must show.
const CAUGHT_WITHIN: u64 = 3_000;

/// The seed that the environment asks for.
fn asked_seed() -> Option<u64> {
    let text = std::env::var("XELB_SEED").ok()?;
    Some(text.parse().expect("XELB_SEED is the number of a sequence"))
}

/// Runs sequences on every CPU until one fails; gives the first failure that was found.
fn first_failure(count: u64, length: Length, broken: Option<Break>) -> Option<String> {
    first_of(count, |seed| Sequence::new(seed, length, broken).run())
}

/// The same for any kind of sequence.
fn first_of(count: u64, run: impl Fn(u64) -> Result<(), String> + Sync) -> Option<String> {
    let (next, run) = (&AtomicU64::new(0), &run);
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let search = || {
            loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed >= count {
                    return None;
                }
                if let Err(violation) = run(seed) {
                    next.store(count, Ordering::Relaxed);
                    return Some(format!("sequence {seed}: {violation}"));
                }
            }
        };
        let searches: Vec<_> = (0..threads).map(|_| scope.spawn(search)).collect();
        searches.into_iter().find_map(|search| search.join().expect("no panic"))
    })
}

#[test]
fn sequences_hold() {
    if let Some(seed) = asked_seed() {
        Sequence::new(seed, Length::SHORT, None).traced().run().expect("the sequence holds");
        return;
    }
    if let Some(failure) = first_failure(SEQUENCES, Length::SHORT, None) {
        panic!("{failure}; XELB_SEED replays it");
    }
    println!("{SEQUENCES} sequences hold");
}

#[test]
fn thousands_of_flows_hold() {
    if let Some(failure) = first_failure(8, Length::LONG, None) {
        panic!("{failure} (long)");
    }
}

#[test]
fn each_deliberate_break_is_caught() {
    for broken in Break::ALL {
        let failure = first_failure(CAUGHT_WITHIN, Length::SHORT, Some(*broken));
        let failure = failure.unwrap_or_else(|| panic!("{broken:?} is not caught"));
        println!("{broken:?}: {failure}");
    }
}

#[test]
fn listeners_that_switch_between_groups_break_no_connection() {
    if let Some(seed) = asked_seed() {
        LeadSequence::new(seed, None).traced().run().expect("the sequence holds");
        return;
    }
    if let Some(failure) = first_of(LEAD_SEQUENCES, |seed| LeadSequence::new(seed, None).run()) {
        panic!("{failure}; XELB_SEED replays it");
    }
    println!("{LEAD_SEQUENCES} sequences hold");
}

#[test]
fn each_deliberate_break_of_a_lead_is_caught() {
    for broken in LeadBreak::ALL {
        let run = |seed| LeadSequence::new(seed, Some(*broken)).run();
        let failure = first_of(CAUGHT_WITHIN, run);
        let failure = failure.unwrap_or_else(|| panic!("{broken:?} is not caught"));
        println!("{broken:?}: {failure}");
    }
}
