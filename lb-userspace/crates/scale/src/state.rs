//! PURE: all that a decision is made from, besides samples and time.

use std::sync::Arc;

use crate::{
    decision::Decision,
    limits::Limits,
    member::{Lifecycle, Member},
    memory::Memory,
    moment::Moment,
    suspension::{Process, Suspensions},
    validate::CheckedSettings,
};

/// The state of a group.
#[derive(Clone, Debug)]
pub struct State {
    /// Its settings.
    pub settings: Arc<CheckedSettings>,
    /// The desired capacity, in targets. Decisions move it.
    pub desired: u32,
    /// The limits: those of the settings, or of the schedule that was last due.
    pub limits: Limits,
    /// Its members.
    pub members: Vec<Member>,
    /// Its suspended processes.
    pub suspended: Suspensions,
    /// Whether it fails open: too few targets are healthy, so that all of them get traffic.
    pub fails_open: bool,
    /// What earlier decisions remember.
    pub memory: Memory,
}

impl State {
    /// A new group without members.
    #[must_use]
    pub fn new(settings: Arc<CheckedSettings>) -> Self {
        Self {
            desired: settings.initial(),
            limits: settings.limits,
            members: Vec::new(),
            suspended: Suspensions::new(),
            fails_open: false,
            memory: Memory::default(),
            settings,
        }
    }

    /// Takes over what a decision changes.
    pub fn apply(&mut self, decision: &Decision) {
        self.desired = decision.desired;
        self.limits = decision.limits;
        self.memory = decision.memory.clone();
    }

    /// People ask for a capacity. It is kept within the limits, and holds like a need for the
    /// scale-in window; afterwards policies may lower it.
    pub fn set_desired(&mut self, capacity: u32, now: Moment) {
        self.desired = self.limits.clamp(capacity);
        self.memory.request(self.desired, now, self.settings.scale_in_window);
    }

    /// How many members are in service.
    #[must_use]
    pub fn in_service(&self) -> u32 {
        self.count(|member| member.lifecycle == Lifecycle::InService)
    }

    /// How many members are in service for longer than the warm-up.
    #[must_use]
    pub fn warm(&self, now: Moment) -> u32 {
        self.count(|member| self.is_warm(member, now))
    }

    /// Whether all desired members are in service and warm.
    #[must_use]
    pub fn is_complete(&self, now: Moment) -> bool {
        self.warm(now) >= self.desired && !self.members.iter().any(|m| m.lifecycle.is_pending())
    }

    pub(crate) fn is_warm(&self, member: &Member, now: Moment) -> bool {
        member.lifecycle == Lifecycle::InService && now.since(&member.since) >= self.settings.warmup
    }

    pub(crate) fn is_suspended(&self, process: Process) -> bool {
        self.suspended.contains(&process)
    }

    fn count(&self, is_counted: impl Fn(&Member) -> bool) -> u32 {
        let count = self.members.iter().filter(|member| is_counted(member)).count();
        u32::try_from(count).unwrap_or(u32::MAX)
    }
}
