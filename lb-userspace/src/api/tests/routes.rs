//! Each route, with the client of the command line and with plain HTTP.

use serde_json::{Value, json};

use super::fake::{Answer, Fake, snapshot};
use crate::{
    agent::Request,
    api::{StatsView, TargetAdd, TargetPatch},
    config,
};

#[tokio::test]
async fn what_is_asked_for_is_shown() {
    let fake = Fake::start(Answer::Done);
    let all = serde_json::to_value(snapshot()).unwrap();
    let of = |group: &str| -> Value {
        let targets = all["targets"].as_array().unwrap().iter();
        targets.filter(|target| target["group"] == group).cloned().collect()
    };
    let nothing = serde_json::to_value(StatsView::default()).unwrap();
    for (path, wanted) in [
        ("/v1/status", &all),
        ("/v1/listeners", &all["listeners"]),
        ("/v1/target-groups", &all["target_groups"]),
        ("/v1/targets", &all["targets"]),
        ("/v1/targets?group=web", &of("web")),
        ("/v1/targets?group=dns", &of("dns")),
        ("/v1/targets?group=none", &json!([])),
        // Before the first configuration there is no map to read.
        ("/v1/stats", &nothing),
    ] {
        let answer = fake.http("GET", path, "").await;
        assert_eq!((answer.status, &answer.body), (200, wanted), "{path}");
    }
    assert_eq!(fake.asked(), Vec::<String>::new());
    assert_eq!(fake.client().status().await.unwrap(), snapshot());
    assert_eq!(fake.client().stats().await.unwrap(), StatsView::default());
}

#[tokio::test]
async fn the_newest_state_is_shown() {
    let fake = Fake::start(Answer::Done);
    fake.snapshots.send_modify(|now| std::sync::Arc::make_mut(now).pid = 43);
    assert_eq!(fake.client().status().await.unwrap().pid, 43);
}

#[tokio::test]
async fn changes_reach_the_agent_over_http() {
    let target = "/v1/target-groups/web/targets/10.0.1.13";
    let six = "/v1/target-groups/a%20b%2Fc/targets/2001:db8::13?port=81";
    for (method, path, body, wanted) in [
        (
            "POST",
            "/v1/target-groups/web/targets",
            r#"{"address": "10.0.1.13"}"#,
            r#"TargetAdd { group: "web", address: 10.0.1.13, port: None, weight: None }"#,
        ),
        (
            "POST",
            "/v1/target-groups/web/targets",
            r#"{"address": "2001:db8::13", "port": 81, "weight": 7}"#,
            r#"TargetAdd { group: "web", address: 2001:db8::13, port: Some(81), weight: Some(7) }"#,
        ),
        (
            "PATCH",
            target,
            r#"{"weight": 0}"#,
            r#"TargetWeight { group: "web", address: 10.0.1.13, port: None, weight: 0 }"#,
        ),
        (
            "PATCH",
            six,
            r#"{"drain": true}"#,
            r#"TargetDrain { group: "a b/c", address: 2001:db8::13, port: Some(81), drain: true }"#,
        ),
        (
            "PATCH",
            target,
            r#"{"drain": false}"#,
            r#"TargetDrain { group: "web", address: 10.0.1.13, port: None, drain: false }"#,
        ),
        (
            "DELETE",
            target,
            "",
            r#"TargetRemove { group: "web", address: 10.0.1.13, port: None, now: false }"#,
        ),
    ] {
        let fake = Fake::start(Answer::Done);
        let answer = fake.http(method, path, body).await;
        assert_eq!((answer.status, answer.body), (200, json!({"message": "done"})), "{path}");
        assert_eq!(fake.asked(), [wanted], "{method} {path}");
    }
}

#[tokio::test]
async fn changes_reach_the_agent_from_the_command_line() {
    let fake = Fake::start(Answer::Done);
    let client = fake.client();
    let address = "2001:db8::13".parse().unwrap();
    let odd = "a b/ü?#%";
    let add = TargetAdd { address, port: None, weight: Some(7) };
    assert_eq!(client.target_add(odd, &add).await.unwrap(), "done");
    client.target_remove(odd, address, Some(81), true).await.unwrap();
    let weight = TargetPatch { weight: Some(3), drain: None };
    client.target_patch(odd, address, None, &weight).await.unwrap();
    let drain = TargetPatch { weight: None, drain: Some(true) };
    client.target_patch("..", address, Some(81), &drain).await.unwrap();
    assert_eq!(
        fake.asked(),
        [
            format!(
                "TargetAdd {{ group: {odd:?}, address: {address}, port: None, weight: Some(7) }}"
            ),
            format!(
                "TargetRemove {{ group: {odd:?}, address: {address}, port: Some(81), now: true }}"
            ),
            format!("TargetWeight {{ group: {odd:?}, address: {address}, port: None, weight: 3 }}"),
            format!(
                "TargetDrain {{ group: \"..\", address: {address}, port: Some(81), drain: true }}"
            ),
        ]
    );
}

#[tokio::test]
async fn a_configuration_arrives_as_it_was_sent() {
    let text = "interfaces: [eth0]\ntarget_groups:\n  - { name: web, protocol: tcp, port: 80, \
                forwarding: ipip, targets: [{ address: 10.0.1.11 }] }\n";
    let (document, _, _) = config::parse(text, "x.yaml").unwrap();
    let fake = Fake::start(Answer::Done);
    fake.client().apply(&document).await.unwrap();
    let asked = fake.asked.lock().unwrap();
    let [Request::Apply(arrived)] = asked.as_slice() else {
        panic!("{asked:?}");
    };
    let json = |document| serde_json::to_value(document).unwrap();
    assert_eq!(json(arrived.as_ref()), json(&document));
    assert_eq!(json(arrived)["target_groups"][0]["port"], 80);
}

#[tokio::test]
async fn events_can_be_waited_for_and_waiting_is_bounded() {
    let fake = Fake::start(Answer::Done);
    let empty = fake.http("GET", "/v1/events", "").await;
    assert_eq!((empty.status, empty.body), (200, json!({"events": [], "next": 1, "lost": 0})));
    let begun = std::time::Instant::now();
    let waited = fake.http("GET", "/v1/events?since=1&wait=1", "").await;
    assert_eq!(waited.status, 200);
    assert!(begun.elapsed() >= std::time::Duration::from_secs(1));
    let long = fake.http("GET", "/v1/events?wait=31", "").await;
    let error = json!({"error": "`wait` is 31 and must be at most 30 seconds"});
    assert_eq!((long.status, long.body), (400, error));
}
