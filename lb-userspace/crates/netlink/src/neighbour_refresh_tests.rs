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

/// A refresher with one neighbour.
fn refresher() -> NeighbourRefresher {
    let mut refresher = NeighbourRefresher::default();
    let released = refresher.want(&BTreeSet::from([KEY]), &Neighbours::new());
    assert_eq!(released, []);
    refresher
}

/// Runs a refresher for some seconds with a constant entry, waking only at its times; returns the
/// seconds of its requests.
fn asked_at(neighbour: Option<Neighbour>, seconds: u64) -> Vec<u64> {
    let table = table(neighbour);
    let mut refresher = refresher();
    let start = Instant::now();
    let mut now = start;
    let mut asked = Vec::new();
    loop {
        if !refresher.due(&table, now).is_empty() {
            asked.push(now.duration_since(start).as_secs());
        }
        match refresher.next_due(&table, now) {
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
    let mut refresher = refresher();
    let start = Instant::now();
    let later = |seconds| start + Duration::from_secs(seconds);
    let failed = table(Some(entry(NeighbourState::Failed, true)));
    let good = table(Some(entry(NeighbourState::Reachable, true)));
    assert_eq!(refresher.due(&failed, start).len(), 1);
    assert_eq!(refresher.due(&failed, later(60)).len(), 1);
    assert_eq!(refresher.next_due(&failed, later(60)), Some(later(65)));
    assert_eq!(refresher.due(&good, later(61)), []);
    assert_eq!(refresher.next_due(&good, later(61)), None);
    assert_eq!(refresher.due(&failed, later(70)).len(), 1);
    assert_eq!(refresher.next_due(&failed, later(70)), Some(later(71)));
}

#[test]
fn only_our_own_mark_is_removed() {
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
        let mut refresher = refresher();
        drop(refresher.due(&table(before), Instant::now()));
        let after = table(after);
        assert_eq!(refresher.ours(&after).len(), usize::from(wanted), "{name}");
        let released = refresher.want(&none, &after);
        assert_eq!(released.len(), usize::from(wanted), "{name}");
        assert!(!refresher.wants(KEY));
        assert_eq!(refresher.want(&none, &after), [], "{name}: once");
    }
}

#[test]
fn a_mark_of_a_control_plane_is_kept() {
    let mut refresher = refresher();
    let learned = Neighbour { learned: true, ..entry(NeighbourState::Stale, false) };
    let asks = refresher.due(&table(Some(learned)), Instant::now());
    let ask = Ask { key: KEY, learned: true };
    assert_eq!(asks, [ask]);
    assert_eq!(refresher.ours(&table(Some(learned))), [ask]);
}

#[test]
fn refusals_are_news_once_and_forgotten_when_the_neighbour_answers() {
    let mut refresher = refresher();
    assert_eq!(refresher.refusal(KEY), None);
    assert!(refresher.answered(KEY, Some(libc::ENOBUFS)));
    assert!(!refresher.answered(KEY, Some(libc::ENOBUFS)));
    assert_eq!(refresher.refusal(KEY), Some(libc::ENOBUFS));
    let good = table(Some(entry(NeighbourState::Reachable, true)));
    assert_eq!(refresher.due(&good, Instant::now()), []);
    assert_eq!(refresher.refusal(KEY), None);
}
