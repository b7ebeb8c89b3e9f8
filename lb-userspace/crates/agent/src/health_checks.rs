//! What the health checker should do, from the configuration and from targets that finish their flows.

use std::{collections::HashSet, sync::Arc};

use lb_config::{Config, HttpTargetGroup, TargetGroup, TargetKey, Via};
use lb_health::CheckSpec;

use super::{
    balancer::{Balancer, key},
    run::Agent,
};

impl Agent {
    /// Checks the health of the targets that there are, and follows their next hops.
    pub(super) fn follow(&mut self) {
        if let Some(balancer) = &self.balancer {
            self.scheduler.set(balancer.checks());
            self.resolver.watch(balancer.addresses());
        }
    }
}

impl Balancer {
    /// Input of the health checker: every target is checked, also those of groups that no listener
    /// uses, so that a listener that switches to such a group finds targets in service. Only a
    /// probe through the tunnel needs the VIP of a listener.
    pub(super) fn checks(&self) -> Vec<CheckSpec> {
        let used: HashSet<&str> = used_groups(&self.config).collect();
        let groups = self.config.target_groups.iter();
        groups
            .filter(|group| group.health_check.via == Via::Address || used.contains(&*group.name))
            .flat_map(|group| {
                group.targets.iter().map(|target| {
                    let target = key(&group.name, target);
                    self.check_spec(target, group)
                })
            })
            .chain(self.leaving_checks())
            .chain(self.http_checks())
            .collect()
    }

    /// Targets that the proxy reaches are checked at their own address.
    fn http_checks(&self) -> impl Iterator<Item = CheckSpec> + '_ {
        self.config.http_target_groups.iter().flat_map(|group| {
            let keys = group.targets.iter().map(|target| group.key(target));
            keys.map(|target| {
                let resume = self.http.health.get(&target).map(|health| health.state);
                CheckSpec { target, check: group.health_check.clone(), resume }
            })
        })
    }

    fn check_spec(&self, target: TargetKey, group: &TargetGroup) -> CheckSpec {
        let resume = self.health.get(&target).map(|health| health.state);
        CheckSpec { target, check: group.health_check.clone(), resume }
    }

    /// Targets that finish their flows are checked as well: those of a dead one move at once.
    fn leaving_checks(&self) -> impl Iterator<Item = CheckSpec> + '_ {
        self.plan.targets.iter().filter(|report| report.leaving).filter_map(|report| {
            let mut groups = self.config.target_groups.iter().chain(&self.removed_groups);
            let group = groups.find(|group| group.name == report.key.group)?;
            Some(self.check_spec(report.key.clone(), group))
        })
    }

    /// Whether another configuration has the same targets, checked in the same way.
    pub(super) fn checks_alike(&self, other: &Config) -> bool {
        let (now, then) = (&self.config.target_groups, &other.target_groups);
        let places = |group: &TargetGroup, other: &TargetGroup| {
            let pairs = group.targets.iter().zip(&other.targets);
            group.targets.len() == other.targets.len()
                && pairs
                    .into_iter()
                    .all(|(one, two)| (one.address, one.port) == (two.address, two.port))
        };
        let groups = now.len() == then.len()
            && now.iter().zip(then).all(|(one, two)| {
                Arc::ptr_eq(one, two)
                    || one.name == two.name
                        && one.health_check == two.health_check
                        && places(one, two)
            });
        // Some are checked only while listeners use them.
        let used = |config| used_groups(config).collect::<HashSet<_>>();
        groups && used(&self.config) == used(other) && http_checks_alike(&self.config, other)
    }
}

/// The same for the groups that the proxy reaches.
fn http_checks_alike(now: &Config, then: &Config) -> bool {
    let (now, then) = (&now.http_target_groups, &then.http_target_groups);
    let keys = |group: &HttpTargetGroup| -> Vec<TargetKey> {
        group.targets.iter().map(|target| group.key(target)).collect()
    };
    now.len() == then.len()
        && now.iter().zip(then).all(|(one, two)| {
            Arc::ptr_eq(one, two) || one.health_check == two.health_check && keys(one) == keys(two)
        })
}

/// The groups that listeners forward to; some more than once.
fn used_groups(config: &Config) -> impl Iterator<Item = &str> {
    config.listeners.iter().flat_map(|listener| listener.target_groups())
}
