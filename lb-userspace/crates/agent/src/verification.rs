//! What no request and no verdict brings about: a look at what the kernel holds, whether it still is what
//! this agent made of it, and mending what is not.

use std::time::Instant;

use lb_log as log;

use super::{answers::translates, exhaustion::Exhaustion, run::Agent};

impl Agent {
    /// What no event tells of; to be called every second or so.
    pub(super) async fn look_around(&mut self) {
        self.own_limits.look(&self.scheduler);
        log::tell_left_out();
        self.change_lines.tell_left_out(Instant::now());
        self.restore();
        let Some(balancer) = &mut self.balancer else {
            return;
        };
        self.macs.tell(Some(balancer));
        let now = Instant::now();
        self.tunnel.tend(now);
        balancer.look_at_interfaces(now);
        self.host_watch.look(&balancer.config, now);
        self.count(now).await;
        let Some(balancer) = &mut self.balancer else {
            return;
        };
        let idle_slots = balancer.look_for_quiet_slots();
        if balancer.forget_former_hops(now) || idle_slots {
            self.reconcile(None);
        }
        self.log_warnings(now);
    }

    /// Looks at what modes nat and fullnat count; where there are none, what they lacked is over.
    async fn count(&mut self, now: Instant) {
        let Some(balancer) = &self.balancer else {
            return;
        };
        if !balancer.config.target_groups.iter().any(|group| translates(group)) {
            self.exhaustion = Exhaustion::default();
            self.host_watch.forget_answers();
            return;
        }
        match self.stats.read(&[], &[]) {
            Ok(stats) => self.exhaustion.compare(&stats, now),
            Err(error) => tracing::debug!(%error, "cannot look for shortages"),
        }
        let (config, targets) = (&balancer.config, &balancer.plan.targets);
        self.host_watch.look_at_bindings(config, targets, &self.stats, now).await;
    }

    /// Attaches the program again where it is gone.
    pub(super) fn restore(&mut self) {
        let Some(balancer) = &mut self.balancer else {
            return;
        };
        if balancer.data_path.restore() {
            // With an interface, the kernel has removed its entry of the map of devices.
            self.verify();
            self.reconcile(None);
            self.publish();
        }
    }

    /// Reads the maps back, and mends what somebody else has changed.
    pub(super) fn verify(&mut self) {
        let Some(balancer) = &mut self.balancer else {
            return;
        };
        match balancer.verify() {
            Ok(true) => {}
            Ok(false) => {
                tracing::warn!("the maps do not hold what this agent wrote; mending them");
                self.reconcile(None);
            }
            Err(error) => {
                tracing::error!("cannot verify the maps: {:#}", anyhow::Error::new(error));
            }
        }
    }
}
