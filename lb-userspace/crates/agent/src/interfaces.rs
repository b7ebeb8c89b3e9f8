//! The interfaces that the program is attached to, as far as packets are lost there silently.

mod lost_frames;
mod veths;
mod vlan_tags;

use std::time::Instant;

use lb_config::Config;
use lb_dataplane::Attached;
use lb_plan::warning::Warning;

pub use self::vlan_tags::{GENERIC as GENERIC_VLAN_TAGS, remedy as vlan_tags_remedy};
use self::{lost_frames::LostFrames, veths::Veths, vlan_tags::VlanTags};

/// What is known of them.
#[derive(Debug, Default)]
pub(super) struct Interfaces {
    veths: Veths,
    lost_frames: LostFrames,
    vlan_tags: VlanTags,
}

impl Interfaces {
    /// Looks at them, from time to time.
    pub(super) fn poll(&mut self, attached: &[Attached], config: &Config, now: Instant) {
        self.veths.poll(attached, config, now);
        self.lost_frames.poll(attached, now);
        self.vlan_tags.poll(attached, now);
    }

    /// What is wrong with them.
    pub(super) fn warnings(&self) -> impl Iterator<Item = Warning> + '_ {
        self.veths.warnings().chain(self.lost_frames.warnings()).chain(self.vlan_tags.warnings())
    }
}
