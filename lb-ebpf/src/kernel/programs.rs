//! From the program for plain packets to the one for the rest, and from both to the one for translation: a
//! tail call, and the word that it leaves.

use lb_common::abi::program::Next;
use lb_ebpf::Step;

use super::{frame::Frame, maps, run::Run};

/// Goes on with the program for the rest, and comes back only if there is none.
#[inline(always)]
pub(super) fn rest<R: Run>(frame: &Frame, first: Step) {
    let Some(left) = maps::LEFT.get_ptr_mut(R::instance() as u32) else { return };
    // SAFETY: this CPU's part of the map has no other user until the other program has read it:
    // packets do not interrupt packets, and a dry run has its own.
    unsafe { *left = first.to_word() };
    call::<R>(frame, Next::Rest);
}

/// Goes on with the program for translation, and comes back only if there is none. It parses the
/// packet again.
#[inline(always)]
pub(super) fn translate<R: Run>(frame: &Frame) {
    call::<R>(frame, Next::Translate);
}

#[inline(always)]
fn call<R: Run>(frame: &Frame, next: Next) {
    // SAFETY: a tail call comes back only when it fails.
    unsafe { maps::PROGRAMS.tail_call(&frame.0, R::instance().place(next)) };
}

/// What the program before has left.
#[inline(always)]
pub(crate) fn left<R: Run>() -> Step {
    match maps::LEFT.get_ptr(R::instance() as u32) {
        // SAFETY: as in `rest`.
        Some(left) => Step::from_word(unsafe { *left }),
        None => Step::NotPlain,
    }
}
