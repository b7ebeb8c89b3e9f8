//! DNS names of targets in the agent's loop: `lb_dns` asks for them, `lb_names` makes targets of their addresses,
//! and what is known of them outlives the agent.

mod edits;
pub(super) mod known;
mod view;

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use lb_config::{Config, TargetKey};
use lb_names::{Expansion, LeftOut, expand, expansion::names};

use super::{Refusal, balancer::Balancer, first_lookup::FIRST_WAIT, run::Agent};

pub(super) use edits::{address_to_drain, only_address};
pub use view::NameView;

/// Addresses are stored at most this often: a time to live may be a second.
const STORE_INTERVAL: Duration = Duration::from_secs(1);
impl Agent {
    /// Names of the first configuration: those that were known to the agent before are its at once, others are
    /// waited for, for a bounded time.
    pub(super) async fn begin_names(&mut self, config: &Config) {
        let stored = self.source.runtime().map(|runtime| runtime.names.clone());
        let resolver = &self.names.resolver;
        resolver.restore(stored.unwrap_or_default());
        let (names, servers): (_, Vec<SocketAddr>) = (names(config), config.dns_servers.clone());
        if !names.is_empty() {
            resolver.first(&names, Some(servers), FIRST_WAIT).await;
        }
    }

    /// A configuration with the addresses of its names, and then the members of its scaled groups, as targets.
    pub(super) fn expanded(&self, config: Config) -> Expansion {
        let addresses = self.names.resolver.addresses();
        let mut expansion = expand(config, &addresses, &self.options.limits);
        expansion.config = self.with_members(expansion.config);
        expansion
    }

    /// Takes the names of a configuration over.
    pub(super) fn configure_names(&mut self, config: &Config) {
        let servers = &config.dns_servers;
        self.names.resolver.follow(&names(config), servers);
        self.names.declared = Some(config.clone());
        self.names.is_unstored = true;
    }

    /// Notes what came of an expansion that is in use now.
    pub(super) fn note_names(
        &mut self,
        origins: BTreeMap<TargetKey, Arc<str>>,
        left_out: Vec<LeftOut>,
    ) {
        self.names.note(left_out);
        if let Some(balancer) = &mut self.balancer {
            balancer.set_origins(origins);
        }
    }

    /// The present configuration with all targets; `None` before there is one.
    pub(super) fn effective(&self) -> Option<Expansion> {
        self.names.declared.clone().map(|config| self.expanded(config))
    }

    /// Makes what names resolve to now targets; those that were drain like targets that are removed.
    pub(super) fn follow_names(&mut self) {
        let Some(Expansion { config, origins, left_out }) = self.effective() else { return };
        self.note_names(origins, left_out);
        let Some(balancer) = &mut self.balancer else { return };
        let of_packets = balancer.set_named_targets(&config);
        let of_requests = balancer.set_targets_of_requests(&config);
        if of_packets || of_requests {
            self.names.is_unstored = true;
            self.reconcile(None);
        }
        if of_requests {
            // The plan does not have them.
            self.follow();
        }
        self.store_names();
        self.log_warnings(Instant::now());
    }

    /// Stores the addresses of names, for an agent that starts while no server answers.
    pub(super) fn store_names(&mut self) {
        let now = Instant::now();
        let is_due = self.names.stored_at.is_none_or(|at| now - at >= STORE_INTERVAL);
        if !self.names.is_unstored || !is_due {
            return;
        }
        self.names.stored_at = Some(now);
        match self.keep_runtime() {
            Ok(()) => self.names.is_unstored = false,
            Err(error) => {
                tracing::error!(%error, "addresses of names will be lost at a restart");
            }
        }
    }

    /// Refuses what would change an address of a name alone.
    pub(super) fn refuse_edit_of_name(&self, edit: &lb_config::Edit) -> Result<(), Refusal> {
        let origins = self.balancer.as_ref().map(Balancer::origins);
        origins.map_or(Ok(()), |origins| edits::refuse(edit, origins))
    }
}

impl Balancer {
    /// Makes the targets of a configuration those of the groups that have names. Whether that is a change.
    fn set_named_targets(&mut self, config: &Config) -> bool {
        let with_names = config.target_groups.iter().filter(|group| !group.names.is_empty());
        let wanted: BTreeMap<&str, _> = with_names.map(|group| (&*group.name, group)).collect();
        let mut differs = false;
        for present in &mut self.config.target_groups {
            let Some(group) = wanted.get(&*present.name) else { continue };
            if present.targets != group.targets {
                *present = Arc::clone(group);
                differs = true;
            }
        }
        if differs {
            self.config.tags = Arc::clone(&config.tags);
        }
        differs
    }

    /// From which names targets come, also those that have left their name and finish their flows.
    fn set_origins(&mut self, origins: BTreeMap<TargetKey, Arc<str>>) {
        let before = std::mem::replace(&mut self.origins, origins);
        let leaving = self.plan.targets.iter().map(|report| &report.key);
        let former = leaving.filter_map(|key| Some((key.clone(), before.get(key)?.clone())));
        for (key, name) in former.collect::<Vec<_>>() {
            self.origins.entry(key).or_insert(name);
        }
    }

    /// The same, as it is known.
    pub(super) const fn origins(&self) -> &BTreeMap<TargetKey, Arc<str>> {
        &self.origins
    }
}

#[cfg(test)]
mod tests;
