//! Wrong target groups of HTTP, with the exact message of each.

use super::{HTTP, SMALL, check_changes};

/// The HTTP configuration with one change, and the messages; `~` stands for `xelb.yaml`.
const CHANGED: &[(&str, &str, &str)] = &[
    (
        "    protocol: http\n    port: 8080\n    targets",
        "    protocol: http\n    port: 8080\n    forwarding: nat\n    targets",
        "~:6:17: target_groups[0].forwarding: belongs to groups of tcp, udp and quic; this one is http, whose requests go through the proxy; remove it",
    ),
    (
        "    protocol: http\n    port: 8080\n    targets",
        "    protocol: http\n    port: 8080\n    tls: {}\n    targets",
        "~:6:10: target_groups[0].tls: belongs to groups of https, grpc and tcp; this one is http",
    ),
    (
        "    protocol: http\n    port: 8080\n    targets",
        "    protocol: http\n    target: 1\n    targets",
        "~:3:5: target_groups[0]: `port` is missing; for example `port: 8080`\n\
         ~:5:5: target_groups[0].target: unknown key; did you mean `targets`?",
    ),
    (
        "protocol_version: http2",
        "protocol_version: http3",
        "~:15:23: target_groups[1].protocol_version: `http3` is not http1 or http2",
    ),
    (
        "    port: 9000",
        "    protocol_version: http1\n    port: 9000",
        "~:22:23: target_groups[2].protocol_version: contradicts `protocol: grpc`, which needs HTTP/2; remove it",
    ),
    (
        "server_name: stock.example.org",
        "server_name: 10.0.0.1",
        "~:18:25: target_groups[1].tls.server_name: `10.0.0.1` is not a DNS name, such as www.example.org",
    ),
    (
        "ca: /etc/xelb/ca.pem",
        "ca: ca.pem",
        "~:18:48: target_groups[1].tls.ca: `ca.pem` is not the absolute path of a file, such as /etc/xelb/ca.pem",
    ),
    (
        "ca: /etc/xelb/ca.pem",
        "ca: /etc/xelb/ca.pem, verify: none",
        "~:18:48: target_groups[1].tls.ca: contradicts `verify: none`; remove one of the two",
    ),
    (
        "ca: /etc/xelb/ca.pem",
        "verify: false",
        "~:18:52: target_groups[1].tls.verify: false is not full or none",
    ),
    (
        "ca: /etc/xelb/ca.pem",
        "certificate: /c",
        "~:18:10: target_groups[1].tls: `key` is missing; for example `key: /etc/xelb/shop.key`",
    ),
    (
        "order.example.org",
        "\"order example\"",
        "~:6:50: target_groups[0].targets[1].address: `order example` is not an address or a DNS name, such as 10.0.1.11 or order.example.org",
    ),
    (
        "order.example.org, port: 8081",
        "\"10.0.1.11:8081\"",
        "~:6:50: target_groups[0].targets[1].address: `10.0.1.11:8081` is not an address or a DNS name, such as 10.0.1.11 or order.example.org; write only the address, 10.0.1.11, and the port in `port`",
    ),
    (
        "{ address: order.example.org, port: 8081",
        "{ address: 10.0.1.11",
        "~:6:39: target_groups[0].targets[1]: target 10.0.1.11:8080 is in the group order twice",
    ),
    (
        "order.example.org, port: 8081",
        "224.0.0.1",
        "~:6:50: target_groups[0].targets[1].address: 224.0.0.1 is a multicast address",
    ),
    (
        "order.example.org, port: 8081",
        "203.0.113.10",
        "~:6:39: target_groups[0].targets[1]: 203.0.113.10 is the address of a listener, not of a server",
    ),
    (
        "port: 25, targets: [{ address: 10.0.2.1 }]",
        "port: 25, scaling: {}, protocol_version: http1, targets: [{ address: 10.0.2.1, backup: true }], attributes: { stickiness: source_ip, quorum: 2, retries: { on: [502] } }",
        "~:24:53: target_groups[3].scaling: needs `forwarding` in this version: the proxy connects to the targets of this group; declare them\n\
         ~:24:75: target_groups[3].protocol_version: belongs to groups of http, https and grpc; this one is tcp\n\
         ~:24:121: target_groups[3].targets[0].backup: belongs to targets of groups with `forwarding`\n\
         ~:24:156: target_groups[3].attributes.stickiness: is none for connections of tls, as with ELB: cookies are inside of requests, and `source_ip` belongs to groups with `forwarding`; remove it\n\
         ~:24:175: target_groups[3].attributes.quorum: belongs to groups with `forwarding`; the proxy connects to the targets of this one\n\
         ~:24:193: target_groups[3].attributes.retries.on: of a group of tcp may be `connect_failure` alone: bytes that a target has got cannot be sent to another one",
    ),
    (
        "port: 25, targets",
        "port: 25, forwarding: ipip, tls: {}, protocol_version: http1, attributes: { algorithm: round_robin }, targets",
        "~:24:67: target_groups[3].tls: belongs to groups of http, https and grpc, and of tcp without `forwarding`; this one is tcp\n\
         ~:24:89: target_groups[3].protocol_version: belongs to groups of http, https and grpc; this one is tcp\n\
         ~:24:121: target_groups[3].attributes.algorithm: belongs to groups of http, https and grpc, and of tcp without `forwarding`; this one is tcp\n\
         ~:69:48: listeners[2].default_action.forward.target_group: listener mail is tls, whose targets the proxy connects to, and target group mail has `forwarding`, so that packets are forwarded to it: remove `forwarding`, or name a group of tcp without it",
    ),
    (
        "port: 25, targets: [{ address: 10.0.2.1 ",
        "port: 25, forwarding: ipip, targets: [{ address: mail.example.org ",
        "~:69:48: listeners[2].default_action.forward.target_group: listener mail is tls, whose targets the proxy connects to, and target group mail has `forwarding`, so that packets are forwarded to it: remove `forwarding`, or name a group of tcp without it",
    ),
    (
        "- name: stock",
        "- name: order",
        "~:13:5: target_groups[1]: there are two target groups named order\n\
         ~:49:66: listeners[0].rules[0].action.forward.target_groups[1].name: there is no target group stock; there are chat, mail, order",
    ),
    (
        "algorithm: least_outstanding_requests",
        "algorithm: least_requests",
        "~:8:18: target_groups[0].attributes.algorithm: `least_requests` is not an algorithm: round_robin, least_outstanding_requests or weighted_random",
    ),
    (
        "algorithm: least_outstanding_requests",
        "tcp_mss: 1400",
        "~:8:16: target_groups[0].attributes.tcp_mss: belongs to groups of tcp, udp and quic; this one is http",
    ),
    (
        "algorithm: least_outstanding_requests",
        "algoritm: round_robin",
        "~:8:7: target_groups[0].attributes.algoritm: unknown key; did you mean `algorithm`?",
    ),
    (
        "{ type: lb_cookie, duration: 1d }",
        "source_ip",
        "~:9:19: target_groups[0].attributes.stickiness: `source_ip` is not a stickiness: none, or a section such as `{ type: lb_cookie, duration: 1d }`",
    ),
    (
        "{ type: lb_cookie, duration: 1d }",
        "{ type: lb_cookie, duration: 8d, name: sid }",
        "~:9:48: target_groups[0].attributes.stickiness.duration: `8d` is not a duration of whole seconds from 1s to 604800s, such as `90s` or `2m`\n\
         ~:9:58: target_groups[0].attributes.stickiness.name: belongs to `type: app_cookie`; this is lb_cookie",
    ),
    (
        "{ type: lb_cookie, duration: 1d }",
        "{ type: app_cookie }",
        "~:9:19: target_groups[0].attributes.stickiness: `name` is missing; for example `name: JSESSIONID`",
    ),
    (
        "{ type: lb_cookie, duration: 1d }",
        "{ type: app_cookie, name: AWSALBX }",
        "~:9:45: target_groups[0].attributes.stickiness.name: cookie name \"AWSALBX\" begins with AWSALB, which is reserved for xelb: name another cookie",
    ),
    (
        "attempts: 2, budget: 10%, on: [connect_failure, 502, \"503\"]",
        "attempts: 6, budget: 10, on: [reset, 404, \"5xx\"]",
        "~:10:28: target_groups[0].attributes.retries.attempts: 6 is not a whole number from 0 to 5\n\
         ~:10:39: target_groups[0].attributes.retries.budget: 10 is not a percentage from 1% to 100%, such as 20%\n\
         ~:10:48: target_groups[0].attributes.retries.on[0]: `reset` is not a reason for a retry: connect_failure, reused_connection or a status from 500 to 599\n\
         ~:10:55: target_groups[0].attributes.retries.on[1]: 404 is not a reason for a retry: connect_failure, reused_connection or a status from 500 to 599\n\
         ~:10:60: target_groups[0].attributes.retries.on[2]: `5xx` is not a reason for a retry: connect_failure, reused_connection or a status from 500 to 599",
    ),
    (
        "[connect_failure, 502, \"503\"]",
        "[]",
        "~:10:48: target_groups[0].attributes.retries.on: is empty; name a reason, or turn retries off with `attempts: 0`",
    ),
    (
        "anomaly_mitigation: on, slow_start: 30s",
        "anomaly_mitigation: yes, slow_start: 29s, proxy_protocol: v1",
        "~:19:39: target_groups[1].attributes.anomaly_mitigation: `yes` is not on or off\n\
         ~:19:56: target_groups[1].attributes.slow_start: 29s is neither 0s nor from 30s to 900s, such as `90s`\n\
         ~:19:77: target_groups[1].attributes.proxy_protocol: belongs to `protocol_version: http1`: a connection of HTTP/2 carries requests of many clients",
    ),
    (
        "    attributes: { anomaly",
        "    health_check: { via: tunnel, command: [/x] }\n    attributes: { anomaly",
        "~:19:26: target_groups[1].health_check.via: `tunnel` belongs to forwarding ipip, gue and l2dsr; requests to this group go through the proxy, as probes with `via: address` do\n\
         ~:19:43: target_groups[1].health_check.command: belongs to checks of `exec`; this one is https",
    ),
];

#[test]
fn each_change_of_the_groups() {
    check_changes(HTTP, CHANGED);
}

/// A listener that does not look into what it forwards.
#[test]
fn layer_4_listeners_have_no_http_group() {
    check_changes(
        SMALL,
        &[
            (
                "protocol: tcp\n    port: 80\n    forwarding: ipip",
                "protocol: grpc\n    port: 80",
                "~:13:48: listeners[0].default_action.forward.target_group: listener web is tcp, its target group web is grpc: requests need a listener of http or https",
            ),
            (
                "    default_action",
                "    rules: []\n    tls: {}\n    certificates: []\n    attributes: { http2: true }\n    default_action",
                "~:14:12: listeners[0].rules: belongs to listeners of http and https; this one is tcp\n\
                 ~:15:10: listeners[0].tls: belongs to listeners of https and tls; this one is tcp\n\
                 ~:16:19: listeners[0].certificates: belongs to listeners of https and tls; this one is tcp\n\
                 ~:17:26: listeners[0].attributes.http2: belongs to listeners of http and https; this one is tcp",
            ),
        ],
    );
}
