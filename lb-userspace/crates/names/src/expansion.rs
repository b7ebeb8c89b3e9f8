//! PURE: a configuration with names, and what they resolved to: the same configuration with these addresses as
//! targets. Whoever plans, checks, shows or proxies sees no name.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use lb_config::{
    AnyGroup, Config, HealthCheck, HealthProtocol, HttpTarget, HttpTargetGroup, Limits,
    NamedTarget, Target, TargetGroup, TargetKey, Unusable, unusable_target,
};

/// Addresses by name.
pub type Addresses = BTreeMap<Arc<str>, Vec<IpAddr>>;

/// A configuration without anything that is not known.
#[derive(Clone, Debug)]
pub struct Expansion {
    /// The configuration, with targets.
    pub config: Config,
    /// From which name each of these targets comes.
    pub origins: BTreeMap<TargetKey, Arc<str>>,
    /// Addresses that are no targets.
    pub left_out: Vec<LeftOut>,
}

/// Addresses of a name that are no targets of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// The group.
    pub group: Arc<str>,
    /// The name.
    pub name: Arc<str>,
    /// Which, and why, for people.
    pub text: String,
    /// Whether people should look at it: not when the name has others, of the family that the group can use.
    pub is_warned_of: bool,
}

/// Whether a configuration has names.
#[must_use]
pub fn has_names(config: &Config) -> bool {
    config.target_groups.iter().any(|group| !group.names.is_empty())
        || config.http_target_groups.iter().any(|group| !group.names.is_empty())
}

/// All names of a configuration.
#[must_use]
pub fn names(config: &Config) -> BTreeSet<Arc<str>> {
    let packets = config.target_groups.iter().flat_map(|group| &group.names);
    let requests = config.http_target_groups.iter().flat_map(|group| &group.names);
    packets.chain(requests).map(|named| Arc::clone(&named.name)).collect()
}

/// Makes addresses of names targets, behind the declared ones. Where all of them are more than is allowed, each
/// name has the same number of addresses at most.
#[must_use]
pub fn expand(config: Config, addresses: &Addresses, limits: &Limits) -> Expansion {
    if !has_names(&config) {
        return Expansion { config, origins: BTreeMap::new(), left_out: Vec::new() };
    }
    let mut most = NamedTarget::ADDRESSES_MAX;
    loop {
        let expansion = Expander { addresses, most, all: &config }.expand();
        if most == 0 || limits.allow_expanded(&expansion.config) {
            return expansion;
        }
        most /= 2;
    }
}

/// One attempt.
struct Expander<'config> {
    addresses: &'config Addresses,
    /// Most addresses of a name.
    most: usize,
    all: &'config Config,
}

impl Expander<'_> {
    fn expand(&self) -> Expansion {
        let config = self.all.clone();
        let mut expansion = Expansion { config, origins: BTreeMap::new(), left_out: Vec::new() };
        let mut tags = None;
        let mut packets = std::mem::take(&mut expansion.config.target_groups);
        for group in packets.iter_mut().filter(|group| !group.names.is_empty()) {
            let found = self.targets(AnyGroup::Packets(group), &group.names, &mut expansion);
            add_tags(self.all, &group.name, &found, &mut tags);
            let group: &mut TargetGroup = Arc::make_mut(group);
            if let Some(name) = only_name(&group.names, group.targets.is_empty()) {
                name_check(&mut group.health_check, &name);
            }
            group.targets.extend(found.into_iter().map(|(address, named)| {
                let NamedTarget { port, weight, backup, .. } = named;
                Target { address, port, weight, backup }
            }));
        }
        let mut requests = std::mem::take(&mut expansion.config.http_target_groups);
        for group in requests.iter_mut().filter(|group| !group.names.is_empty()) {
            let found = self.targets(AnyGroup::Requests(group), &group.names, &mut expansion);
            add_tags(self.all, &group.name, &found, &mut tags);
            let group: &mut HttpTargetGroup = Arc::make_mut(group);
            if let Some(name) = only_name(&group.names, group.targets.is_empty()) {
                name_check(&mut group.health_check, &name);
                if let Some(tls) = &mut group.tls {
                    tls.server_name.get_or_insert_with(|| name.to_string());
                }
            }
            group.targets.extend(found.into_iter().map(|(address, named)| {
                let NamedTarget { port, weight, .. } = named;
                HttpTarget { address, port, weight }
            }));
        }
        (expansion.config.target_groups, expansion.config.http_target_groups) = (packets, requests);
        if let Some(tags) = tags {
            expansion.config.tags = Arc::new(tags);
        }
        expansion
    }

    /// The addresses of a group's names that become targets, each once.
    fn targets(
        &self,
        group: AnyGroup<'_>,
        names: &[NamedTarget],
        expansion: &mut Expansion,
    ) -> Vec<(IpAddr, NamedTarget)> {
        let name_of_group = match group {
            AnyGroup::Packets(group) => &group.name,
            AnyGroup::Requests(group) => &group.name,
        };
        let mut found = Vec::new();
        let mut taken = BTreeSet::new();
        for named in names {
            let addresses = self.addresses.get(&named.name).map_or(&[][..], Vec::as_slice);
            let mut refused: BTreeMap<bool, (String, usize)> = BTreeMap::new();
            let (mut used, mut surplus) = (0, 0);
            for address in addresses {
                let target = SocketAddr::new(*address, named.port);
                if let Some(Unusable { text, is_of_family }) =
                    unusable_target(self.all, group, target)
                {
                    refused.entry(is_of_family).or_insert((text, 0)).1 += 1;
                } else if used == self.most {
                    surplus += 1;
                } else {
                    used += 1;
                    if !group.has_target(target) && taken.insert(target) {
                        let key = TargetKey {
                            group: Arc::clone(name_of_group),
                            address: *address,
                            port: named.port,
                        };
                        expansion.origins.insert(key, Arc::clone(&named.name));
                        found.push((*address, named.clone()));
                    }
                }
            }
            let mut leave_out = |text: String, is_warned_of: bool| {
                let (group, name) = (Arc::clone(name_of_group), Arc::clone(&named.name));
                expansion.left_out.push(LeftOut { group, name, text, is_warned_of });
            };
            for (is_of_family, (text, count)) in refused {
                let more =
                    if count > 1 { format!(" (and {} more)", count - 1) } else { String::new() };
                leave_out(format!("{text}{more}"), !is_of_family || used == 0);
            }
            if surplus > 0 {
                let text = format!(
                    "{surplus} of its addresses are beyond the limits of the agent: each name has {} \
                     at most",
                    self.most
                );
                leave_out(text, true);
            }
        }
        found
    }
}

/// The name whose addresses are all targets of a group.
fn only_name(names: &[NamedTarget], has_no_others: bool) -> Option<Arc<str>> {
    let first = names.first().filter(|_| has_no_others)?;
    names.iter().all(|named| named.name == first.name).then(|| Arc::clone(&first.name))
}

/// A check of a server that is known by its name asks for it, unless it says otherwise.
fn name_check(check: &mut HealthCheck, name: &str) {
    let tls = match &mut check.protocol {
        HealthProtocol::Http(check) => {
            check.host.get_or_insert_with(|| name.to_owned());
            &mut check.tls
        }
        HealthProtocol::Grpc(check) => &mut check.tls,
        _ => return,
    };
    if let Some(tls) = tls {
        tls.server_name.get_or_insert_with(|| name.to_owned());
    }
}

/// Targets of a name have its tags.
fn add_tags(
    config: &Config,
    group: &Arc<str>,
    found: &[(IpAddr, NamedTarget)],
    tags: &mut Option<lb_config::ObjectTags>,
) {
    let declared = config.tags.target_groups.get(group);
    let Some(declared) = declared.filter(|tags| !tags.names.is_empty()) else { return };
    let all = tags.get_or_insert_with(|| (*config.tags).clone());
    let Some(own) = all.target_groups.get_mut(group) else { return };
    let own = Arc::make_mut(own);
    for (address, named) in found {
        if let Some(tags) = declared.names.get(&(Arc::clone(&named.name), named.port)) {
            own.targets.insert((*address, named.port), tags.clone());
        }
    }
}

#[cfg(test)]
mod tests;
