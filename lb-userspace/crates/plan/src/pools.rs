//! PURE: the addresses and ports that flows of mode fullnat come from. An address keeps its index
//! as long as it is in the configuration; no flow depends on more.

use std::{collections::BTreeMap, net::IpAddr, ops::Range};

use lb_common::{Family, Mode, Pool, nat::POOLS_MAX};
use lb_config::{Config, SourceNat};

/// Plans the pools, by place.
pub(super) fn plan(config: &Config, previous: &BTreeMap<u8, Pool>) -> BTreeMap<u8, Pool> {
    // Mode nat needs them for targets that ask their own listener.
    let translates = |mode| matches!(mode, Mode::Nat | Mode::Fullnat);
    let is_used = config.target_groups.iter().any(|group| translates(group.forwarding));
    match config.source_nat.as_ref().filter(|_| is_used) {
        Some(source) => {
            placed(source.addresses.iter().map(|address| pool(*address, source)), previous)
        }
        None => BTreeMap::new(),
    }
}

/// In words: addresses and ports whose connections break when `after` takes the place of `before`.
pub(super) fn broken(before: &BTreeMap<u8, Pool>, after: &BTreeMap<u8, Pool>) -> Vec<String> {
    // Without a group that needs them they go with it, and that is no surprise.
    if after.is_empty() {
        return Vec::new();
    }
    let text = |pool: &Pool| {
        let address = pool.address.to_ip(Family::try_from(pool.family).ok()?);
        let gone = missing(pool, after.values().find(|other| other.address == pool.address));
        let ranges: Vec<String> =
            gone.iter().map(|range| format!("{}-{}", range.start, range.end - 1)).collect();
        (!ranges.is_empty()).then(|| {
            format!(
                "source_nat: open connections through ports {} of {address} break; a range that \
                 contains the previous ports keeps them",
                ranges.join(" and ")
            )
        })
    };
    before.values().filter_map(text).collect()
}

fn pool(address: IpAddr, source: &SourceNat) -> Pool {
    Pool {
        address: address.into(),
        count: u32::from(source.last_port) - u32::from(source.first_port) + 1,
        flags: Pool::READY,
        first_port: source.first_port,
        family: Family::from(&address) as u8,
        reserved: [0; 5],
    }
}

/// The ports of a pool; the end is the first one behind.
fn ports(pool: &Pool) -> Range<u32> {
    let first = u32::from(pool.first_port);
    first..first + pool.count
}

/// The ports of a pool that the one after it does not have.
fn missing(pool: &Pool, after: Option<&Pool>) -> Vec<Range<u32>> {
    let Range { start, end } = ports(pool);
    let kept = after.map_or(start..start, ports);
    let parts = [start..end.min(kept.start.max(start)), start.max(kept.end)..end];
    parts.into_iter().filter(|part| !part.is_empty()).collect()
}

/// The wanted pools, by place: each where its address was; a new one where none was, if there is such a
/// place, so that flows of an address that goes end last.
fn placed(wanted: impl Iterator<Item = Pool>, previous: &BTreeMap<u8, Pool>) -> BTreeMap<u8, Pool> {
    let same =
        |one: &Pool, other: &Pool| one.address == other.address && one.family == other.family;
    let (mut pools, mut new) = (BTreeMap::new(), Vec::new());
    for pool in wanted {
        match previous.iter().find(|(_, previous)| same(previous, &pool)) {
            Some((place, _)) => {
                pools.insert(*place, pool);
            }
            None => new.push(pool),
        }
    }
    for pool in new {
        let family = if pool.family == Family::V4 as u8 { Family::V4 } else { Family::V6 };
        let first = Pool::first_place(family);
        let mut places = (first..first + POOLS_MAX).filter_map(|place| u8::try_from(place).ok());
        let free = |place: &u8| !pools.contains_key(place);
        let unused = |place: &u8| free(place) && !previous.contains_key(place);
        // The configuration limits addresses to the number of indices.
        if let Some(place) = places.clone().find(unused).or_else(|| places.find(free)) {
            pools.insert(place, pool);
        }
    }
    pools
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(addresses: &[&str], ports: std::ops::RangeInclusive<u16>) -> SourceNat {
        SourceNat {
            addresses: addresses.iter().map(|address| address.parse().unwrap()).collect(),
            first_port: *ports.start(),
            last_port: *ports.end(),
        }
    }

    fn pools(wanted: &SourceNat, previous: &BTreeMap<u8, Pool>) -> BTreeMap<u8, Pool> {
        placed(wanted.addresses.iter().map(|address| pool(*address, wanted)), previous)
    }

    /// Places and addresses.
    fn shown(pools: &BTreeMap<u8, Pool>) -> Vec<(u8, String)> {
        let address = |pool: &Pool| pool.address.to_ip(Family::try_from(pool.family).unwrap());
        pools.iter().map(|(place, pool)| (*place, address(pool).to_string())).collect()
    }

    #[test]
    fn an_address_keeps_its_place() {
        let text = |pools: &[(u8, &str)]| {
            pools.iter().map(|(place, address)| (*place, (*address).to_owned())).collect::<Vec<_>>()
        };
        let all = 1024..=65_535;
        let first =
            pools(&source(&["10.0.0.2", "fd00::2", "10.0.0.3"], all.clone()), &BTreeMap::new());
        assert_eq!(shown(&first), text(&[(0, "10.0.0.2"), (1, "10.0.0.3"), (16, "fd00::2")]));
        // Another order, one that goes, and one that comes: not into the place of the one that goes.
        let second = pools(&source(&["10.0.0.4", "fd00::2", "10.0.0.3"], all.clone()), &first);
        assert_eq!(shown(&second), text(&[(1, "10.0.0.3"), (2, "10.0.0.4"), (16, "fd00::2")]));
        let third = pools(&source(&["10.0.0.5", "10.0.0.4", "10.0.0.3"], all.clone()), &second);
        assert_eq!(shown(&third), text(&[(0, "10.0.0.5"), (1, "10.0.0.3"), (2, "10.0.0.4")]));
        // All go, and as many come.
        let many: Vec<String> = (0..16).map(|octet| format!("10.0.0.{octet}")).collect();
        let others: Vec<String> = (0..16).map(|octet| format!("10.0.1.{octet}")).collect();
        let of = |names: &[String]| {
            source(&names.iter().map(|name| &**name).collect::<Vec<_>>(), all.clone())
        };
        let full = pools(&of(&many), &BTreeMap::new());
        assert_eq!(pools(&of(&others), &full).len(), 16);
    }

    #[test]
    fn a_range_that_contains_the_previous_one_breaks_nothing() {
        let addresses = ["10.0.0.2", "fd00::2"];
        let mut ranges = [5000..=9000, 5000..=10_000, 4000..=11_000, 1024..=65_535].into_iter();
        let mut known = pools(&source(&addresses, ranges.next().unwrap()), &BTreeMap::new());
        for range in ranges {
            let wide = source(&addresses, range);
            let after = pools(&wide, &known);
            assert!(broken(&known, &after).is_empty());
            assert_eq!(pools(&wide, &after), after, "nothing to do");
            known = after;
        }
        // Ports that the new range does not contain are reported.
        let after = pools(&source(&addresses[..1], 4000..=10_500), &known);
        assert_eq!(
            broken(&known, &after),
            [
                "source_nat: open connections through ports 1024-3999 and 10501-65535 of 10.0.0.2 \
                 break; a range that contains the previous ports keeps them",
                "source_nat: open connections through ports 1024-65535 of fd00::2 break; a range \
                 that contains the previous ports keeps them",
            ]
        );
        let apart = pools(&source(&addresses[..1], 2000..=3000), &after);
        assert!(broken(&after, &apart)[0].contains("ports 4000-10500 of"));
        assert!(broken(&apart, &after)[0].contains("ports 2000-3000 of"));
        assert!(broken(&known, &BTreeMap::new()).is_empty(), "no group needs them");
    }
}
