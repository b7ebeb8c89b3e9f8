//! Properties of rings; docs/ring.md has the measured distributions.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr},
};

use proptest::prelude::*;
use siphasher::sip::SipHasher24;

use super::*;

/// Members with the addresses 10.x.0.1, 10.x.0.2, ... and the ids 1, 2, ...
pub(super) fn members(network: u8, weights: &[u32]) -> Vec<Member> {
    (1_u16..)
        .zip(weights)
        .map(|(id, weight)| {
            let [high, low] = id.to_be_bytes();
            Member {
                id,
                identity: identity(IpAddr::V4(Ipv4Addr::new(10, network, high, low)), 80),
                weight: *weight,
            }
        })
        .collect()
}

pub(super) fn ring(members: &[Member]) -> Vec<u16> {
    build(members, ring_bits(members.len(), None))
}

/// Part of the slots whose owner differs, not counting those of `expected`, which must move.
pub(super) fn moved(before: &[u16], after: &[u16], expected: u16) -> f64 {
    let moved = before
        .iter()
        .zip(after)
        .filter(|(before, after)| before != after && ![**before, **after].contains(&expected))
        .count();
    part(moved, before.len())
}

#[expect(clippy::cast_precision_loss, reason = "a ring has at most 2^21 slots")]
pub(super) fn part(slots: usize, all: usize) -> f64 {
    slots as f64 / all as f64
}

fn check_shares(members: &[Member], owners: &[u16]) {
    let total: u32 = members.iter().map(|member| member.weight).sum();
    let mut slots: BTreeMap<u16, u32> = BTreeMap::new();
    for owner in owners {
        *slots.entry(*owner).or_default() += 1;
    }
    assert_eq!(slots.len(), members.len(), "everyone has a slot, nobody has none");
    for member in members {
        let share =
            f64::from(member.weight) / f64::from(total) * f64::from(1 << owners.len().ilog2());
        let has = f64::from(slots[&member.id]);
        assert!(
            (has - share).abs() <= (share * 0.02).max(1.0),
            "{member:?} has {has} slots of {}, its share is {share}",
            owners.len()
        );
    }
}

fn weights() -> impl Strategy<Value = Vec<u32>> {
    prop_oneof![
        prop::collection::vec(1_u32..=1000, 2..=1000),
        prop::collection::vec(1_u32..=2, 2..=1000),
        prop::collection::vec(prop_oneof![Just(1_u32), Just(1000)], 2..=1000),
        (2_usize..=1000, 1_u32..=1000).prop_map(|(n, weight)| vec![weight; n]),
        (2_usize..=1000).prop_map(|n| {
            let mut weights = vec![1; n];
            weights[n / 2] = 1000;
            weights
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn each_target_has_its_share(weights in weights(), network in 0_u8..255) {
        let members = members(network, &weights);
        check_shares(&members, &ring(&members));
    }

    #[test]
    fn neither_order_nor_ids_matter(
        weights in prop::collection::vec(1_u32..=1000, 2..=60),
        seed in any::<u64>(),
    ) {
        let first = members(1, &weights);
        let mut second = first.clone();
        second.sort_by_key(|member| member.identity ^ seed);
        for (id, member) in (100_u16..).zip(&mut second) {
            member.id = id;
        }
        let identities = |members: &[Member], owners: Vec<u16>| -> Vec<u64> {
            let by_id: BTreeMap<u16, u64> =
                members.iter().map(|member| (member.id, member.identity)).collect();
            owners.iter().map(|owner| by_id[owner]).collect()
        };
        prop_assert_eq!(
            identities(&first, ring(&first)),
            identities(&second, ring(&second))
        );
    }

    /// Removing and adding are the same two rings in the other order.
    #[test]
    fn removing_or_adding_one_moves_little_more_than_its_share(
        n in 2_usize..=200,
        network in 0_u8..255,
        pick in any::<prop::sample::Index>(),
    ) {
        let all = members(network, &vec![1; n]);
        let bits = ring_bits(n, None);
        let mut rest = all.clone();
        let gone = rest.remove(pick.index(n));
        let more = moved(&build(&all, bits), &build(&rest, bits), gone.id);
        let most = if n <= 20 { 0.025 } else { 0.035 };
        prop_assert!(more <= most, "n={n}: {more} of the slots moved beyond its own share");
    }

    #[test]
    fn a_change_of_one_weight_moves_little_else(
        n in 2_usize..=200,
        network in 0_u8..255,
        pick in any::<prop::sample::Index>(),
        weight in 1_u32..=1000,
    ) {
        let mut all = members(network, &vec![100; n]);
        let before = ring(&all);
        let changed = &mut all[pick.index(n)];
        changed.weight = weight;
        let changed = changed.id;
        let more = moved(&before, &ring(&all), changed);
        prop_assert!(more <= 0.08, "n={n} weight={weight}: {more} of the slots moved between others");
    }

    #[test]
    fn doubling_keeps_most_slots(n in 2_usize..=200, network in 0_u8..255) {
        let members = members(network, &vec![1; n]);
        let bits = ring_bits(n, None);
        let doubled: Vec<u16> =
            build(&members, bits).into_iter().flat_map(|owner| [owner, owner]).collect();
        let change = moved(&doubled, &build(&members, bits + 1), 0);
        prop_assert!(change <= 0.04, "n={n}: {change} of the slots moved");
    }
}

#[test]
fn equal_weights_are_within_one_slot() {
    for n in [2_u16, 3, 7, 40, 41, 333, 1000] {
        let owners = ring(&members(3, &vec![77; usize::from(n)]));
        let mut slots = vec![0; usize::from(n) + 1];
        for owner in owners {
            slots[usize::from(owner)] += 1;
        }
        let (least, most) = (slots[1..].iter().min(), slots[1..].iter().max());
        assert!(most.unwrap() - least.unwrap() <= 1, "n={n}: {least:?} to {most:?}");
    }
}

#[test]
fn sizes_are_powers_of_two_and_only_grow() {
    let cases = [
        (0, None, 12),
        (1, None, 12),
        (40, None, 12),
        (41, None, 13),
        (81, None, 13),
        (82, None, 14),
        (1000, None, 17),
        (16_383, None, 21),
        (usize::MAX, None, 21),
        (1, Some(14), 14),
        (200, Some(14), 15),
        (1, Some(200), 21),
    ];
    for (targets, previous, bits) in cases {
        assert_eq!(ring_bits(targets, previous), bits, "{targets} targets, {previous:?} before");
    }
}

#[test]
fn odd_members() {
    assert_eq!(build(&[], 12), vec![0; 4096]);
    let mut one = members(1, &[5]);
    assert_eq!(build(&one, 12), vec![1; 4096]);
    one[0].weight = 0;
    assert_eq!(build(&one, 12), vec![0; 4096], "weight 0 takes nothing");
    let crowd = members(1, &[1; 20]);
    assert!(build(&crowd, 4).iter().all(|owner| *owner != 0), "more members than slots");
    let twins =
        [one[0], Member { id: 2, weight: 3, ..one[0] }, Member { id: 1, weight: 3, ..one[0] }];
    let mut reversed = twins;
    reversed.reverse();
    assert_eq!(build(&twins, 12), build(&reversed, 12), "colliding identities");
}

/// The same on every machine: hashes of rings, each slot as two bytes, little-endian.
#[test]
fn rings_are_the_golden_ones() {
    let v6 = |last: u16| Member {
        id: last,
        identity: identity(IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, last]), 8080),
        weight: u32::from(last) * 10,
    };
    let cases = [
        ("three equal", members(0, &[1; 3]), 12, 0x2169_d5a7_1e03_3919),
        (
            "forty, weights 1 to 40",
            members(0, &(1..=40).collect::<Vec<_>>()),
            12,
            0xc7d6_cd2b_ac75_3f1c,
        ),
        ("a thousand equal", members(7, &[100; 1000]), 17, 0xf21f_fb2f_c993_9212),
        ("IPv6, weights 10 to 90, grown", (1..=9).map(v6).collect(), 15, 0xb2ba_fd9e_7dfd_a37c_u64),
    ];
    let mut found = Vec::new();
    for (name, members, bits, golden) in cases {
        let bytes: Vec<u8> =
            build(&members, bits).iter().flat_map(|owner| owner.to_le_bytes()).collect();
        let hash = SipHasher24::new_with_keys(0, 0).hash(&bytes);
        found.push((name, hash, golden));
    }
    let wrong: Vec<_> = found.iter().filter(|(_, hash, golden)| hash != golden).collect();
    assert!(wrong.is_empty(), "a fleet of mixed versions would disagree: {wrong:#x?}");
}
