//! PURE: the pools that modes nat and fullnat take bindings from. A pool keeps its number and its
//! bindings as long as its address and ports stay.

use std::{collections::BTreeMap, iter, net::IpAddr, ops::Range};

use lb_common::{
    Family, Mode, Pool,
    nat::{BINDINGS_MAX, FULLNAT_BINDINGS, NAT_BINDINGS, POOLS_MAX},
};

use super::PlanError;
use crate::config::{Config, SourceNat};

/// Plans the pools, by number.
pub(super) fn plan(
    config: &Config,
    previous: &BTreeMap<u8, Pool>,
) -> Result<BTreeMap<u8, Pool>, PlanError> {
    let has = |mode| config.target_groups.iter().any(|group| group.forwarding == mode);
    let mut pools = BTreeMap::new();
    if has(Mode::Nat) {
        pools.insert(0, nat());
    }
    // Mode nat needs them for targets that ask their own listener.
    let is_used = has(Mode::Nat) || has(Mode::Fullnat);
    let Some(source) = config.source_nat.as_ref().filter(|_| is_used) else {
        return Ok(pools);
    };
    let wanted: Vec<Pool> = source.addresses.iter().map(|address| pool(*address, source)).collect();
    let all: usize = wanted.iter().map(|pool| pool.count as usize).sum();
    if all > FULLNAT_BINDINGS {
        return Err(PlanError::TooMany {
            what: "ports in source_nat, over all of its addresses",
            count: all,
            limit: FULLNAT_BINDINGS,
        });
    }
    // With parts of addresses there may be more pools than numbers: then those that have changed are
    // made anew.
    let placed = placed(&wanted, previous, is_part).or_else(|| placed(&wanted, previous, is_same));
    pools.extend(placed.ok_or(PlanError::NoRoomToReplace {
        what: "ports of source_nat",
        limit: FULLNAT_BINDINGS,
    })?);
    Ok(pools)
}

/// In words: addresses and ports whose connections break when `after` takes the place of `before`.
pub(super) fn broken(before: &BTreeMap<u8, Pool>, after: &BTreeMap<u8, Pool>) -> Vec<String> {
    // Without a group that needs them they go with it, and that is no surprise.
    if after.keys().all(|number| usize::from(*number) == Pool::NAT) {
        return Vec::new();
    }
    let gone = before.iter().filter(|(number, pool)| {
        usize::from(**number) != Pool::NAT && after.get(number) != Some(pool)
    });
    let mut ranges: BTreeMap<IpAddr, Vec<(u32, u32)>> = BTreeMap::new();
    for (_, pool) in gone {
        if let Ok(family) = Family::try_from(pool.family) {
            let address = pool.address.to_ip(family);
            let first = u32::from(pool.first_port);
            ranges.entry(address).or_default().push((first, first + pool.count.saturating_sub(1)));
        }
    }
    let text = |(address, mut ranges): (IpAddr, Vec<(u32, u32)>)| {
        ranges.sort_unstable();
        ranges.dedup_by(|next, range| {
            let joins = next.0 == range.1 + 1;
            if joins {
                range.1 = next.1;
            }
            joins
        });
        let ranges: Vec<String> =
            ranges.iter().map(|(first, last)| format!("{first}-{last}")).collect();
        format!(
            "source_nat: open connections through ports {} of {address} break; a range of ports that \
             contains the former one keeps them",
            ranges.join(" and ")
        )
    };
    ranges.into_iter().map(text).collect()
}

fn nat() -> Pool {
    let count = u32::try_from(NAT_BINDINGS).unwrap_or(u32::MAX);
    Pool { count, flags: Pool::READY, ..Pool::default() }
}

fn pool(address: IpAddr, source: &SourceNat) -> Pool {
    Pool {
        address: address.into(),
        first: 0,
        count: u32::from(source.last_port) - u32::from(source.first_port) + 1,
        first_port: source.first_port,
        family: Family::from(&address) as u8,
        reserved: 0,
        flags: Pool::READY,
    }
}

/// Whether a former pool is all of a wanted one.
fn is_same(former: &Pool, wanted: &Pool) -> bool {
    Pool { first: 0, ..*former } == *wanted
}

/// Whether it is some of the ports of a wanted one.
fn is_part(former: &Pool, wanted: &Pool) -> bool {
    let (first, last) = (ports(former).start, ports(former).end);
    former.family == wanted.family
        && former.address == wanted.address
        && first >= ports(wanted).start
        && last <= ports(wanted).end
}

/// The ports of a pool; the end is the first one behind.
fn ports(pool: &Pool) -> Range<u32> {
    let first = u32::from(pool.first_port);
    first..first + pool.count
}

/// The wanted pools, by number: former ones that `is_kept` stay as they are, so that their bindings
/// live, and ports that they lack get pools of their own. `None` when there is no room.
fn placed(
    wanted: &[Pool],
    previous: &BTreeMap<u8, Pool>,
    is_kept: fn(&Pool, &Pool) -> bool,
) -> Option<BTreeMap<u8, Pool>> {
    let kept = |wanted: &Pool| {
        let former = previous.iter().filter(|(number, _)| usize::from(**number) != Pool::NAT);
        former.filter(|(_, former)| is_kept(former, wanted)).map(|(n, p)| (*n, *p)).collect()
    };
    let all: Vec<Vec<(u8, Pool)>> = wanted.iter().map(kept).collect();
    let mut pools: BTreeMap<u8, Pool> = all.iter().flatten().copied().collect();
    for (wanted, kept) in wanted.iter().zip(&all) {
        for new in missing(wanted, kept) {
            let (number, first) = place(&new, &pools, previous)?;
            pools.insert(number, Pool { first, ..new });
        }
    }
    Some(pools)
}

/// The ports of a wanted pool that those that are kept do not have.
fn missing(wanted: &Pool, kept: &[(u8, Pool)]) -> Vec<Pool> {
    let mut known: Vec<Range<u32>> = kept.iter().map(|(_, pool)| ports(pool)).collect();
    known.sort_unstable_by_key(|range| range.start);
    let Range { start, end } = ports(wanted);
    let mut next = start;
    let mut gaps = Vec::new();
    for range in known.into_iter().chain(iter::once(end..end)) {
        if range.start > next {
            gaps.push(next..range.start);
        }
        next = next.max(range.end);
    }
    let part = |gap: Range<u32>| Pool {
        first_port: u16::try_from(gap.start).unwrap_or(u16::MAX),
        count: gap.end - gap.start,
        ..*wanted
    };
    gaps.into_iter().map(part).collect()
}

/// A free number and free bindings: those of a pool that is about to go are not free yet.
fn place(
    pool: &Pool,
    planned: &BTreeMap<u8, Pool>,
    previous: &BTreeMap<u8, Pool>,
) -> Option<(u8, u32)> {
    let taken = || planned.iter().chain(previous).filter(|(number, _)| **number != 0);
    let number = (1..u8::try_from(POOLS_MAX).unwrap_or(u8::MAX))
        .find(|number| taken().all(|(other, _)| other != number))?;
    let start = u32::try_from(NAT_BINDINGS).ok()?;
    let starts = taken().map(|(_, other)| other.first + other.count).chain([start]);
    let fits = |first: &u32| {
        let end = first + pool.count;
        let apart = |other: &Pool| end <= other.first || other.first + other.count <= *first;
        end as usize <= BINDINGS_MAX && taken().all(|(_, other)| apart(other))
    };
    starts.filter(fits).min().map(|first| (number, first))
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

    fn pools(wanted: &SourceNat, previous: &BTreeMap<u8, Pool>) -> Option<BTreeMap<u8, Pool>> {
        let wanted: Vec<Pool> =
            wanted.addresses.iter().map(|address| pool(*address, wanted)).collect();
        placed(&wanted, previous, is_part).or_else(|| placed(&wanted, previous, is_same))
    }

    #[test]
    fn pools_never_overlap_and_stay_where_they_are() {
        let first = pools(&source(&["10.0.0.2", "fd00::2"], 1024..=40_000), &BTreeMap::new());
        let first = first.unwrap();
        assert_eq!(first.keys().copied().collect::<Vec<_>>(), [1, 2]);
        assert_eq!(first[&1].first as usize, NAT_BINDINGS);
        assert_eq!(first[&2].first, first[&1].first + first[&1].count);
        // The first address goes, another comes: not into the place of the one that goes.
        let second = pools(&source(&["fd00::2", "10.0.0.3"], 1024..=40_000), &first).unwrap();
        assert_eq!(second[&2], first[&2]);
        assert_eq!(second[&3].first, first[&2].first + first[&2].count);
        // Now it is free.
        let third = pools(&source(&["fd00::2", "10.0.0.4"], 1024..=40_000), &second).unwrap();
        assert_eq!(third[&1].first as usize, NAT_BINDINGS);
    }

    /// Ports and bindings of an address belong together, and each port is there once.
    fn check(pools: &BTreeMap<u8, Pool>, wanted: &SourceNat) {
        for address in &wanted.addresses {
            let own = || pools.values().filter(|pool| pool.address == (*address).into());
            let mut all: Vec<u32> = own().flat_map(ports).collect();
            all.sort_unstable();
            let expected = u32::from(wanted.first_port)..=u32::from(wanted.last_port);
            assert!(all.into_iter().eq(expected), "{address}");
        }
        let bindings = |pool: &Pool| pool.first..pool.first + pool.count;
        let mut taken: Vec<u32> = pools.values().flat_map(bindings).collect();
        let count = taken.len();
        taken.sort_unstable();
        taken.dedup();
        assert_eq!(taken.len(), count, "a binding of two pools");
    }

    #[test]
    fn a_range_that_contains_the_former_one_keeps_its_bindings() {
        let addresses = ["10.0.0.2", "fd00::2"];
        let mut ranges = [5000..=9000, 5000..=10_000, 4000..=11_000, 1024..=65_535].into_iter();
        let narrow = source(&addresses, ranges.next().unwrap());
        let mut known = pools(&narrow, &BTreeMap::new()).unwrap();
        for range in ranges {
            let wide = source(&addresses, range);
            let after = pools(&wide, &known).unwrap();
            check(&after, &wide);
            assert!(known.iter().all(|(number, pool)| after.get(number) == Some(pool)));
            assert!(broken(&known, &after).is_empty());
            assert_eq!(pools(&wide, &after).unwrap(), after, "nothing to do");
            known = after;
        }
        // What breaks is said: parts that the new range does not contain.
        let moved = source(&addresses[..1], 4000..=10_500);
        let after = pools(&moved, &known).unwrap();
        check(&after, &moved);
        assert_eq!(
            broken(&known, &after),
            [
                "source_nat: open connections through ports 1024-3999 and 10001-65535 of \
                 10.0.0.2 break; a range of ports that contains the former one keeps them",
                "source_nat: open connections through ports 1024-65535 of fd00::2 break; a \
                 range of ports that contains the former one keeps them",
            ]
        );
    }

    #[test]
    fn with_too_many_parts_what_changes_is_made_anew() {
        let addresses: Vec<String> = (2..10).map(|octet| format!("10.0.0.{octet}")).collect();
        let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
        let known = pools(&source(&addresses, 3000..=4000), &BTreeMap::new()).unwrap();
        let wide = source(&addresses, 2000..=5000);
        let after = pools(&wide, &known).unwrap();
        check(&after, &wide);
        assert_eq!(broken(&known, &after).len(), 8);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let full = source(&["10.0.0.2", "10.0.0.3"], 1024..=65_535);
        let first = pools(&full, &BTreeMap::new()).unwrap();
        assert!(pools(&source(&["10.0.0.4"], 1024..=65_535), &first).is_none());
    }
}
