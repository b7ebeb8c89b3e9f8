//! What is looked at once a second, since no event tells of it.

use std::time::Instant;

use super::run::Agent;

impl Agent {
    /// What no event tells of.
    pub(super) fn look_around(&mut self) {
        self.own_limits.look(&self.scheduler);
        let Some(balancer) = &mut self.balancer else {
            return;
        };
        let now = Instant::now();
        self.tunnel.tend(now);
        self.shortages.look(&balancer.config, now, || self.stats.read(&[], &[]));
        let quiet = balancer.look_for_quiet_slots();
        if balancer.forget_former_hops(now) || quiet {
            self.reconcile(None);
        }
        self.log_warnings(now);
    }
}
