//! From the program for plain packets to the one for the rest: a tail call, and the word that it
//! leaves.

use lb_ebpf::Step;

use super::{frame::Frame, maps, run::Run};

/// Goes on with the other program, and comes back only if there is none.
#[inline(always)]
pub(super) fn go_on<R: Run>(frame: &Frame, first: Step) {
    let Some(left) = maps::LEFT.get_ptr_mut(R::instance()) else { return };
    // SAFETY: into this CPU's part of the map, which nobody else uses before the other program has
    // read it: packets are not interrupted by packets, and a dry run has its own.
    unsafe { *left = first.to_word() };
    // SAFETY: a tail call comes back only when it fails.
    unsafe { maps::PROGRAMS.tail_call(&frame.0, R::instance()) };
}

/// What the program before has left.
#[inline(always)]
pub(crate) fn left<R: Run>() -> Step {
    match maps::LEFT.get_ptr(R::instance()) {
        // SAFETY: as in `go_on`.
        Some(left) => Step::from_word(unsafe { *left }),
        None => Step::NotPlain,
    }
}
