//! Requests, and what is said of them.

use lb_config::{Config, parse};

use super::*;

const CONFIG: &str = r#"
interfaces: [eth0]
target_groups:
  - { name: order, protocol: http, port: 80, targets: [{ address: 10.0.0.1, weight: 1 }, { address: 10.0.0.2, weight: 3 }],
      attributes: { stickiness: { type: lb_cookie, duration: 1d } } }
  - { name: canary, protocol: http, port: 81, targets: [{ address: 10.0.0.3 }] }
  - { name: rpc, protocol: grpc, port: 82, targets: [{ address: 10.0.0.2 }] }
  - { name: imap, protocol: tcp, port: 143, targets: [{ address: 10.0.0.4 }] }
listeners:
  - { name: rpc, address: 203.0.113.10, port: 443, protocol: https, certificates: [{ certificate: /a.pem, key: /a.key }],
      default_action: { forward: { target_group: rpc } } }
  - name: shop
    address: 203.0.113.10
    port: 80
    protocol: http
    rules:
      - { name: canary, priority: 10, conditions: [{ header: { name: x-canary, values: ["1"] } }, { source_ip: [10.0.0.0/8] }],
          action: { forward: { target_group: canary } } }
      - { name: orders, priority: 20, conditions: [{ host: ["*.shop.example"] }, { path: ["/order/*"] }],
          transforms: { url_rewrite: { regex: "^/order/(.*)$", replace: "/$1" }, host_rewrite: { regex: "^w+", replace: "in" } },
          headers: { request: { set: { x-a: "1" } }, response: { remove: [server] } },
          action: { forward: { target_groups: [{ name: order, weight: 9 }, { name: canary, weight: 1 }], stickiness: 1h } } }
      - { name: closed, priority: 30, conditions: [{ path: [/closed] }], action: { fixed_response: { status: 503 } } }
    default_action: { redirect: { protocol: https, status: 301 } }
  - { name: imaps, address: 203.0.113.10, port: 993, protocol: tls, certificates: [{ certificate: /a.pem, key: /a.key }],
      default_action: { forward: { target_group: imap } } }
  - { name: other, address: 203.0.113.11, port: 80, protocol: http, default_action: { fixed_response: { status: 404 } } }
"#;

fn config() -> Config {
    parse(CONFIG, "x").unwrap_or_else(|errors| panic!("{errors}")).1
}

fn ask(
    method: &str,
    url: &str,
    headers: &[&str],
    from: Option<&str>,
) -> Result<HttpExplainView, ExplainHttpError> {
    let question = HttpQuestion {
        method: method.to_owned(),
        url: url.to_owned(),
        headers: headers.iter().map(|line| (*line).to_owned()).collect(),
        from: from.map(str::to_owned),
        listener: url.starts_with("http:").then(|| "shop".to_owned()),
    };
    let config = config();
    // The agent knows two of the targets.
    let known = |target: &TargetKey| {
        let known = |state: &str, share| Some(KnownTarget { state: state.to_owned(), share });
        match target.address.to_string().as_str() {
            "10.0.0.1" => known("healthy", 1.0),
            "10.0.0.2" => known("unhealthy", 0.0),
            _ => None,
        }
    };
    let served = ServedListeners { http: &config.http_listeners, tls: &config.tls_listeners };
    explain_http(&served, &config.http_target_groups, known, &question)
}

fn failed(view: &HttpExplainView) -> Vec<&str> {
    view.tried.iter().map(|tried| tried.failed.as_deref().unwrap_or("holds")).collect()
}

#[test]
fn every_rule_before_the_one_that_matches_names_its_first_failed_condition() {
    let view =
        ask("GET", "http://www.Shop.Example./order/./7?v=1", &["X-Canary: 1"], None).unwrap();
    assert_eq!(
        failed(&view),
        ["condition 2 (source_ip) does not hold: source address is 127.0.0.1", "holds"]
    );
    assert_eq!((view.rule.as_deref(), view.action.as_deref()), (Some("orders"), Some("forward")));
    assert_eq!((view.host.as_str(), view.path.as_str()), ("www.shop.example", "/order/7"));
    assert_eq!(
        view.transforms,
        [
            "url_rewrite: /order/7?v=1 becomes /7?v=1",
            "host_rewrite: www.shop.example becomes in.shop.example"
        ]
    );
    assert_eq!(view.headers, ["request: set x-a: 1", "response: remove server"]);
    let shares: Vec<(&str, f64)> =
        view.target_groups.iter().map(|group| (group.name.as_str(), group.share)).collect();
    assert_eq!(shares, [("order", 0.9), ("canary", 0.1)]);
    let targets: Vec<(&str, &str, f64)> = view
        .targets
        .iter()
        .map(|one| (one.target.as_str(), one.state.as_str(), one.share))
        .collect();
    assert_eq!(
        targets,
        [
            ("10.0.0.1:80", "healthy", 1.0),
            ("10.0.0.2:80", "unhealthy", 0.0),
            ("10.0.0.3:81", "unknown", 1.0)
        ]
    );
    assert_eq!(view.notes, Vec::<String>::new());
    let canary = ask("GET", "http://x/order/1", &["x-canary: 1"], Some("10.1.1.1")).unwrap();
    assert_eq!(canary.rule.as_deref(), Some("canary"));
}

#[test]
fn what_the_states_of_targets_lead_to_is_noted() {
    let view = ask("POST", "https://x/", &[], None).unwrap();
    assert_eq!((view.listener.as_str(), view.rule.as_deref()), ("rpc", Some("default")));
    assert_eq!(
        view.notes,
        [
            "target group rpc: no target can get requests: status 503",
            "target group rpc is of grpc: other requests than POST over HTTP/2 get status 464"
        ]
    );
}

#[test]
fn cookies_that_decide_are_named() {
    let url = "http://a.shop.example/order/7";
    let without = ask("GET", url, &[], None).unwrap();
    assert_eq!(without.stickiness.len(), 2);
    assert!(without.stickiness[0].contains("target group by AWSALBTG, for 3600 s"));
    assert!(without.stickiness.iter().all(|line| line.ends_with("so weights decide")));
    let of_group = ask("GET", url, &["Cookie: AWSALBTG=xyz"], None).unwrap();
    assert!(of_group.stickiness[0].ends_with("which only its proxy can read"));
    assert!(of_group.stickiness[1].ends_with("so weights decide"));
    let with = ask("GET", url, &["Cookie: a=1; AWSALB=xyz"], None).unwrap();
    assert!(with.stickiness[0].ends_with("so weights decide"));
    assert!(with.stickiness[1].contains("target of order by AWSALB, for 86400 s"));
    assert!(with.stickiness[1].ends_with("which only its proxy can read"));
}

#[test]
fn responses_of_the_proxy_itself_have_their_status() {
    for (method, url, rule, status, location) in [
        ("GET", "http://x/closed", Some("closed"), 503, None),
        ("GET", "http://x/a?b", Some("default"), 301, Some("https://x/a?b")),
        ("GET", "http://x", Some("default"), 301, Some("https://x/")),
        ("GET", "http://x?b#c", Some("default"), 301, Some("https://x/?b")),
        ("GET", "http://x/%00", None, 400, None),
    ] {
        let view = ask(method, url, &[], None).unwrap();
        assert_eq!(view.rule.as_deref(), rule, "{url}");
        assert_eq!(view.status, Some(status), "{url}");
        assert_eq!(view.location.as_deref(), location, "{url}");
        assert_eq!(view.refused.is_some(), rule.is_none(), "{url}");
    }
}

#[test]
fn wrong_questions_are_refused_with_what_to_do() {
    for (method, url, header, from, says) in [
        ("GET", "ftp://x/", "a: b", None, "no URL of http or https"),
        ("GET", "http:///x", "a: b", None, "no URL of http or https"),
        ("GET", "http://x:99999/", "a: b", None, "no URL of http or https"),
        ("GET", "http://x/a b", "a: b", None, "no URL of http or https"),
        ("GET", "http://me@x/", "a: b", None, "no URL of http or https"),
        ("G T", "http://x/", "a: b", None, "no method"),
        ("GET", "http://x/", "a", None, "no header field"),
        ("GET", "http://x/", "a: b\r\nc: d", None, "no header field"),
        ("GET", "http://x/", "a: b", Some("ten"), "no address of a client"),
    ] {
        let error = ask(method, url, &[header], from).expect_err(url).to_string();
        assert!(error.contains(says), "{method} {url} {header}: {error}");
    }
}

#[test]
fn the_url_or_a_name_says_which_listener_is_asked() {
    let config = config();
    let of = |url: &str, name: Option<&str>| {
        let parsed = question::Url::parse(url).unwrap();
        let served = ServedListeners { http: &config.http_listeners, tls: &config.tls_listeners };
        question::listener(&served, &parsed, name).map(|one| one.name.clone())
    };
    assert_eq!(of("http://203.0.113.11/", None).as_deref(), Ok("other"));
    assert_eq!(of("http://x/", Some("shop")).as_deref(), Ok("shop"));
    for (url, name, says) in [
        (
            "http://x/",
            None,
            "several listeners are for http://x: shop (http at 203.0.113.10, port 80), other",
        ),
        ("https://x:444/", None, "no listener is for https://x:444"),
        ("http://203.0.113.12/", None, "no listener is for http://203.0.113.12"),
        ("http://x/", Some("web"), "there is no listener web"),
    ] {
        let error = of(url, name).expect_err(url).to_string();
        assert!(error.contains(says) && error.contains("shop"), "{error}");
    }
    let ends_tls = "listener imaps (tls at 203.0.113.10, port 993) answers, and knows no requests: it ends \
                    TLS, and what is inside goes to target group imap as it is";
    for (url, name) in [
        ("https://203.0.113.10:993/", None),
        ("https://x:993/", None),
        ("http://x/", Some("imaps")),
    ] {
        assert_eq!(of(url, name).expect_err(url).to_string(), ends_tls, "{url}");
    }
    for url in ["http://203.0.113.10:993/", "https://203.0.113.11:993/"] {
        assert!(
            of(url, None).expect_err(url).to_string().starts_with("no listener is for"),
            "{url}"
        );
    }
}
