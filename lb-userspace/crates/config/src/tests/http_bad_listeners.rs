//! Wrong listeners of HTTP and TLS, with the exact message of each.

use super::{HTTP, check_changes};

/// The HTTP configuration with one change, and the messages; `~` stands for `xelb.yaml`.
const CHANGED: &[(&str, &str, &str)] = &[
    (
        "    certificates: [{ certificate: /etc/xelb/shop.pem, key: /etc/xelb/shop.key }]\n",
        "",
        "~:26:5: listeners[0]: `certificates` is missing; for example `certificates: [{ certificate: /etc/xelb/shop.pem, key: /etc/xelb/shop.key }]`",
    ),
    (
        "[{ certificate: /etc/xelb/mail.pem, key: /etc/xelb/mail.key }]",
        "[]",
        "~:68:19: listeners[2].certificates: is empty; TLS needs at least one certificate",
    ),
    (
        "certificate: /etc/xelb/mail.pem, key: /etc/xelb/mail.key",
        "certificate: mail.pem, keyy: 1",
        "~:68:20: listeners[2].certificates[0]: `key` is missing; for example `key: /etc/xelb/shop.key`\n\
         ~:68:35: listeners[2].certificates[0].certificate: `mail.pem` is not the absolute path of a file, such as /etc/xelb/shop.pem\n\
         ~:68:45: listeners[2].certificates[0].keyy: unknown key; did you mean `key`?",
    ),
    (
        "    protocol: http\n    default_action",
        "    protocol: http\n    certificates: []\n    tls: {}\n    default_action",
        "~:63:19: listeners[1].certificates: belongs to listeners of https and tls; this one is http\n\
         ~:64:10: listeners[1].tls: belongs to listeners of https and tls; this one is http",
    ),
    (
        "policy: modern",
        "policy: old",
        "~:31:20: listeners[0].tls.policy: `old` is not a policy: modern (TLS 1.3) or intermediate (TLS 1.2 and 1.3)",
    ),
    (
        "client_auth: verify, ca: /etc/xelb/clients.pem",
        "client_auth: verify",
        "~:31:10: listeners[0].tls: `ca` is missing; for example `ca: /etc/xelb/ca.pem`",
    ),
    (
        "client_auth: verify, ca: /etc/xelb/clients.pem",
        "client_auth: on",
        "~:31:41: listeners[0].tls.client_auth: `on` is not off, verify or passthrough",
    ),
    (
        "client_auth: verify, ca",
        "client_auth: passthrough, ca",
        "~:31:58: listeners[0].tls.ca: belongs to `client_auth: verify`; add it, or remove `ca`",
    ),
    (
        "    protocol: tls\n",
        "    protocol: tls\n    tls: { client_auth: passthrough }\n    rules: []\n",
        "~:68:25: listeners[2].tls.client_auth: passes certificates in a header, which belongs to `protocol: https`; use off or verify\n\
         ~:69:12: listeners[2].rules: belongs to listeners of http and https; this one is tls, which sees no requests",
    ),
    (
        "    protocol: tls\n",
        "    protocol: tls\n    attributes: { idle_timeout: 59s, http2: true, colour: 1 }\n",
        "~:68:33: listeners[2].attributes.idle_timeout: `59s` is not a duration of whole seconds from 60s to 6000s, such as `90s` or `2m`\n\
         ~:68:45: listeners[2].attributes.http2: belongs to listeners of http and https; this one is tls\n\
         ~:68:51: listeners[2].attributes.colour: unknown key; known are `idle_timeout`, `trusted_proxies`, `access_log`, `connection_log`",
    ),
    (
        "{ forward: { target_group: mail } }",
        "{ redirect: { status: 301 } }",
        "~:69:21: listeners[2].default_action: `forward` is missing; for example `forward: { target_group: web }`\n\
         ~:69:23: listeners[2].default_action.redirect: unknown key; known are `forward`",
    ),
    (
        "{ target_group: mail }",
        "{ target_group: chat }",
        "~:69:48: listeners[2].default_action.forward.target_group: listener mail is tls, its target group chat is grpc: requests need a listener of http or https",
    ),
    (
        "{ target_group: mail }",
        "{ target_group: mails }",
        "~:69:48: listeners[2].default_action.forward.target_group: there is no target group mails; did you mean mail?",
    ),
    (
        "protocol: tcp, port: 25",
        "protocol: tcp, forwarding: ipip, port: 25",
        "~:69:48: listeners[2].default_action.forward.target_group: listener mail is tls, whose targets the proxy connects to, and target group mail has `forwarding`, so that packets are forwarded to it: remove `forwarding`, or name a group of tcp without it",
    ),
    (
        "    default_action: { forward: { target_group: mail } }",
        "    tls: { alpn: [h2, h2, \"\", 5], crl: /x }\n    attributes: { access_log: { file: /l, format: alb } }\n    default_action: { forward: { target_group: mail } }",
        "~:69:23: listeners[2].tls.alpn[1]: h2 is there twice\n\
         ~:69:27: listeners[2].tls.alpn[2]: `` is not the name of a protocol (ALPN), such as h2 or http/1.1\n\
         ~:69:31: listeners[2].tls.alpn[3]: 5 is not the name of a protocol (ALPN), such as h2 or http/1.1\n\
         ~:69:40: listeners[2].tls.crl: belongs to `client_auth: verify`; add it, or remove `crl`\n\
         ~:70:51: listeners[2].attributes.access_log.format: `alb` is not json or nlb",
    ),
    (
        "client_auth: verify, ca",
        "alpn: [h2], client_auth: verify, ca",
        "~:31:34: listeners[0].tls.alpn: belongs to `protocol: tls`; this listener is https, where the attribute `http2` says it",
    ),
    (
        "protocol: tcp, port: 25",
        "protocol: udp, forwarding: ipip, health_check: {}, port: 25",
        "~:69:48: listeners[2].default_action.forward.target_group: listener mail is tls, its target group mail is udp: what is inside TLS is tcp",
    ),
    (
        "address: 203.0.113.10\n    port: 80\n",
        "address: 203.0.113.10\n    port: 80-81\n",
        "~:61:11: listeners[1].port: `80-81` is not a port from 1 to 65535, such as 80",
    ),
    (
        "  - name: redirect\n    address: 203.0.113.10\n    port: 80\n",
        "  - name: shop\n    address: 203.0.113.10\n    port: 443\n",
        "~:59:5: listeners[1]: there are two listeners named shop\n\
         ~:59:5: listeners[1]: tcp 203.0.113.10:443 of listener shop is taken already",
    ),
    (
        "  - name: mail\n    address",
        "  - { name: l4, address: 203.0.113.10, port: 443, protocol: tcp, default_action: { forward: { target_group: mail } } }\n  - name: mail\n    address",
        "~:64:5: listeners[2]: tcp 203.0.113.10:443 of listener l4 is taken already\n\
         ~:64:109: listeners[2].default_action.forward.target_group: listener l4 is tcp, and its target group mail has no `forwarding`: say there how packets reach its targets, such as `forwarding: ipip`",
    ),
    (
        "  - name: redirect\n    address: 203.0.113.10\n",
        "  - { name: all, address: 203.0.113.0/24, port: all, protocol: tcp, default_action: { forward: { target_group: mail } } }\n  - name: redirect\n    address: 203.0.113.0/28\n",
        "~:59:112: listeners[1].default_action.forward.target_group: listener all is tcp, and its target group mail has no `forwarding`: say there how packets reach its targets, such as `forwarding: ipip`\n\
         ~:60:5: listeners[2]: tcp 203.0.113.0/28 port 80 of listener redirect overlaps tcp 203.0.113.0/24 all ports of listener all; keep their addresses or ports apart",
    ),
    (
        "attributes: { idle_timeout: 120s, trusted_proxies: [192.0.2.1] }",
        "attributes: { idle_timeout: 4001s, trusted_proxies: [192.0.2.1/24, x], udp_flows: tracked, desync: 1 }",
        "~:58:33: listeners[0].attributes.idle_timeout: `4001s` is not a duration of whole seconds from 1s to 4000s, such as `90s` or `2m`\n\
         ~:58:58: listeners[0].attributes.trusted_proxies[0]: 192.0.2.1/24 has host bits; the prefix is 192.0.2.0/24\n\
         ~:58:72: listeners[0].attributes.trusted_proxies[1]: `x` is not an address or a prefix, such as 10.0.0.0/8\n\
         ~:58:87: listeners[0].attributes.udp_flows: belongs to listeners of tcp, udp and quic; this one is https\n\
         ~:58:96: listeners[0].attributes.desync: unknown key; known are `idle_timeout`, `client_keep_alive`, `tunnel_timeout`, `desync_mitigation`, `xff_header_processing`, `xff_client_port`, `trusted_proxies`, `drop_invalid_header_fields`, `preserve_host_header`, `http2`, `access_log`, `connection_log`",
    ),
    (
        "attributes: { idle_timeout: 120s, trusted_proxies: [192.0.2.1] }",
        "attributes: { desync_mitigation: off, xff_header_processing: add, http2: 1, access_log: { format: x } }",
        "~:58:38: listeners[0].attributes.desync_mitigation: `off` is not monitor, defensive or strictest\n\
         ~:58:66: listeners[0].attributes.xff_header_processing: `add` is not append, preserve or remove\n\
         ~:58:78: listeners[0].attributes.http2: 1 is not true or false\n\
         ~:58:93: listeners[0].attributes.access_log: `file` is missing; for example `file: /var/log/xelb/shop.log`\n\
         ~:58:103: listeners[0].attributes.access_log.format: `x` is not json or alb",
    ),
    (
        "attributes: { idle_timeout: 120s, trusted_proxies: [192.0.2.1] }",
        "attributes: { http2: false }",
        "~:53:44: listeners[0].rules[1].action.forward.target_group: target group chat is grpc, which needs HTTP/2, and clients cannot use it with listener shop; remove `http2: false`",
    ),
    (
        "    protocol: http\n    default_action: { redirect: { protocol: https, path: \"/#{path}\", status: 301 } }",
        "    protocol: http\n    attributes: { http2: true }\n    default_action: { forward: { target_group: chat } }",
        "~:63:26: listeners[1].attributes.http2: belongs to `protocol: https`; this listener is http\n\
         ~:64:48: listeners[1].default_action.forward.target_group: target group chat is grpc, which needs HTTP/2, and clients cannot use it with listener redirect; use `protocol: https`",
    ),
];

#[test]
fn each_change_of_the_listeners() {
    check_changes(HTTP, CHANGED);
}
