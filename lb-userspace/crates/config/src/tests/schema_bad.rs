//! Bad configurations that an editor refuses as well, and those that it cannot see.

use super::{EXAMPLE, HTTP, MODES, errors, schema::complaints, with};

/// Whether the schema refuses a text that the reader refuses.
fn is_seen(text: &str) -> bool {
    assert_ne!(errors(text), "nothing is wrong", "{text}");
    let document = super::super::syntax::document(text).unwrap();
    !complaints(&serde_json::to_value(&document).unwrap()).is_empty()
}

/// What is changed in a text.
type Change = (&'static str, &'static str, &'static str);

const SEEN: &[Change] = &[
    (EXAMPLE, "interfaces: [eth0]\n", ""),
    (EXAMPLE, "[eth0]", "[]"),
    (EXAMPLE, "[eth0]", "eth0"),
    (EXAMPLE, "[eth0]", "[eth0, eth0]"),
    (EXAMPLE, "[eth0]", "[\"eth 0\"]"),
    (EXAMPLE, "interfaces:", "interface: 1\ninterfaces:"),
    (EXAMPLE, "name: web\n    protocol", "name: a b\n    protocol"),
    (EXAMPLE, "name: web\n    protocol", "protocol"),
    (EXAMPLE, "    port: 80\n    forwarding", "    forwarding"),
    (EXAMPLE, "    port: 80\n    forwarding", "    port: 0\n    forwarding"),
    (EXAMPLE, "    port: 80\n    forwarding", "    port:\n    forwarding"),
    (EXAMPLE, "forwarding: ipip", "forwarding: tunnel"),
    (EXAMPLE, "forwarding: ipip", "forwarding: fullnat"),
    (EXAMPLE, "weight: 100", "weight: 1001"),
    (EXAMPLE, "weight: 100", "wieght: 100"),
    (EXAMPLE, "10.0.1.11", "10.0.1.256"),
    (EXAMPLE, "10.0.1.11", "127.0.0.1"),
    (EXAMPLE, "protocol: http", "protocol: tcp"),
    (EXAMPLE, "protocol: http", "protocol: grpc"),
    (EXAMPLE, "protocol: http", "protocol: smtp"),
    (EXAMPLE, "path: /healthz", "path: healthz"),
    (EXAMPLE, "path: /healthz", "command: [/bin/true]"),
    (EXAMPLE, "path: /healthz", "verify: true"),
    (EXAMPLE, "port: traffic-port", "port: \"80\""),
    (EXAMPLE, "interval: 5s", "interval: 5"),
    (EXAMPLE, "interval: 5s", "interval: 99ms"),
    (EXAMPLE, "interval: 5s", "interval: 301s"),
    (EXAMPLE, "unhealthy_threshold: 2", "unhealthy_threshold: 11"),
    (EXAMPLE, "matcher: \"200-399\"", "matcher: 99"),
    (EXAMPLE, "deregistration_delay: 300s", "deregistration_delay: 1500ms"),
    (EXAMPLE, "slow_start: 0s", "slow_start: 29s"),
    (EXAMPLE, "stickiness: none", "stickiness: cookie"),
    (EXAMPLE, "stickiness: none", "gue_port: 80"),
    (
        EXAMPLE,
        "stickiness: none",
        "connection_termination: true\n      unhealthy_draining_interval: 1s",
    ),
    (EXAMPLE, "    protocol: tcp\n    default", "    protocol: tls\n    default"),
    (EXAMPLE, "{ forward: { target_group: web } }", "{ forward: web }"),
    (EXAMPLE, "{ forward: { target_group: web } }", "{ redirect: web }"),
    (EXAMPLE, "    default_action: { forward: { target_group: web } }\n", ""),
    (MODES, "2000-60000", "1023-60000"),
    (MODES, "rate: 50", "rate: 0"),
    (MODES, "tcp_mss: 1400", "tcp_mss: 535"),
    (MODES, "    health_check: { protocol: tcp }\n", ""),
    (MODES, "{ protocol: tcp }", "{ protocol: tcp, via: tunnel }"),
    (MODES, "{ protocol: tcp }", "{ protocol: icmp, port: 80 }"),
    (MODES, "{ protocol: tcp }", "{ protocol: exec }"),
    (MODES, "{ protocol: tcp }", "{ protocol: udp, payload: a, payload_hex: \"61\" }"),
    (MODES, "{ protocol: tcp }", "{ protocol: grpc, verify: true }"),
    (MODES, "{ protocol: tcp }", "{ protocol: tcp }\n    attributes: { tcp_mss: 1400 }"),
    (MODES, "idle_timeout: 30s", "idle_timeout: 9s"),
    (MODES, "idle_timeout: 100m", "idle_timeout: 59s"),
    (MODES, "idle_timeout: 100m", "udp_flows: tracked"),
    (MODES, "5000-5999", "0-5999"),
    (MODES, "203.0.113.0/28", "203.0.113.0/33"),
    (
        HTTP,
        "    protocol: http\n    port: 8080",
        "    protocol: http\n    forwarding: nat\n    port: 8080",
    ),
    (HTTP, "order.example.org", "order_.1"),
    (HTTP, "algorithm: least_outstanding_requests", "tcp_mss: 1400"),
    (HTTP, "type: lb_cookie", "type: lb_cookie, name: a"),
    (HTTP, "budget: 10%", "budget: 10"),
    (HTTP, "ca: /etc/xelb/ca.pem", "ca: /etc/xelb/ca.pem, verify: none"),
    (HTTP, "anomaly_mitigation: on", "proxy_protocol: v1"),
    (HTTP, ", key: /etc/xelb/shop.key", ""),
    (HTTP, "verify, ca: /etc/xelb/clients.pem", "verify"),
    (HTTP, "client_auth: verify", "client_auth: off"),
    (HTTP, "priority: 10", "priority: 0"),
    (HTTP, "\"/order/*\"", "order"),
    (HTTP, "GET, POST", "get"),
    (HTTP, "remove: [server]", "remove: [a b]"),
    (HTTP, "        action: { forward: { target_group: chat } }\n", ""),
    (HTTP, "weight: 90", "weight: 1000"),
    (HTTP, "status: 503", "status: 301"),
    (HTTP, "status: 301", "status: 200"),
    (
        HTTP,
        "    protocol: http\n    default",
        "    protocol: http\n    attributes: { http2: true }\n    default",
    ),
    (HTTP, "    protocol: tls\n", "    protocol: tls\n    rules: []\n"),
];

/// Errors between two values, or that need arithmetic.
const NOT_SEEN: &[Change] = &[
    (EXAMPLE, "{ target_group: web }", "{ target_group: shop }"),
    (EXAMPLE, "timeout: 2s", "timeout: 6s"),
    (EXAMPLE, "2001:db8::11", "10.0.1.11"),
    (EXAMPLE, "10.0.1.11", "203.0.113.10"),
    (EXAMPLE, "    port: 80\n    forwarding", "    port: 81\n    forwarding"),
    (EXAMPLE, "matcher: \"200-399\"", "matcher: \"399-200\""),
    (MODES, "203.0.113.0/28", "203.0.113.1/28"),
    (MODES, "2000-60000", "2000-2500"),
    (MODES, "addresses: [10.0.0.2, \"fd00::2\"]", "addresses: [\"fd00::2\"]"),
    (MODES, "name: prefix", "name: range"),
    (HTTP, "priority: 20", "priority: 10"),
    (HTTP, "^curl/", "(curl"),
    (HTTP, "replace: \"/$1\"", "replace: \"/$2\""),
    (HTTP, "{ target_group: chat }", "{ target_group: mail }"),
    (HTTP, "protocol: https, path", "protocol: http, path"),
    (HTTP, "set: { x-shop: \"1\" }", "set: { te: \"1\" }"),
];

#[test]
fn the_schema_refuses_errors_that_it_can_express() {
    for (changes, seen) in [(SEEN, true), (NOT_SEEN, false)] {
        for (text, old, new) in changes {
            let text = with(text, old, new);
            assert_eq!(is_seen(&text), seen, "{old:?} -> {new:?}: {}", errors(&text));
        }
    }
}
