//! Scaled groups that the proxy reaches: their members become its targets, and what proxies say of
//! requests is what the data path says of packets for others.

use std::{
    collections::{BTreeMap, HashMap},
    net::SocketAddr,
    sync::Arc,
    time::Instant,
};

use lb_common::target::TargetState;
use lb_config::{Config, HttpTargetGroup};
use lb_scaling::{GroupSeen, TargetSeen};

use super::{
    balancer::Balancer,
    proxies::{Proxies, Publisher},
};

impl Balancer {
    /// Makes members and addresses of names the targets of the groups that the proxy reaches. Whether
    /// that is a change.
    pub(super) fn set_targets_of_requests(&mut self, config: &Config) -> bool {
        let moving =
            |group: &&Arc<HttpTargetGroup>| group.scaling.is_some() || !group.names.is_empty();
        let moving = config.http_target_groups.iter().filter(moving);
        let wanted: HashMap<&str, &Arc<HttpTargetGroup>> =
            moving.map(|group| (&*group.name, group)).collect();
        let mut differs = false;
        for present in &mut self.config.http_target_groups {
            let Some(group) = wanted.get(&*present.name) else { continue };
            if present.targets != group.targets {
                *present = Arc::clone(group);
                differs = true;
            }
        }
        if differs {
            self.config.tags = Arc::clone(&config.tags);
            self.http.follow_members(&self.config);
        }
        differs
    }

    /// Adds what is known of groups that the proxy reaches.
    pub(super) fn see_requests(
        &self,
        watched: &BTreeMap<Arc<str>, bool>,
        proxies: &Proxies,
        publisher: &Publisher,
        seen: &mut BTreeMap<Arc<str>, GroupSeen>,
    ) {
        let groups = self.config.http_target_groups.iter().map(|group| &*group.name);
        let groups: Vec<&str> = groups.filter(|name| watched.contains_key(*name)).collect();
        if groups.is_empty() {
            return;
        }
        let now = Instant::now();
        for (name, requests) in proxies.requests(&groups, now) {
            if let Some(group) = seen.get_mut(name.as_str()) {
                group.requests = Some(requests);
            }
        }
        for report in &self.http.reports {
            let Some(group) = seen.get_mut(&report.key.group) else { continue };
            group.fails_open |= report.in_ring && report.state == TargetState::Unhealthy;
            let drains = report.state == TargetState::Draining;
            let flows =
                drains.then(|| proxies.requests_of_draining(&report.key, publisher, now)).flatten();
            let healthy = match self.http.health.get(&report.key).map(|health| health.state) {
                Some(TargetState::Healthy) => Some(true),
                Some(TargetState::Unhealthy) => Some(false),
                _ => None,
            };
            let address = SocketAddr::new(report.key.address, report.key.port);
            let target = TargetSeen { healthy, drains, traffic: None, flows };
            group.targets.insert(address, target);
        }
    }
}
