//! Each route, with the client of the command line and with plain HTTP.

use lb_agent::{Action, Request};
use lb_config::{self as config, TargetAddress};
use serde_json::{Value, json};

use super::fake::{Answer, Fake, revision, snapshot};
use crate::{StatsView, TargetAdd, TargetPatch, Terms};

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
            r#"Edit(AddTarget { group: "web", address: Ip(10.0.1.13), port: None, weight: None })"#,
        ),
        (
            "POST",
            "/v1/target-groups/web/targets",
            r#"{"address": "2001:db8::13", "port": 81, "weight": 7}"#,
            r#"Edit(AddTarget { group: "web", address: Ip(2001:db8::13), port: Some(81), weight: Some(7) })"#,
        ),
        (
            "PATCH",
            target,
            r#"{"weight": 0}"#,
            r#"Edit(WeighTarget { group: "web", address: Ip(10.0.1.13), port: None, weight: 0 })"#,
        ),
        (
            "PATCH",
            six,
            r#"{"drain": true}"#,
            r#"TargetDrain { group: "a b/c", address: Ip(2001:db8::13), port: Some(81), drain: true }"#,
        ),
        (
            "PATCH",
            target,
            r#"{"drain": false}"#,
            r#"TargetDrain { group: "web", address: Ip(10.0.1.13), port: None, drain: false }"#,
        ),
        (
            "DELETE",
            target,
            "",
            r#"TargetRemove { group: "web", address: Ip(10.0.1.13), port: None, now: false }"#,
        ),
        (
            "DELETE",
            "/v1/target-groups/web/targets/10.0.1.13?force=true&now=true",
            "",
            r#"TargetRemove { group: "web", address: Ip(10.0.1.13), port: None, now: true } by force"#,
        ),
        (
            "POST",
            "/v1/config/changes?message=t%2D1",
            r#"{"changes": [{"op": "delete", "path": "listeners[web]"}]}"#,
            r#"Edit(ChangeParts { changes: [Delete { path: PartPath([Key("listeners"), Item("web")]) }] }) (t-1)"#,
        ),
        ("POST", "/v1/revisions/2/rollback", "", "Rollback(2)"),
        ("POST", "/v1/revisions/2/rollback?force=true", "", "Rollback(2) by force"),
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
    let address: TargetAddress = "2001:db8::13".parse().unwrap();
    let odd = "a b/ü?#%";
    let add = TargetAdd { address: address.clone(), port: None, weight: Some(7) };
    assert_eq!(client.target_add(odd, &add).await.unwrap(), "done");
    client.target_remove(odd, &address, Some(81), true, false).await.unwrap();
    let weight = TargetPatch { weight: Some(3), drain: None };
    let forced = Terms { force: true, ..Terms::default() };
    client.target_patch(odd, &address, None, &weight, &forced).await.unwrap();
    let drain = TargetPatch { weight: None, drain: Some(true) };
    let why = Terms { message: "disk full".to_owned(), ..Terms::default() };
    client.target_patch("..", &address, Some(81), &drain, &why).await.unwrap();
    assert_eq!(
        fake.asked(),
        [
            format!(
                "Edit(AddTarget {{ group: {odd:?}, address: Ip({address}), port: None, weight: Some(7) \
                 }})"
            ),
            format!(
                "TargetRemove {{ group: {odd:?}, address: Ip({address}), port: Some(81), now: true }}"
            ),
            format!(
                "Edit(WeighTarget {{ group: {odd:?}, address: Ip({address}), port: None, weight: 3 }}) \
                 by force"
            ),
            format!(
                "TargetDrain {{ group: \"..\", address: Ip({address}), port: Some(81), drain: true }} \
                 (disk full)"
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
    let message = "as wished: ü&".to_owned();
    let terms = Terms { base: Some(3), force: true, prune: true, message };
    fake.client().apply(&document, &terms).await.unwrap();
    let asked = fake.asked.lock().unwrap();
    let [
        Request {
            base: Some(3),
            force: true,
            prune: true,
            message,
            action: Action::Apply(arrived),
            ..
        },
    ] = asked.as_slice()
    else {
        panic!("{asked:?}");
    };
    assert_eq!(*message, "as wished: ü&");
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

#[tokio::test]
async fn long_lists_come_in_parts() {
    let fake = Fake::start(Answer::Done);
    let all = serde_json::to_value(snapshot().targets).unwrap();
    for (query, wanted, count) in [
        ("?limit=2", json!([all[0], all[1]]), 3),
        ("?offset=2&limit=2", json!([all[2]]), 3),
        ("?offset=9", json!([]), 3),
        ("?limit=0", json!([]), 3),
        ("?group=web&offset=1", json!([all[1]]), 2),
    ] {
        let answer = fake.http("GET", &format!("/v1/targets{query}"), "").await;
        assert_eq!((answer.status, answer.body), (200, wanted), "{query}");
        assert!(answer.head.contains(&format!("x-total-count: {count}")), "{}", answer.head);
    }
    let groups = fake.http("GET", "/v1/target-groups?offset=1", "").await;
    assert_eq!(groups.body[0]["name"], "dns");
    assert_eq!(fake.http("GET", "/v1/listeners?group=web", "").await.status, 400);
}

#[tokio::test]
async fn selectors_choose_objects_of_lists() {
    let fake = Fake::start(Answer::Done);
    let targets = snapshot().targets;
    let rack = targets[0].tags["rack"].clone();
    let all = serde_json::to_value(&targets).unwrap();
    let of_rack = format!("rack%3D{rack}");
    let others = format!("rack%20notin%20({rack})");
    let count = targets.iter().filter(|one| one.tags["rack"] == rack).count();
    for (path, count, first) in [
        (format!("targets?selector={of_rack}&limit=1"), count, Some(all[0].clone())),
        (format!("targets?selector={others}&group=web&offset=9"), 1, None),
        ("targets?selector=!rack".to_owned(), 0, None),
        ("target-groups?selector=env%3Ddns".to_owned(), 1, None),
        ("listeners?selector=!env".to_owned(), 1, None),
        ("listeners?selector=env".to_owned(), 0, None),
    ] {
        let answer = fake.http("GET", &format!("/v1/{path}"), "").await;
        assert_eq!(answer.status, 200, "{path}");
        let header = format!("x-total-count: {count}\r\n");
        assert!(answer.head.contains(&header), "{path}: {}", answer.head);
        assert!(first.is_none_or(|first| answer.body == json!([first])), "{path}");
    }
    for path in ["targets", "target-groups", "listeners"] {
        let wrong = fake.http("GET", &format!("/v1/{path}?selector=env%3E5"), "").await;
        let text = wrong.body.to_string();
        assert_eq!(wrong.status, 400, "{text}");
        assert!(text.contains("`env>5` is not a selector: at character 1"), "{text}");
    }
}

#[tokio::test]
async fn the_configuration_and_its_history_are_shown() {
    let fake = Fake::start(Answer::Done);
    let client = fake.client();
    let answer = fake.http("GET", "/v1/config", "").await;
    assert!(answer.head.contains("etag: \"3\""), "{}", answer.head);
    let names = json!({ "interfaces": ["eth0", "eth1", "eth2"] });
    assert_eq!(answer.body, json!({ "revision": 3, "document": names }));
    assert_eq!(client.configuration().await.unwrap().document, revision(3).document);

    let page = client.revisions(None, 2).await.unwrap();
    assert_eq!((page.revisions.len(), page.next), (2, Some(2)));
    let page = client.revisions(page.next, 2).await.unwrap();
    assert_eq!((page.revisions, page.next), (vec![revision(1).head], None));
    let second = fake.http("GET", "/v1/revisions/2", "").await;
    let json = json!({
        "number": 2, "written_at": 1_700_000_002, "who": "ann", "what": "apply", "message": "first",
        "document": { "interfaces": ["eth0", "eth1"] },
    });
    assert_eq!(second.body, json);
    assert_eq!(fake.http("GET", "/v1/revisions/9", "").await.status, 404);

    let differences = client.differences(1, 2).await.unwrap();
    let shown: Vec<String> = differences.iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["~ interfaces: [eth0] -> [eth0, eth1]"]);
    let preview = client.preview(&revision(1).document).await.unwrap();
    assert_eq!(preview.differences.len(), 1);
    assert_eq!(preview.target_groups[0].name, "web");
    assert_eq!((preview.left_without_targets.len(), preview.warnings.len()), (1, 1));
    assert_eq!(fake.asked(), Vec::<String>::new(), "questions change nothing");
}

#[tokio::test]
async fn a_change_names_the_revision_that_it_was_made_from() {
    let fake = Fake::start(Answer::Outdated);
    let body = r#"{"address": "10.0.1.13"}"#;
    let head = "POST /v1/target-groups/web/targets HTTP/1.1\r\nhost: xelb\r\nconnection: close";
    for (tag, status) in [("\"7\"", 412), ("7", 400), ("\"x\"", 400), ("*", 400)] {
        let length = body.len();
        let request =
            format!("{head}\r\nif-match: {tag}\r\ncontent-length: {length}\r\n\r\n{body}");
        let answer = String::from_utf8(fake.exchange(request.as_bytes()).await).unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{tag}: {answer}");
    }
    let asked = fake.asked();
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert!(asked[0].ends_with(" at 7"), "{asked:?}");
}

#[tokio::test]
async fn changes_of_parts_can_be_previewed() {
    let fake = Fake::start(Answer::Done);
    let path = "/v1/config/changes/preview";
    let set = r#"{"changes": [{"op": "set", "path": "interfaces", "value": ["eth9"]}]}"#;
    let answer = fake.http("POST", path, set).await;
    let shown =
        json!([{ "path": "interfaces", "before": "[eth0, eth1, eth2]", "after": "[eth9]" }]);
    assert_eq!((answer.status, &answer.body["differences"]), (200, &shown));
    assert_eq!(answer.body["left_out"], json!(["listener dns"]));
    let delete = r#"{"changes": [{"op": "delete", "path": "listeners[web]"}]}"#;
    let refused = fake.http("POST", path, delete).await;
    assert_eq!(
        (refused.status, refused.error()),
        (400, "there is no listener web (there are none)")
    );
    assert_eq!(fake.asked(), Vec::<String>::new(), "a preview changes nothing");
}

#[tokio::test]
async fn wrong_changes_of_parts_are_refused() {
    let many = vec![json!({ "op": "delete", "path": "a" }); 1001];
    for (body, wanted) in [
        (json!({ "changes": [] }), "`changes` has 0 items; it must have 1 to 1000"),
        (json!({ "changes": many }), "`changes` has 1001 items; it must have 1 to 1000"),
        (json!({ "changes": [{ "op": "move", "path": "a" }] }), "unknown variant `move`"),
        (json!({ "changes": [{ "op": "delete", "path": "a..b" }] }), "is not a path"),
        (json!({ "changes": [{ "op": "set", "path": "a" }] }), "missing field `value`"),
        (json!({}), "missing field `changes`"),
    ] {
        for path in ["/v1/config/changes", "/v1/config/changes/preview"] {
            let fake = Fake::start(Answer::Done);
            let answer = fake.http("POST", path, &body.to_string()).await;
            assert_eq!(answer.status, 400, "{body}");
            assert!(answer.error().contains(wanted), "{wanted}: {}", answer.error());
            assert_eq!(fake.asked(), Vec::<String>::new());
        }
    }
}

#[tokio::test]
async fn a_reason_has_a_limit() {
    let fake = Fake::start(Answer::Done);
    let path = |length: usize| format!("/v1/config?message={}", "x".repeat(length));
    assert_eq!(fake.http("PUT", &path(1000), "{}").await.status, 200);
    let long = fake.http("PUT", &path(1001), "{}").await;
    assert_eq!(long.status, 400);
    assert!(long.error().contains("has 1001 characters; at most 1000"), "{}", long.error());
    assert_eq!(fake.asked().len(), 1);
}

#[tokio::test]
async fn a_target_is_described() {
    let fake = Fake::start(Answer::Done);
    let answer = fake.http("GET", "/v1/target-groups/web/targets/10.0.1.11?port=80", "").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.body["target"]["state"], "healthy");
    let address = "10.0.1.12".parse().unwrap();
    let target = fake.client().describe_target("web", &address, Some(80)).await.unwrap();
    assert_eq!(target.target.address.map(TargetAddress::Ip), Some(address));
}
