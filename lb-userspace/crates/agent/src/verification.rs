//! Periodic checks: whether the kernel's state is still that of this agent, and repairs if not.

use std::time::Instant;

use lb_log as log;

use super::{answers::translates, run::Agent};

impl Agent {
    /// Checks without an event; to be called about every second.
    pub(super) async fn run_periodic_checks(&mut self) {
        self.own_limits.poll(&self.scheduler);
        log::log_left_out();
        self.change_lines.log_left_out(Instant::now());
        self.restore();
        let Some(balancer) = &mut self.balancer else {
            return;
        };
        self.macs.publish_to(Some(balancer));
        let now = Instant::now();
        self.tunnel.repair(now);
        balancer.check_interfaces(now);
        self.host_watch.poll(&balancer.config, now);
        self.count(now).await;
        let Some(balancer) = &mut self.balancer else {
            return;
        };
        let idle_slots = balancer.update_idle_slots();
        if balancer.expire_next_hops(now) || idle_slots {
            self.reconcile(None);
        }
        self.log_warnings(now);
    }

    /// What this host has beside the data path: routes of VIPs, and certificates.
    pub(super) fn follow_host(&mut self) {
        if let Some(balancer) = &self.balancer {
            let now = Instant::now();
            self.vip_routes.update(&balancer.config, self.applied_count, now);
            self.certificates.update(&balancer.config, self.applied_count, now);
        }
    }

    /// Reads the counters, and the bindings of modes nat and fullnat.
    async fn count(&mut self, now: Instant) {
        let Some(balancer) = &self.balancer else {
            return;
        };
        match self.stats.read(&[], &[]) {
            Ok(stats) => {
                self.exhaustion.compare(&stats, now);
                self.counter_ages.compare(&stats.drops, now);
            }
            Err(error) => tracing::debug!(%error, "cannot read the counters"),
        }
        if !balancer.config.target_groups.iter().any(|group| translates(group)) {
            self.host_watch.forget_answers();
            return;
        }
        let (config, targets) = (&balancer.config, &balancer.plan.targets);
        self.host_watch.check_bindings(config, targets, &self.stats, now).await;
    }

    /// Attaches the program again where it was removed.
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

    /// Reads the maps back, and repairs what another process has changed.
    pub(super) fn verify(&mut self) {
        let Some(balancer) = &mut self.balancer else {
            return;
        };
        match balancer.verify() {
            Ok(true) => {}
            Ok(false) => {
                tracing::warn!("the maps differ from what this agent wrote; repairing them");
                self.reconcile(None);
            }
            Err(error) => {
                tracing::error!("cannot verify the maps: {:#}", anyhow::Error::new(error));
            }
        }
    }
}
