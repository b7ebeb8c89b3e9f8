//! Effects of the resolver on the kernel's neighbour table, and when it sends updates.

use std::{collections::BTreeMap, time::Duration};

use super::{SOON, address, lab::Lab};

/// Waits until `ip neigh` of the host says what is wanted of an address.
async fn until_entry(lab: &Lab, address: &str, wanted: impl Fn(&str) -> bool) {
    let mut entry = String::new();
    for _ in 0..50 {
        entry = lab.host(&format!("neigh show {address}"));
        if wanted(&entry) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the entry of {address} is still {entry:?}");
}

#[test]
fn neighbours_are_managed_while_they_are_watched() {
    let lab = Lab::new();
    // The mark of another process stays.
    lab.host("neigh add fd09::2 dev v0 managed");
    let managed = |entry: &str| entry.contains("managed");
    let unmanaged = |entry: &str| !entry.is_empty() && !entry.contains("managed");
    lab.run(async |mut observer| {
        let targets = ["10.9.0.2", "10.9.0.3", "fd09::2"];
        lab.peer("addr add 10.9.0.3/16 dev v1");
        observer.watch(&targets);
        for target in targets {
            observer.until_resolved(target, SOON).await;
            until_entry(&lab, target, managed).await;
        }
        observer.watch(&["10.9.0.2"]);
        observer.until_all(SOON, |states| states.len() == 1).await;
        until_entry(&lab, "10.9.0.3", unmanaged).await;
        until_entry(&lab, "10.9.0.2", managed).await;
        until_entry(&lab, "fd09::2", managed).await;
        drop(observer);
        until_entry(&lab, "10.9.0.2", unmanaged).await;
        until_entry(&lab, "fd09::2", managed).await;
    });
}

#[test]
fn the_end_of_the_runtime_releases_neighbours_too() {
    let lab = Lab::new();
    lab.run(async |mut observer| {
        observer.watch(&["10.9.0.2"]);
        observer.until_resolved("10.9.0.2", SOON).await;
        std::mem::forget(observer);
    });
    let entry = lab.host("neigh show 10.9.0.2");
    assert!(!entry.is_empty() && !entry.contains("managed"), "the entry is {entry:?}");
}

#[test]
fn permanent_neighbours_are_used_and_left_alone() {
    let lab = Lab::new();
    lab.host("neigh add 10.9.0.5 dev v0 lladdr 02:00:00:00:00:05 nud permanent");
    lab.host("neigh add fd09::5 dev v0 lladdr 02:00:00:00:00:05 nud permanent");
    lab.run(async |mut observer| {
        observer.watch(&["10.9.0.5", "fd09::5"]);
        for target in ["10.9.0.5", "fd09::5"] {
            let mac = [2, 0, 0, 0, 0, 5];
            observer.until_mac(target, mac, SOON).await;
        }
        tokio::time::sleep(Duration::from_millis(1500)).await;
        drop(observer);
        tokio::time::sleep(Duration::from_millis(100)).await;
        for target in ["10.9.0.5", "fd09::5"] {
            let entry = lab.host(&format!("neigh show {target}"));
            let left = entry.contains("PERMANENT") && !entry.contains("managed");
            assert!(left, "the entry of {target} is {entry:?}");
        }
    });
}

#[test]
fn no_update_is_sent_without_a_difference() {
    let lab = Lab::new();
    lab.run(async |mut observer| {
        // Nothing is watched, so no update is sent.
        lab.host("addr add 10.40.0.1/16 dev v0");
        let quiet = Duration::from_millis(200);
        assert!(tokio::time::timeout(quiet, observer.updates.recv()).await.is_err());

        observer.watch(&["10.9.0.2"]);
        observer.until_resolved("10.9.0.2", SOON).await;
        lab.host("addr add 10.41.0.1/16 dev v0");
        lab.host("route add 10.42.0.0/16 via 10.9.0.2");
        lab.host("neigh add 10.9.0.9 dev v0 lladdr 02:00:00:00:00:09 nud reachable");
        lab.host("link set lo mtu 60000");
        observer.watch(&["10.9.0.2"]);
        let update = tokio::time::timeout(quiet, observer.updates.recv()).await;
        assert!(update.is_err(), "it told {update:?}");

        // An empty set is news, once.
        observer.watch(&[]);
        observer.until_all(SOON, BTreeMap::is_empty).await;
        observer.watch(&[]);
        let update = tokio::time::timeout(quiet, observer.updates.recv()).await;
        assert!(update.is_err(), "it told {update:?}");
    });
}

#[test]
fn an_address_that_is_added_and_one_that_is_left_out() {
    let lab = Lab::new();
    lab.peer("addr add 10.9.0.3/16 dev v1");
    lab.run(async |mut observer| {
        observer.watch(&["10.9.0.2"]);
        observer.until_resolved("10.9.0.2", SOON).await;
        observer.watch(&["10.9.0.2", "10.9.0.3"]);
        observer.until_resolved("10.9.0.3", SOON).await;
        assert_eq!(observer.last.len(), 2);
        observer.watch(&["10.9.0.3"]);
        observer.until_all(SOON, |states| states.len() == 1).await;
        assert!(observer.last.contains_key(&address("10.9.0.3")));
    });
}

#[test]
fn lost_events_are_made_up_for() {
    let lab = Lab::new();
    // One line in a hundred is about the target.
    let flood: Vec<String> = (0..40_000)
        .map(|line| {
            let (host, last) = (if line % 100 == 0 { 2 } else { 99 }, line % 7);
            format!(
                "neigh replace 10.9.0.{host} dev v0 lladdr 02:00:00:00:01:0{last} nud permanent"
            )
        })
        .collect();
    lab.run(async |mut observer| {
        observer.watch(&["10.9.0.2"]);
        observer.until_resolved("10.9.0.2", SOON).await;
        // This thread is the only one of its runtime: no events are read meanwhile. What does not
        // fit the socket's buffer is lost: early changes wait there, the last one is gone.
        lab.host_batch(&flood.join("\n"));
        lab.host("neigh replace 10.9.0.2 dev v0 lladdr 02:00:00:00:00:88 nud permanent");
        let mac = [2, 0, 0, 0, 0, 0x88];
        observer.until_mac("10.9.0.2", mac, SOON * 5).await;
        let update = tokio::time::timeout(SOON, observer.updates.recv()).await;
        assert!(update.is_err(), "the past came back: {update:?}");
    });
}
