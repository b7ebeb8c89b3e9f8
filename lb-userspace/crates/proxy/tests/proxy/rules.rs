//! What rules do: forward, redirect, fixed responses, rewrites, header changes, sticky cookies.

use std::time::Duration;

use lb_proxy::{MatchedRule, TargetStickiness};
use lb_rules::{
    Action, Condition, FixedResponse, Forward, HeaderChange, Protocol, Redirect, Rewrite, Rule,
    Transforms, WeightedGroup,
};

use crate::support::{
    Client, TestProxy, TestTarget, ask, field, group, healthy, listener, simple, snapshot,
};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Powered-By: x\r\n\r\nok";

fn rule(name: &str, priority: u32, condition: Condition, action: Action) -> Rule {
    Rule {
        name: name.to_owned(),
        priority,
        conditions: vec![condition],
        transforms: Transforms::default(),
        headers: lb_rules::HeaderChanges::default(),
        actions: vec![action],
    }
}

fn path(pattern: &str) -> Condition {
    Condition::Path(vec![pattern.to_owned()])
}

fn get(path: &str, fields: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: shop.example\r\n{fields}\r\n")
}

#[test]
fn a_host_is_preserved_where_the_listener_says_so() {
    let target = TestTarget::answering(OK);
    let rewritten = Rule {
        transforms: Transforms {
            host: Some(Rewrite { regex: "^.*$".to_owned(), replace: "in.example".to_owned() }),
            url: None,
        },
        ..rule("in", 1, path("/in"), Action::forward("web"))
    };
    let proxy = |preserve: bool| {
        let mut listener = listener("web", vec![rewritten.clone()], Action::forward("web"));
        listener.attributes.preserve_host_header = preserve;
        TestProxy::start(snapshot(vec![listener], vec![group("web", &[healthy(target.address)])]))
    };
    let (preserving, other) = (proxy(true), proxy(false));
    let host = "Shop.EXAMPLE.:8080";
    for (proxy, target_of_request, expected) in [
        (&preserving, "/", host),
        (&other, "/", "shop.example:8080"),
        (&preserving, "/in", "in.example"),
        (&preserving, "http://other.example/", "other.example"),
    ] {
        let request = format!("GET {target_of_request} HTTP/1.1\r\nHost: {host}\r\n\r\n");
        let request = if target_of_request.starts_with("http") {
            request.replace(host, "other.example")
        } else {
            request
        };
        assert_eq!(ask(proxy.address(), &request).status, 200, "{target_of_request}");
        let text = target.text();
        let got = text.rsplit("GET ").next().expect("a request");
        assert!(got.contains(&format!("\r\nHost: {expected}\r\n")), "{expected}: {got}");
    }
}

#[test]
fn the_first_rule_that_matches_decides() {
    let (one, other) = (TestTarget::answering(OK), TestTarget::answering(OK));
    let moved = Action::Redirect(Redirect {
        protocol: Some(Protocol::Https),
        host: None,
        port: None,
        path: Some("/new/#{path}".to_owned()),
        query: None,
        status: 301,
    });
    let fixed = Action::FixedResponse(FixedResponse {
        status: 503,
        content_type: Some("text/plain".to_owned()),
        body: "later".to_owned(),
    });
    let canary = Condition::Header { name: "x-canary".to_owned(), values: vec!["1".to_owned()] };
    let rules = vec![
        rule("canary", 5, canary, Action::forward("other")),
        rule("moved", 10, path("/old/*"), moved),
        rule("closed", 20, path("/closed"), fixed),
    ];
    let listener = listener("web", rules, Action::forward("one"));
    let groups =
        vec![group("one", &[healthy(one.address)]), group("other", &[healthy(other.address)])];
    let mut proxy = TestProxy::start(snapshot(vec![listener], groups));

    let response = ask(proxy.address(), &get("/old/a?b=1", ""));
    assert_eq!(response.status, 301);
    let location = "https://shop.example/new/old/a?b=1";
    assert_eq!(field(&response.head, "location"), Some(location));
    let event = proxy.event();
    assert_eq!(event.redirect_url.as_deref(), Some(location));
    assert_eq!(event.rule, MatchedRule::Rule { name: "moved".into(), priority: 10 });

    let mut client = Client::connect(proxy.address());
    client.send(&get("/closed", ""));
    let response = client.response();
    assert_eq!((response.status, response.body.as_str()), (503, "later"));
    assert_eq!(field(&response.head, "content-type"), Some("text/plain"));
    assert!(field(&response.head, "date").is_some());
    assert_eq!(proxy.event().reason, None, "a fixed response is no failure");

    client.send(&get("/closed", "X-Canary: 1\r\n"));
    assert_eq!(client.response().status, 200);
    assert_eq!(proxy.event().group.as_deref(), Some("other"));
    client.send(&get("/", ""));
    assert_eq!(client.response().status, 200);
    let event = proxy.event();
    assert_eq!((event.group.as_deref(), event.rule), (Some("one"), MatchedRule::Default));
    assert_eq!((one.connections(), other.connections()), (1, 1));
}

#[test]
fn rewrites_and_header_changes_are_made() {
    let target = TestTarget::answering(OK);
    let change = |name: &str, value: &str| HeaderChange::Set {
        name: name.to_owned(),
        value: value.to_owned(),
    };
    let mut api = rule("api", 1, path("/api/*"), Action::forward("web"));
    api.transforms.url =
        Some(Rewrite { regex: "^/api/(.*)$".to_owned(), replace: "/v2/$1".to_owned() });
    api.transforms.host =
        Some(Rewrite { regex: "^shop".to_owned(), replace: "internal".to_owned() });
    api.headers.request = vec![change("X-Env", "test")];
    api.headers.response =
        vec![change("X-Frame", "deny"), HeaderChange::Remove { name: "x-powered-by".to_owned() }];
    let mut broken = rule("broken", 2, path("/static*"), Action::forward("web"));
    broken.transforms.url =
        Some(Rewrite { regex: "^/static(.*)$".to_owned(), replace: "/files/$1".to_owned() });
    let listener = listener("web", vec![api, broken], Action::forward("web"));
    let groups = vec![group("web", &[healthy(target.address)])];
    let mut proxy = TestProxy::start(snapshot(vec![listener], groups));

    let response = ask(proxy.address(), &get("/api/items?a=b", "X-Env: prod\r\n"));
    let received = target.text();
    assert!(
        received.starts_with("GET /v2/items?a=b HTTP/1.1\r\nHost: internal.example\r\n"),
        "{received}"
    );
    assert_eq!(field(&received, "x-env"), Some("test"));
    assert_eq!(field(&response.head, "x-frame"), Some("deny"));
    assert_eq!(field(&response.head, "x-powered-by"), None);
    proxy.event();

    assert_eq!(ask(proxy.address(), &get("/static../secret", "")).status, 500);
    assert_eq!(proxy.event().reason, Some("rewrite_failed"));
}

#[test]
fn a_sticky_client_stays_with_its_target() {
    let targets: Vec<TestTarget> = (0..3).map(|_| TestTarget::answering(OK)).collect();
    let addresses: Vec<_> = targets.iter().map(|target| healthy(target.address)).collect();
    let mut group = group("web", &addresses);
    let duration = Duration::from_hours(1);
    group.stickiness = Some(TargetStickiness { duration, app_cookie: None });
    let mut proxy = TestProxy::start(simple(group));
    let mut client = Client::connect(proxy.address());
    client.send(&get("/", ""));
    let response = client.response();
    let cookie = field(&response.head, "set-cookie").unwrap().split(';').next().unwrap().to_owned();
    assert!(cookie.starts_with("AWSALB="), "{cookie}");
    let first = proxy.event().target;
    for _ in 0..6 {
        client.send(&get("/", &format!("Cookie: a=b; {cookie}\r\n")));
        assert!(field(&client.response().head, "set-cookie").is_some(), "each response renews it");
        assert_eq!(proxy.event().target, first);
    }
    client.send(&get("/", "Cookie: AWSALB=forged\r\n"));
    assert_eq!(client.response().status, 200);
}

#[test]
fn a_sticky_client_stays_with_its_group() {
    let (one, other) = (TestTarget::answering(OK), TestTarget::answering(OK));
    let weighted = |name: &str| WeightedGroup { name: name.to_owned(), weight: 50 };
    let action = Action::Forward(Forward {
        target_groups: vec![weighted("one"), weighted("other")],
        stickiness: Some(Duration::from_mins(1)),
    });
    let listener = listener("web", Vec::new(), action);
    let groups =
        vec![group("one", &[healthy(one.address)]), group("other", &[healthy(other.address)])];
    let mut proxy = TestProxy::start(snapshot(vec![listener], groups));
    let mut client = Client::connect(proxy.address());
    client.send(&get("/", ""));
    let response = client.response();
    let cookie = field(&response.head, "set-cookie").unwrap().split(';').next().unwrap().to_owned();
    assert!(cookie.starts_with("AWSALBTG="), "{cookie}");
    let first = proxy.event().group;
    for _ in 0..10 {
        client.send(&get("/", &format!("Cookie: {cookie}\r\n")));
        client.response();
        assert_eq!(proxy.event().group, first);
    }
}
