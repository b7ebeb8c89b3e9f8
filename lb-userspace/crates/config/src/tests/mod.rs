//! Tests of the configuration: texts in, configurations or exact messages out.

mod bad;
mod bad_checks;
mod bad_groups;
mod bad_top;
mod change;
mod defaults;
mod edit;
mod event_hooks;
mod good;
mod host_drivers;
mod hostile;
mod http_bad_groups;
mod http_bad_listeners;
mod http_bad_rules;
mod http_good;
mod joined_files;
mod life;
mod modes;
mod mutate;
mod names;
mod probes;
mod scaling;
mod scaling_metrics;
mod schema;
mod schema_bad;
mod schema_http;
mod schema_scaling;
mod schema_values;
mod secrets;
mod source_nat;
mod syntax;
mod tags;
mod via;
mod weights;
mod wide;

use super::{Config, ConfigErrors, Document, Warning};

/// The example of the design, with the keys that this version has.
/// The texts of warnings, without that of checks that do not take the path of packets.
fn without_via(warnings: &[Warning]) -> Vec<String> {
    let texts = warnings.iter().map(ToString::to_string);
    texts.filter(|text| !text.contains("set `via: tunnel`")).collect()
}

const EXAMPLE: &str = r#"interfaces: [eth0]
target_groups:
  - name: web
    protocol: tcp
    port: 80
    forwarding: ipip
    targets:
      - { address: 10.0.1.11, weight: 100 }
      - { address: "2001:db8::11" }
    health_check:
      protocol: http
      path: /healthz
      port: traffic-port
      interval: 5s
      timeout: 2s
      healthy_threshold: 3
      unhealthy_threshold: 2
      matcher: "200-399"
    attributes:
      deregistration_delay: 300s
      slow_start: 0s
      stickiness: none
listeners:
  - name: web
    address: 203.0.113.10
    port: 80
    protocol: tcp
    default_action: { forward: { target_group: web } }
"#;

/// Every forwarding mode, and every key that the example does not have.
const MODES: &str = r#"interfaces: [eth0]
source_nat: { addresses: [10.0.0.2, "fd00::2"], ports: 2000-60000 }
icmp: { echo_reply: false, rate: 50 }
target_groups:
  - name: tunnel
    protocol: tcp
    port: 443
    forwarding: gue
    targets: [{ address: 10.0.1.11 }, { address: "fd00:1::11" }]
    attributes: { gue_port: 5555, gue_variant: 0, tcp_mss: 1400 }
  - name: local
    protocol: udp
    port: 8053
    forwarding: nat
    targets: [{ address: 10.0.1.12 }]
    health_check: { protocol: tcp }
  - name: far
    protocol: tcp
    port: 8080
    forwarding: fullnat
    targets: [{ address: 192.0.2.1, port: 81 }, { address: 192.0.2.1 }]
listeners:
  - name: prefix
    address: 203.0.113.0/28
    port: all
    protocol: tcp
    default_action: { forward: { target_group: tunnel } }
  - name: range
    address: 198.51.100.1
    port: 5000-5999
    protocol: udp
    default_action: { forward: { target_group: local } }
    attributes: { idle_timeout: 30s }
  - name: inside
    address: 203.0.113.3
    port: 80
    protocol: tcp
    default_action: { forward: { target_group: far } }
    attributes: { idle_timeout: 100m }
"#;

/// Every protocol that the proxy serves, with rules, TLS and attributes.
const HTTP: &str = r#"interfaces: [eth0]
target_groups:
  - name: order
    protocol: http
    port: 8080
    targets: [{ address: 10.0.1.11 }, { address: order.example.org, port: 8081, weight: 50 }]
    attributes:
      algorithm: least_outstanding_requests
      stickiness: { type: lb_cookie, duration: 1d }
      retries: { attempts: 2, budget: 10%, on: [connect_failure, 502, "503"] }
      max_connections: 100
      proxy_protocol: v2
  - name: stock
    protocol: https
    protocol_version: http2
    port: 8443
    targets: [{ address: 127.0.0.1 }]
    tls: { server_name: stock.example.org, ca: /etc/xelb/ca.pem }
    attributes: { anomaly_mitigation: on, slow_start: 30s }
  - name: chat
    protocol: grpc
    port: 9000
    targets: [{ address: "fd00:1::11" }]
  - { name: mail, protocol: tcp, port: 25, targets: [{ address: 10.0.2.1 }] }
listeners:
  - name: shop
    address: 203.0.113.10
    port: 443
    protocol: https
    certificates: [{ certificate: /etc/xelb/shop.pem, key: /etc/xelb/shop.key }]
    tls: { policy: modern, client_auth: verify, ca: /etc/xelb/clients.pem }
    rules:
      - name: orders
        priority: 10
        conditions:
          - host: ["shop.example.com", "*.shop.example.com"]
          - path: ["/order/*"]
          - method: [GET, POST]
          - header: { name: x-canary, values: ["1"] }
          - query: [{ key: v, value: "2" }, { value: "3" }]
          - source_ip: ["10.0.0.0/8", "2001:db8::1"]
          - header_regex: { name: user-agent, values: ["^curl/"] }
        transforms: { url_rewrite: { regex: "^/order/(.*)$", replace: "/$1" } }
        headers:
          request: { set: { x-shop: "1" }, add: { x-b: b }, remove: [x-c] }
          response: { remove: [server] }
        action:
          forward:
            target_groups: [{ name: order, weight: 90 }, { name: stock, weight: 10 }]
            stickiness: 1h
      - priority: 20
        conditions: [{ path_regex: ["^/chat/v[0-9]+/"] }]
        action: { forward: { target_group: chat } }
      - priority: 30
        conditions: [{ path: [/down] }]
        action: { fixed_response: { status: 503, content_type: text/plain, body: later } }
    default_action: { forward: { target_group: order } }
    attributes: { idle_timeout: 120s, trusted_proxies: [192.0.2.1] }
  - name: redirect
    address: 203.0.113.10
    port: 80
    protocol: http
    default_action: { redirect: { protocol: https, path: "/#{path}", status: 301 } }
  - name: mail
    address: 203.0.113.10
    port: 465
    protocol: tls
    certificates: [{ certificate: /etc/xelb/mail.pem, key: /etc/xelb/mail.key }]
    default_action: { forward: { target_group: mail } }
"#;

/// The least that is a configuration of one group and one listener.
const SMALL: &str = "interfaces: [eth0]
target_groups:
  - name: web
    protocol: tcp
    port: 80
    forwarding: ipip
    targets:
      - address: 10.0.1.11
listeners:
  - name: web
    address: 203.0.113.10
    port: 80
    protocol: tcp
    default_action: { forward: { target_group: web } }
";

/// A text with one piece changed, which must be there exactly once.
fn with(text: &str, old: &str, new: &str) -> String {
    assert_eq!(text.matches(old).count(), 1, "`{old}` in the text");
    text.replace(old, new)
}

/// Reads a text; whatever is right for the reader is right for the schema.
fn parse(text: &str, source: &str) -> Result<(Document, Config, Vec<Warning>), ConfigErrors> {
    let read = super::parse(text, source)?;
    let complaints = schema::complaints(&serde_json::to_value(&read.0).unwrap());
    assert!(complaints.is_empty(), "{complaints:?}\n{text}");
    Ok(read)
}

/// What a text means, which must be right.
fn config(text: &str) -> Config {
    match parse(text, "xelb.yaml") {
        Ok((_, config, _)) => config,
        Err(errors) => panic!("{errors}\n{text}"),
    }
}

/// What is wrong with a file `x`, without columns.
fn errors_by_line(text: &str) -> String {
    let Err(errors) = super::parse(text, "x") else { return "nothing is wrong".to_owned() };
    let lines = errors.errors().iter().map(|error| match error.line() {
        Some(line) => format!("x:{line}: {error}"),
        None => format!("x: {error}"),
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// What is wrong with a text, as a person reads it.
fn errors(text: &str) -> String {
    match parse(text, "xelb.yaml") {
        Ok(_) => "nothing is wrong".to_owned(),
        Err(errors) => errors.to_string(),
    }
}

/// A text with one change, and all messages; `~` stands for `xelb.yaml`.
fn check_changes(text: &str, changes: &[(&str, &str, &str)]) {
    for (old, new, expected) in changes {
        let messages = errors(&with(text, old, new));
        assert_eq!(messages, expected.replace('~', "xelb.yaml"), "{old:?} -> {new:?}");
    }
}
