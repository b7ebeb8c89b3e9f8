//! PURE: the pools that modes nat and fullnat take bindings from. A pool keeps its number and its
//! bindings as long as its address and ports stay.

use std::{collections::BTreeMap, net::IpAddr};

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
    let Some(source) = config.source_nat.as_ref().filter(|_| has(Mode::Fullnat)) else {
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
    let (known, new): (Vec<_>, Vec<_>) =
        wanted.into_iter().partition(|pool| find(pool, previous).is_some());
    pools.extend(known.iter().filter_map(|pool| find(pool, previous)));
    for pool in new {
        let (number, first) = place(&pool, &pools, previous).ok_or(PlanError::NoRoomToReplace {
            what: "ports of source_nat",
            limit: FULLNAT_BINDINGS,
        })?;
        pools.insert(number, Pool { first, ..pool });
    }
    Ok(pools)
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

/// The previous pool with the same address and ports.
fn find(pool: &Pool, previous: &BTreeMap<u8, Pool>) -> Option<(u8, Pool)> {
    let same = |known: &Pool| Pool { first: 0, ..*known } == *pool;
    previous.iter().find(|(number, known)| **number != 0 && same(known)).map(|(n, p)| (*n, *p))
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
        let mut planned = BTreeMap::new();
        for address in &wanted.addresses {
            let pool = pool(*address, wanted);
            let (number, found) = match find(&pool, previous) {
                Some(known) => known,
                None => place(&pool, &planned, previous)
                    .map(|(number, first)| (number, Pool { first, ..pool }))?,
            };
            planned.insert(number, found);
        }
        Some(planned)
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

    #[test]
    fn what_does_not_fit_is_refused() {
        let full = source(&["10.0.0.2", "10.0.0.3"], 1024..=65_535);
        let first = pools(&full, &BTreeMap::new()).unwrap();
        assert!(pools(&source(&["10.0.0.4"], 1024..=65_535), &first).is_none());
    }
}
