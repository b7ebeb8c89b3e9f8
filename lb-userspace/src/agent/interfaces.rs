//! The interfaces that the program is attached to, as far as what it sends or receives there goes wrong
//! without a word of the kernel.

mod lost_frames;
mod veths;

use std::time::Instant;

use self::{lost_frames::LostFrames, veths::Veths};
use crate::{config::Config, dataplane::Attached, warning::Warning};

/// What is known of them.
#[derive(Debug, Default)]
pub(super) struct Interfaces {
    veths: Veths,
    lost_frames: LostFrames,
}

impl Interfaces {
    /// Looks at them, from time to time.
    pub(super) fn look(&mut self, attached: &[Attached], config: &Config, now: Instant) {
        self.veths.look(attached, config, now);
        self.lost_frames.look(attached, now);
    }

    /// What is wrong with them.
    pub(super) fn warnings(&self) -> impl Iterator<Item = Warning> + '_ {
        self.veths.warnings().chain(self.lost_frames.warnings())
    }
}
