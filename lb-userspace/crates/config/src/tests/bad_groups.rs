//! Wrong target groups and targets, with the exact message of each.

/// The example with one change, and the messages; `~` stands for `xelb.yaml`.
const CHANGED: &[(&str, &str, &str)] = &[
    (
        "  - name: web\n    protocol",
        "  - nam: web\n    protocol",
        "~:3:5: target_groups[0]: `name` is missing; for example `name: web`\n\
             ~:3:5: target_groups[0].nam: unknown key; did you mean `name`?",
    ),
    (
        "name: web\n    protocol",
        "name: \"web server\"\n    protocol",
        "~:3:11: target_groups[0].name: `web server` is not a name: 1 to 56 letters, digits, dots, dashes and underscores, such as `web-1`",
    ),
    (
        "name: web\n    protocol",
        "name: \"line\\nfeed\"\n    protocol",
        "~:3:11: target_groups[0].name: `line\\n\
             feed` is not a name: 1 to 56 letters, digits, dots, dashes and underscores, such as `web-1`",
    ),
    (
        "name: web\n    protocol",
        "name: 7\n    protocol",
        "~:3:11: target_groups[0].name: 7 is not a text; put it in quotes: \"7\"",
    ),
    (
        "protocol: tcp\n    port: 80\n    forwarding",
        "protocol: TCP\n    port: 80\n    forwarding",
        "~:4:15: target_groups[0].protocol: `TCP` is not a protocol: tcp, udp, quic, http, https or grpc",
    ),
    (
        "protocol: tcp\n    port: 80\n    forwarding",
        "protocol: tls\n    port: 80\n    forwarding",
        "~:4:15: target_groups[0].protocol: tls belongs to listeners; the target group of one is tcp",
    ),
    (
        "    port: 80\n    forwarding",
        "    port: 0\n    forwarding",
        "~:5:11: target_groups[0].port: 0 is not a port from 1 to 65535, such as 80",
    ),
    (
        "    port: 80\n    forwarding",
        "    port: \"80\"\n    forwarding",
        "~:5:11: target_groups[0].port: `80` is not a port from 1 to 65535, such as 80; write it without quotes",
    ),
    (
        "    port: 80\n    forwarding",
        "    port: 8080\n    forwarding",
        "~:5:11: target_groups[0].port: port 8080 is not port 80 of listener web: forwarding ipip cannot translate ports; nat and fullnat can",
    ),
    (
        "    port: 80\n    forwarding",
        "    port:\n    forwarding",
        "~:3:5: target_groups[0]: `port` is missing; for example `port: 80`",
    ),
    (
        "forwarding: ipip",
        "forwarding: tunnel",
        "~:6:17: target_groups[0].forwarding: `tunnel` is not a forwarding mode: ipip, gue, l2dsr, nat or fullnat",
    ),
    (
        "forwarding: ipip",
        "forwarding: l2dsr",
        "~:9:9: target_groups[0].targets[1]: 2001:db8::11 is of another family than 203.0.113.10 of listener web: l2dsr does not change packets",
    ),
    (
        "10.0.1.11, weight: 100",
        "10.0.1.11, weight: 1001",
        "~:8:39: target_groups[0].targets[0].weight: 1001 is not a whole number from 0 to 1000",
    ),
    (
        "10.0.1.11, weight: 100",
        "10.0.1.11, weight: -1",
        "~:8:39: target_groups[0].targets[0].weight: -1 is not a whole number from 0 to 1000",
    ),
    (
        "10.0.1.11, weight: 100",
        "10.0.1.11, weight: 0.5",
        "~:8:39: target_groups[0].targets[0].weight: 0.5 is not a whole number from 0 to 1000",
    ),
    (
        "10.0.1.11, weight: 100",
        "10.0.1.11, weight: heavy",
        "~:8:39: target_groups[0].targets[0].weight: `heavy` is not a whole number from 0 to 1000",
    ),
    (
        "10.0.1.11, weight: 100",
        "10.0.1.11, wieght: 100",
        "~:8:31: target_groups[0].targets[0].wieght: unknown key; did you mean `weight`?",
    ),
    (
        "10.0.1.11, weight: 100",
        "10.0.1.11, colour: red",
        "~:8:31: target_groups[0].targets[0].colour: unknown key; known are `address`, `port`, `weight`, `backup`, `tags`",
    ),
    (
        "10.0.1.11, weight: 100",
        "10.0.1.11, port: 81",
        "~:8:9: target_groups[0].targets[0]: port 81 is not port 80 of listener web: forwarding ipip cannot translate ports; nat and fullnat can",
    ),
    (
        "address: 10.0.1.11, weight: 100",
        "weight: 100",
        "~:8:9: target_groups[0].targets[0]: `address` is missing; for example `address: 10.0.1.11`",
    ),
    (
        "10.0.1.11, weight: 100",
        "10.0.1.256",
        "~:8:20: target_groups[0].targets[0].address: `10.0.1.256` is not an address or a DNS name, such as 10.0.1.11 or order.example.org",
    ),
    (
        "{ address: 10.0.1.11, weight: 100 }",
        "10.0.1.11",
        "~:8:9: target_groups[0].targets[0]: must be a section with keys, not a text",
    ),
    (
        "{ address: 10.0.1.11, weight: 100 }",
        "{ address: 10.1 }",
        "~:8:20: target_groups[0].targets[0].address: 10.1 is not an address or a DNS name, such as 10.0.1.11 or order.example.org",
    ),
    (
        "{ address: 10.0.1.11, weight: 100 }",
        "{ address: server..example }",
        "~:8:20: target_groups[0].targets[0].address: `server..example` is not an address or a DNS name, such as 10.0.1.11 or order.example.org",
    ),
    (
        "{ address: 10.0.1.11, weight: 100 }",
        "{ address: 203.0.113.10 }",
        "~:8:9: target_groups[0].targets[0]: 203.0.113.10 is the address of a listener, not of a server",
    ),
    (
        "{ address: 10.0.1.11, weight: 100 }",
        "{ address: \"2001:DB8:0::11\", weight: 5 }",
        "~:9:9: target_groups[0].targets[1]: target [2001:db8::11]:80 is in the group web twice",
    ),
    (
        "\"2001:db8::11\"",
        "\"fe80::1\"",
        "~:9:20: target_groups[0].targets[1].address: fe80::1 is a link-local address, which \
         needs an interface to identify a host",
    ),
    (
        "\"2001:db8::11\"",
        "\"::ffff:10.0.0.1\"",
        "~:9:20: target_groups[0].targets[1].address: ::ffff:10.0.0.1 is an IPv4-mapped address; write it as IPv4",
    ),
    (
        "\"2001:db8::11\"",
        "\"ff02::1\"",
        "~:9:20: target_groups[0].targets[1].address: ff02::1 is a multicast address",
    ),
    (
        "\"2001:db8::11\"",
        "255.255.255.255",
        "~:9:20: target_groups[0].targets[1].address: 255.255.255.255 is the broadcast address",
    ),
    (
        "\"2001:db8::11\"",
        "0.0.0.0",
        "~:9:20: target_groups[0].targets[1].address: 0.0.0.0 is the unspecified address",
    ),
];

#[test]
fn each_change_of_the_example() {
    super::check_changes(super::EXAMPLE, CHANGED);
}
