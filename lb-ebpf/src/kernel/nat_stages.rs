//! What the stages of modes nat and fullnat call, as global functions: rare, or called in a loop, whose every
//! round the verifier would walk.

use lb_common::ClientLink;
use lb_ebpf::{
    Datagram,
    nat::{
        choice::Choice,
        expire, request,
        source::{self, Candidate, Source},
    },
};

use super::run::TABLES;

/// See [`expire::evict`].
#[inline(always)]
pub(super) fn evict(now: u32) -> Option<u32> {
    let index = xelb_evict(now);
    if index > u64::from(u32::MAX) { None } else { Some(index as u32) }
}

/// See [`expire::evict`]; a number above 32 bits when there is none.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn xelb_evict(now: u32) -> u64 {
    expire::evict(now, &TABLES).map_or(u64::MAX, u64::from)
}

/// See [`expire::weigh`].
#[inline(always)]
pub(super) fn weigh(choice: Choice, index: u32, now: u32) -> Choice {
    Choice::from_word(xelb_weigh(choice.to_word(), index, now))
}

/// See [`expire::weigh`].
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn xelb_weigh(choice: u64, index: u32, now: u32) -> u64 {
    expire::weigh(Choice::from_word(choice), index, now, &TABLES).to_word()
}

/// See [`expire::is_meant`].
#[inline(always)]
pub(super) fn is_meant(choice: Choice, index: u32, now: u32) -> bool {
    xelb_is_meant(choice.to_word(), index, now) != 0
}

/// See [`expire::is_meant`].
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn xelb_is_meant(choice: u64, index: u32, now: u32) -> u64 {
    expire::is_meant(Choice::from_word(choice), index, now, &TABLES).into()
}

/// See [`expire::take_over`].
#[inline(always)]
pub(super) fn take_over(index: u32, now: u32) -> bool {
    xelb_take_over(index, now) != 0
}

/// See [`expire::take_over`].
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn xelb_take_over(index: u32, now: u32) -> u64 {
    expire::take_over(index, now, &TABLES).into()
}

/// See [`source::choose`].
#[inline(always)]
pub(super) fn choose_source(flow: &Datagram, target: u16, hash: u64) -> Source {
    Source::from_word(xelb_source(flow, u32::from(target), hash))
}

/// See [`source::choose`].
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn xelb_source(flow: *const Datagram, target: u32, hash: u64) -> u64 {
    // SAFETY: the caller has a reference; the verifier takes a global function's argument for null until it has been
    // asked.
    match unsafe { flow.as_ref() } {
        Some(flow) => source::choose(flow, target as u16, hash, &TABLES).to_word(),
        None => Source::NONE.to_word(),
    }
}

/// See [`source::candidate`].
#[inline(always)]
pub(super) fn candidate(flow: &Datagram, target: u16, position: u32) -> Candidate {
    Candidate::from_word(xelb_candidate(flow, u32::from(target), position))
}

/// See [`source::candidate`].
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn xelb_candidate(flow: *const Datagram, target: u32, position: u32) -> u64 {
    // SAFETY: as in `xelb_source`.
    match unsafe { flow.as_ref() } {
        Some(flow) => source::candidate(flow, target as u16, position, &TABLES).to_word(),
        None => Candidate::NOBODYS.to_word(),
    }
}

/// See [`request::follow`].
#[inline(always)]
pub(super) fn follow(flow: &Datagram, index: u32, link: &ClientLink) {
    xelb_follow(flow, index, link);
}

/// See [`request::follow`].
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn xelb_follow(flow: *const Datagram, index: u32, link: *const ClientLink) -> u64 {
    // SAFETY: as in `xelb_source`.
    if let (Some(flow), Some(link)) = unsafe { (flow.as_ref(), link.as_ref()) } {
        request::follow(flow, index, link, &TABLES);
    }
    0
}
