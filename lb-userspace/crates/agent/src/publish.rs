//! The agent's state for API and metrics: built for each request, and once a second while somebody
//! watches it.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use lb_common::abi::ABI;
use lb_log as log;

use super::{
    HealthStats, MemoryView, Process, Snapshot, process, run::Agent, status_line::Overview, view,
};

impl Agent {
    pub(super) fn publish(&self) {
        let mut snapshot = Snapshot {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            abi: ABI,
            pid: std::process::id(),
            started_at: self.started_at,
            source: self.source.describe(),
            applied_count: self.applied_count,
            last_error: self.last_error.clone(),
            health: self.health_stats(),
            memory: self.memory(),
            network_namespace: process::network_namespace(),
            drop_ages: self.counter_ages.seconds(Instant::now()),
            scaled_groups: self.scaling.groups(),
            members: self.scaling.members(),
            certificates: self.certificates.views(),
            event_hooks: self.event_hooks.views(),
            names: self.names.views(Instant::now()),
            ..Snapshot::default()
        };
        if let Some(balancer) = &self.balancer {
            view::describe(balancer, &self.scheduler, &self.options, &mut snapshot);
        }
        let published = self.publisher.published();
        snapshot.proxies = self.proxies.views(published.as_deref(), Instant::now());
        snapshot.log_lines_lost = log::loss().lines;
        snapshot.warn(self.warnings());
        self.snapshots.send_replace(Arc::new(snapshot));
    }

    /// The agent in one line.
    pub(super) fn status_line(&self) -> String {
        let overview = self.balancer.as_ref().map(Overview::of).unwrap_or_default();
        overview.line(&self.last_error)
    }

    /// Tells proxies what has changed, if anything has.
    pub(super) fn publish_to_proxies(&mut self) {
        let Self { balancer, publisher, source, applied_count, .. } = self;
        let Some(balancer) = balancer else { return };
        // Members of scaled groups and addresses of names are part of what proxies get as configuration.
        let state = (*applied_count + balancer.http.member_changes, balancer.http.changes);
        if !publisher.has(state) && balancer.http.is_ready(Instant::now()) {
            let config = &balancer.config;
            let whole = || (source.document(), source.revision(), config);
            publisher.publish(state, whole, &balancer.http.reports);
        }
    }

    fn memory(&self) -> MemoryView {
        let maps = self.stats.memory().unwrap_or_else(|error| {
            tracing::warn!("{:#}", anyhow::Error::new(error));
            BTreeMap::new()
        });
        MemoryView::new(maps, &Process::now())
    }

    fn health_stats(&self) -> HealthStats {
        let stats = self.scheduler.stats().snapshot();
        let reaction = self.balancer.as_ref().map_or(Duration::ZERO, |b| b.last_reaction);
        HealthStats {
            checked_targets: self.scheduler.targets() as u64,
            probes: stats.probes_started,
            probes_failed: stats.probes_failed,
            probes_inconclusive: stats.probes_inconclusive,
            probes_late: stats.probes_late,
            lateness_us_p50: stats.lateness_p50_us,
            lateness_us_p99: stats.lateness_p99_us,
            lateness_ms_max: stats.lateness_max_us / 1000,
            last_reaction_us: u64::try_from(reaction.as_micros()).unwrap_or(u64::MAX),
        }
    }
}
