//! PURE: the entries of listeners: exact ones, and those on port ranges and prefixes.
//!
//! A packet looks for the longest prefix only. So the entry of a prefix also has the ranges of the
//! prefixes around it, behind its own: the more specific listener is found first.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use ipnet::IpNet;
use lb_common::{
    Family, Listener, ListenerKey, Mode, PortRange, VipKey, WideKey, WideListeners,
    limits::{LISTENERS_MAX, WIDE_RANGES_MAX},
};
use lb_config::listener_key;
use lb_config::{self as config, Config, Protocol, Stickiness, TargetGroup, UdpFlows};

use super::{Cache, PlanError, Tables, WidePrefix, id_allocator::Ids};

/// Entries of all listeners.
#[derive(Default)]
pub(super) struct Listeners {
    pub(super) exact: BTreeMap<ListenerKey, Listener>,
    pub(super) vips: BTreeSet<VipKey>,
    pub(super) wide: BTreeMap<WidePrefix, WideListeners>,
    /// Ids of those that go to their sorry group.
    pub(super) sorry: BTreeSet<u16>,
}

impl Listeners {
    /// The entries of all of them; one on several ports or addresses may come more than once.
    pub(super) fn all(&self) -> impl Iterator<Item = Listener> + '_ {
        let wide = self.wide.values().flat_map(|wide| &wide.ranges);
        let wide = wide.filter(|range| range.protocol != 0).map(|range| range.listener);
        self.exact.values().copied().chain(wide)
    }
}

/// One listener on several ports or addresses.
struct Wide {
    prefix: IpNet,
    range: PortRange,
}

/// Plans the entries; `groups` has the planned groups.
pub(super) fn plan(
    config: &Config,
    groups: &Cache,
    previous: &Tables,
) -> Result<Listeners, PlanError> {
    let mut ids = Ids::below(LISTENERS_MAX);
    let mut planned = Listeners::default();
    let mut wide = Vec::new();
    let mut taken = BTreeSet::new();
    // Shorter prefixes first: the entry of a longer one repeats their ranges, and would give a new
    // listener the number of theirs.
    let found: HashMap<&str, &TargetGroup> =
        config.target_groups.iter().map(|group| (&*group.name, &**group)).collect();
    let mut sorted: Vec<&config::Listener> = config.listeners.iter().map(Arc::as_ref).collect();
    sorted.sort_by_key(|listener| (listener.exact().is_none(), listener.address.prefix_len()));
    for listener in sorted {
        let is_sorry = is_sorry(listener, groups);
        let name = if is_sorry { listener.sorry_target_group.as_deref() } else { None };
        let name = name.unwrap_or(&listener.target_group);
        let (group, found) = group(listener, name, &found, groups)?;
        let key = listener_key(listener);
        let id = listener_id(listener, previous)
            .filter(|id| !taken.contains(id))
            .or_else(|| ids.take(|| used(previous)))
            .ok_or(PlanError::NoRoomToReplace { what: "listeners", limit: LISTENERS_MAX - 1 })?;
        taken.insert(id);
        if is_sorry {
            planned.sorry.insert(id);
        }
        let entry = entry(listener, id, group, found);
        if let Some(key) = key {
            planned.vips.insert(key.vip());
            planned.exact.insert(key, entry);
        } else {
            wide.push(Wide { prefix: listener.address, range: range(listener, entry) });
        }
    }
    for one in &wide {
        planned.wide.insert(prefix(&one.prefix), around(&one.prefix, &wide)?);
    }
    Ok(planned)
}

/// Whether a listener goes to its sorry group: its own is down, and that one is not.
fn is_sorry(listener: &config::Listener, groups: &Cache) -> bool {
    let is_down = |name: &str| groups.group(name).is_some_and(|group| group.is_down);
    let Some(sorry) = &listener.sorry_target_group else {
        return false;
    };
    let serves = |name: &str| groups.group(name).is_some_and(|group| group.serves());
    is_down(&listener.target_group) && serves(sorry)
}

/// A group of a listener, and its id.
fn group<'config>(
    listener: &config::Listener,
    name: &str,
    found: &HashMap<&str, &'config TargetGroup>,
    groups: &Cache,
) -> Result<(u16, &'config TargetGroup), PlanError> {
    let id = groups.group(name).map(|group| group.id);
    id.zip(found.get(name).copied()).ok_or_else(|| PlanError::GroupMissing {
        listener: listener.name.clone(),
        group: name.to_owned(),
    })
}

/// The id that a listener has in these tables, whether it is exact or not.
#[must_use]
pub fn listener_id(listener: &config::Listener, tables: &Tables) -> Option<u16> {
    match listener_key(listener) {
        Some(key) => tables.listeners.get(&key).map(|entry| entry.id),
        None => known_range(listener, tables),
    }
}

/// Listener ids that are in use.
fn used(tables: &Tables) -> impl Iterator<Item = u16> + '_ {
    tables.all_listeners().map(|listener| listener.id)
}

/// The id that a listener had, by its prefix, ports and protocol.
fn known_range(listener: &config::Listener, previous: &Tables) -> Option<u16> {
    let wanted = range(listener, Listener::default());
    let ranges = &previous.wide.get(&prefix(&listener.address))?.ranges;
    let same =
        |range: &&PortRange| PortRange { listener: Listener::default(), ..**range } == wanted;
    ranges.iter().find(same).map(|range| range.listener.id)
}

fn entry(listener: &config::Listener, id: u16, group: u16, found: &TargetGroup) -> Listener {
    Listener {
        id,
        group,
        // Whole seconds up to 6,000, as the configuration has them.
        idle_timeout: u16::try_from(listener.idle_timeout.as_secs()).unwrap_or(u16::MAX),
        flags: flags(listener, found),
    }
}

fn flags(listener: &config::Listener, group: &TargetGroup) -> u16 {
    let translates = matches!(group.forwarding, Mode::Nat | Mode::Fullnat);
    let tracks = listener.protocol == Protocol::Udp && listener.udp_flows == UdpFlows::Tracked;
    let resets = listener.protocol == Protocol::Tcp && group.life.connection_termination;
    let flags = [
        (translates, Listener::NAT),
        // A binding remembers a flow anyway.
        (tracks && !translates, Listener::TRACKED),
        (listener.protocol == Protocol::Quic && !translates, Listener::QUIC),
        (group.life.stickiness == Stickiness::SourceIp, Listener::STICKY),
        (resets && !translates, Listener::RESETS),
    ];
    flags.into_iter().filter(|(on, _)| *on).map(|(_, flag)| flag).sum()
}

fn range(listener: &config::Listener, entry: Listener) -> PortRange {
    PortRange {
        first: listener.ports.first,
        last: listener.ports.last,
        protocol: u16::from(listener.protocol.number()),
        reserved: 0,
        listener: entry,
    }
}

fn prefix(net: &IpNet) -> WidePrefix {
    let address = net.network();
    WidePrefix {
        length: WideKey::FAMILY_BITS + u32::from(net.prefix_len()),
        key: WideKey::new(Family::from(&address), address.into()),
    }
}

/// Every range that covers a prefix, the most specific first.
fn around(net: &IpNet, wide: &[Wide]) -> Result<WideListeners, PlanError> {
    let mut ranges: Vec<&Wide> = wide.iter().filter(|one| one.prefix.contains(net)).collect();
    if ranges.len() > WIDE_RANGES_MAX {
        return Err(PlanError::TooMany {
            what: "listeners on port ranges or prefixes that cover one address",
            count: ranges.len(),
            limit: WIDE_RANGES_MAX,
        });
    }
    ranges.sort_by_key(|one| {
        let width = one.range.last - one.range.first;
        (std::cmp::Reverse(one.prefix.prefix_len()), width, one.range.first, one.range.protocol)
    });
    let mut listeners = WideListeners::default();
    for (place, one) in listeners.ranges.iter_mut().zip(ranges) {
        *place = one.range;
    }
    Ok(listeners)
}
