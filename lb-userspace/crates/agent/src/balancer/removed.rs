//! Groups and targets that have left the configuration while their targets finish their flows.

use std::net::IpAddr;

use lb_config::{Config, TargetKey};
use lb_dataplane::StoreError;
use lb_store::Store;

use super::Balancer;
use crate::forgotten;

impl Balancer {
    /// Recalls groups that have left the configuration before this agent, and whose targets still finish
    /// their flows.
    pub(crate) fn restore_removed_groups(
        &mut self,
        store: &mut dyn Store,
    ) -> Result<(), StoreError> {
        let names = forgotten::names(&self.config, self.reconciler.current()?);
        self.removed_groups = forgotten::restore_removed(store, &names);
        Ok(())
    }

    /// Keeps the groups of the previous configuration that this one does not have: their targets
    /// are checked while they finish their flows.
    pub(super) fn keep_removed(&mut self, previous: Config) {
        let groups = &self.config.target_groups;
        let is_configured = |name: &str| groups.iter().any(|group| *group.name == *name);
        // Before the first plan this is not known: some may have been restored from the maps.
        let unplanned = self.plan.targets.is_empty();
        let leaves = |name: &str| {
            unplanned || self.plan.targets.iter().any(|report| *report.key.group == *name)
        };
        self.removed_groups.retain(|group| leaves(&group.name));
        self.removed_groups.extend(previous.target_groups);
        self.removed_groups.retain(|group| !is_configured(&group.name));
    }

    /// The target that has left the configuration with this group, address and port.
    pub(crate) fn leaving(
        &self,
        group: &str,
        address: IpAddr,
        port: Option<u16>,
    ) -> Option<TargetKey> {
        let leaving = self.plan.targets.iter().filter(|report| report.leaving);
        let mut keys = leaving.map(|report| &report.key);
        keys.find(|key| {
            *key.group == *group
                && key.address == address
                && port.is_none_or(|port| port == key.port)
        })
        .cloned()
    }

    /// Ends the flows of a target that is, or will be, no longer in the configuration.
    pub(crate) fn cut(&mut self, target: TargetKey) {
        self.cut.insert(target);
    }
}
