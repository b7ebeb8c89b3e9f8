//! What the agent's loop knows of names, and the words for it.

use std::{collections::BTreeMap, sync::Arc, time::Instant};

use lb_config::Config;
use lb_dns::Resolver;
use lb_names::{
    LeftOut,
    expansion::{Addresses, names},
};
use lb_plan::warning::{Warning, WarningKind};

/// Groups and addresses that a warning names.
const NAMED_MAX: usize = 4;

/// Most warnings of a kind: when a DNS server is gone, thousands of names may fail at once.
pub(super) const WARNED_MAX: usize = 10;

/// What the loop knows of names.
#[derive(Debug, Default)]
pub(crate) struct Names {
    pub(crate) resolver: Resolver,
    /// The configuration as it is declared.
    pub(super) declared: Option<Config>,
    /// Addresses that are no targets.
    pub(super) left_out: Vec<LeftOut>,
    /// Whether what is stored may be older than what is known, and when it was stored last.
    pub(super) is_unstored: bool,
    pub(super) stored_at: Option<Instant>,
}

impl Names {
    /// What is known, to be stored: of names of the configuration only.
    pub(crate) fn known(&self) -> Addresses {
        let Some(config) = &self.declared else { return Addresses::new() };
        let wanted = names(config);
        let mut known = self.resolver.addresses();
        known.retain(|name, _| wanted.contains(name));
        known
    }

    /// Names of the configuration that have no addresses yet, and the groups that miss them.
    fn unresolved(&self) -> BTreeMap<Arc<str>, Vec<Arc<str>>> {
        let Some(config) = &self.declared else { return BTreeMap::new() };
        let known = self.resolver.addresses();
        let mut all: BTreeMap<Arc<str>, Vec<Arc<str>>> = BTreeMap::new();
        for (name, group) in uses(config).filter(|(name, _)| !known.contains_key(name)) {
            all.entry(name).or_default().push(group);
        }
        all
    }

    /// What whoever applies a configuration should know of its names.
    pub(crate) fn remarks(&self) -> impl Iterator<Item = String> {
        self.unresolved().into_iter().map(|(name, groups)| {
            format!(
                "the name {name} is not resolved yet: until it is, {} none of its targets",
                have(&groups)
            )
        })
    }

    /// What people should look at.
    pub(crate) fn warnings(&self) -> Vec<Warning> {
        let unresolved = self.unresolved();
        let (mut failing, mut left_out) = (Vec::new(), Vec::new());
        for followed in self.resolver.views() {
            let (name, life) = (&followed.name, &followed.life);
            if !life.error.is_empty() {
                let error = &life.error;
                let text = if let Some(groups) = unresolved.get(name) {
                    format!(
                        "the name {name} has never been resolved, and {} none of its targets: {error}",
                        have(groups)
                    )
                } else {
                    let last: Vec<String> = life.addresses().map(|one| one.to_string()).collect();
                    format!(
                        "the name {name} cannot be resolved, and its last addresses stay in use ({}): \
                         {error}",
                        shortened(&last)
                    )
                };
                failing.push(Warning::new(WarningKind::NameUnresolved, &**name, text));
            }
            if life.surplus() > 0 {
                let used = life.addresses().count();
                let text = format!(
                    "the name {name} has {} addresses: the lowest {used} of them are targets",
                    used + life.surplus()
                );
                left_out.push(Warning::new(WarningKind::NameAddressesLeftOut, &**name, text));
            }
        }
        left_out.extend(self.left_out.iter().filter(|one| one.is_warned_of).map(|one| {
            let LeftOut { group, name, text, .. } = one;
            let text =
                format!("target group {group}: not all addresses of {name} are targets: {text}");
            Warning::new(WarningKind::NameAddressesLeftOut, &**name, text)
        }));
        let mut all = few(failing, WarningKind::NameUnresolved);
        all.append(&mut few(left_out, WarningKind::NameAddressesLeftOut));
        all
    }

    /// Says what is newly left out, and why.
    pub(super) fn note(&mut self, left_out: Vec<LeftOut>) {
        for LeftOut { group, name, text, .. } in
            left_out.iter().filter(|one| !self.left_out.contains(one))
        {
            tracing::info!(group = &**group, name = &**name, "an address is no target: {text}");
        }
        self.left_out = left_out;
    }
}

/// The names of a configuration, and the group that has each.
fn uses(config: &Config) -> impl Iterator<Item = (Arc<str>, Arc<str>)> + '_ {
    let packets = config.target_groups.iter().map(|group| (&group.name, &group.names));
    let requests = config.http_target_groups.iter().map(|group| (&group.name, &group.names));
    packets.chain(requests).flat_map(|(group, names)| {
        names.iter().map(|named| (Arc::clone(&named.name), Arc::clone(group)))
    })
}

/// `target group web has`, or several.
fn have(groups: &[Arc<str>]) -> String {
    match groups {
        [one] => format!("target group {one} has"),
        several => {
            let names: Vec<String> = several.iter().map(ToString::to_string).collect();
            format!("target groups {} have", shortened(&names))
        }
    }
}

/// The first warnings of a kind, and how many others there are.
pub(super) fn few(mut all: Vec<Warning>, kind: WarningKind) -> Vec<Warning> {
    let more = all.len().saturating_sub(WARNED_MAX);
    all.truncate(WARNED_MAX);
    if more > 0 {
        let text = format!(
            "{more} more warnings of this kind: `names` in `xelb status -o json` has all names"
        );
        all.push(Warning::new(kind, "others", text));
    }
    all
}

fn shortened(texts: &[String]) -> String {
    let more = texts.len().saturating_sub(NAMED_MAX);
    let named = texts.iter().take(NAMED_MAX).cloned().collect::<Vec<_>>().join(", ");
    if more > 0 { format!("{named} and {more} more") } else { named }
}
