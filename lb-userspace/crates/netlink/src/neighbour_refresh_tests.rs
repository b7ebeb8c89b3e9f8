//! Scripts of `neighbour_refresh`: seconds go by, the table changes, requests are due or not.

use super::*;

const KEY: (u32, std::net::IpAddr) =
    (2, std::net::IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 9)));

fn entry(state: NeighbourState, managed: bool) -> Neighbour {
    let known = !matches!(state, NeighbourState::Incomplete | NeighbourState::Failed);
    Neighbour { state, mac: known.then_some([2, 0, 0, 0, 0, 9]), managed, learned: false }
}

fn table(neighbour: Option<Neighbour>) -> Neighbours {
    neighbour.map(|entry| (KEY, entry)).into_iter().collect()
}

/// A keeper that wants the one neighbour.
fn keeper() -> NeighbourRefresher {
    let mut keeper = NeighbourRefresher::default();
    let released = keeper.want(&BTreeSet::from([KEY]), &Neighbours::new());
    assert_eq!(released, []);
    keeper
}

/// Runs a keeper for some seconds with an entry that does not change, waking only when it says
/// so; gives the seconds at which it asked.
fn asked_at(neighbour: Option<Neighbour>, seconds: u64) -> Vec<u64> {
    let table = table(neighbour);
    let mut keeper = keeper();
    let start = Instant::now();
    let mut now = start;
    let mut asked = Vec::new();
    loop {
        if !keeper.due(&table, now).is_empty() {
            asked.push(now.duration_since(start).as_secs());
        }
        match keeper.next_due(&table, now) {
            Some(next) if next <= start + Duration::from_secs(seconds) => {
                assert!(next > now, "it would be woken at once, for nothing");
                now = next;
            }
            _ => return asked,
        }
    }
}

#[test]
fn when_a_neighbour_is_asked_for() {
    let first = || (0..30).collect::<Vec<u64>>();
    let silent: Vec<u64> = [first(), vec![34, 39, 44]].concat();
    for (name, neighbour, wanted) in [
        ("no entry", None, silent.clone()),
        ("failed", Some(entry(NeighbourState::Failed, true)), silent.clone()),
        ("incomplete, kernel before 5.16", Some(entry(NeighbourState::Incomplete, false)), silent),
        ("the kernel is at it", Some(entry(NeighbourState::Incomplete, true)), vec![]),
        ("managed", Some(entry(NeighbourState::Reachable, true)), vec![]),
        ("managed and stale", Some(entry(NeighbourState::Stale, true)), vec![]),
        ("kernel before 5.16", Some(entry(NeighbourState::Stale, false)), vec![0, 15, 30, 45]),
        ("permanent", Some(entry(NeighbourState::Permanent, false)), vec![]),
        ("no ARP on the interface", Some(entry(NeighbourState::Noarp, false)), vec![]),
    ] {
        assert_eq!(asked_at(neighbour, 45), wanted, "{name}");
    }
}

#[test]
fn a_neighbour_that_answered_is_tried_often_again_when_it_falls_silent() {
    let mut keeper = keeper();
    let start = Instant::now();
    let later = |seconds| start + Duration::from_secs(seconds);
    let failed = table(Some(entry(NeighbourState::Failed, true)));
    let good = table(Some(entry(NeighbourState::Reachable, true)));
    assert_eq!(keeper.due(&failed, start).len(), 1);
    assert_eq!(keeper.due(&failed, later(60)).len(), 1);
    assert_eq!(keeper.next_due(&failed, later(60)), Some(later(65)));
    assert_eq!(keeper.due(&good, later(61)), []);
    assert_eq!(keeper.next_due(&good, later(61)), None);
    assert_eq!(keeper.due(&failed, later(70)).len(), 1);
    assert_eq!(keeper.next_due(&failed, later(70)), Some(later(71)));
}

#[test]
fn only_our_own_mark_is_taken_off() {
    let none = BTreeSet::new();
    for (name, before, after, wanted) in [
        ("asked for a new entry", None, Some(entry(NeighbourState::Reachable, true)), true),
        ("asked for, and its event is under way", None, None, true),
        (
            "marked by somebody else, who also has it probed",
            Some(entry(NeighbourState::Failed, true)),
            Some(entry(NeighbourState::Reachable, true)),
            false,
        ),
        ("made permanent meanwhile", None, Some(entry(NeighbourState::Permanent, false)), false),
        (
            "never asked for",
            Some(entry(NeighbourState::Permanent, false)),
            Some(entry(NeighbourState::Permanent, false)),
            false,
        ),
    ] {
        let mut keeper = keeper();
        drop(keeper.due(&table(before), Instant::now()));
        let after = table(after);
        assert_eq!(keeper.ours(&after).len(), usize::from(wanted), "{name}");
        let released = keeper.want(&none, &after);
        assert_eq!(released.len(), usize::from(wanted), "{name}");
        assert!(!keeper.wants(KEY));
        assert_eq!(keeper.want(&none, &after), [], "{name}: once");
    }
}

#[test]
fn a_mark_of_a_control_plane_is_kept() {
    let mut keeper = keeper();
    let learned = Neighbour { learned: true, ..entry(NeighbourState::Stale, false) };
    let asks = keeper.due(&table(Some(learned)), Instant::now());
    let ask = Ask { key: KEY, learned: true };
    assert_eq!(asks, [ask]);
    assert_eq!(keeper.ours(&table(Some(learned))), [ask]);
}

#[test]
fn refusals_are_news_once_and_forgotten_when_the_neighbour_answers() {
    let mut keeper = keeper();
    assert_eq!(keeper.refusal(KEY), None);
    assert!(keeper.answered(KEY, Some(libc::ENOBUFS)));
    assert!(!keeper.answered(KEY, Some(libc::ENOBUFS)));
    assert_eq!(keeper.refusal(KEY), Some(libc::ENOBUFS));
    let good = table(Some(entry(NeighbourState::Reachable, true)));
    assert_eq!(keeper.due(&good, Instant::now()), []);
    assert_eq!(keeper.refusal(KEY), None);
}
