//! Wrong interfaces, listeners and top-level keys, with the exact message of each.

/// The example with one change, and the messages; `~` stands for `xelb.yaml`.
const CHANGED: &[(&str, &str, &str)] = &[
    (
        "interfaces: [eth0]\n",
        "",
        "~:1:1: `interfaces` is missing; for example `interfaces: [eth0]`",
    ),
    ("[eth0]", "[]", "~:1:13: interfaces: is empty; name at least one interface"),
    ("[eth0]", "eth0", "~:1:13: interfaces: must be a list, not a text"),
    ("[eth0]", "[eth0, eth1, eth0]", "~:1:26: interfaces[2]: interface eth0 is named twice"),
    ("[eth0]", "[0]", "~:1:14: interfaces[0]: 0 is not a text; put it in quotes: \"0\""),
    (
        "[eth0]",
        "[\"eth 0\", a-name-that-is-too-long, \"a/b\", \"..\"]",
        "~:1:14: interfaces[0]: `eth 0` is not the name of an interface: 1 to 15 characters, no blanks, `/` or `:`, such as `eth0`\n\
             ~:1:23: interfaces[1]: `a-name-that-is-too-long` is not the name of an interface: 1 to 15 characters, no blanks, `/` or `:`, such as `eth0`\n\
             ~:1:48: interfaces[2]: `a/b` is not the name of an interface: 1 to 15 characters, no blanks, `/` or `:`, such as `eth0`\n\
             ~:1:55: interfaces[3]: `..` is not the name of an interface: 1 to 15 characters, no blanks, `/` or `:`, such as `eth0`",
    ),
    (
        "[eth0]",
        "[[eth0], ~, {eth0: 1}]",
        "~:1:14: interfaces[0]: must be a text, not a list\n\
             ~:1:22: interfaces[1]: must be a text, not nothing\n\
             ~:1:25: interfaces[2]: must be a text, not a section with keys",
    ),
    (
        "interfaces:",
        "interface:",
        "~:1:1: `interfaces` is missing; for example `interfaces: [eth0]`\n\
             ~:1:1: interface: unknown key; did you mean `interfaces`?",
    ),
    (
        "listeners:",
        "listener: []\nlisteners:",
        "~:23:1: listener: unknown key; did you mean `listeners`?",
    ),
    (
        "name: web\n    protocol",
        "name: other\n    protocol",
        "~:28:48: listeners[0].default_action.forward.target_group: there is no target group web; there is only other",
    ),
    (
        "name: web\n    protocol",
        "name: wep\n    protocol",
        "~:28:48: listeners[0].default_action.forward.target_group: there is no target group web; did you mean wep?",
    ),
    (
        "protocol: tcp\n    port: 80\n    forwarding",
        "protocol: udp\n    port: 80\n    forwarding",
        "~:24:5: listeners[0]: listener web is tcp, its target group web is udp",
    ),
    (
        "address: 203.0.113.10\n",
        "address: 127.0.0.1\n",
        "~:25:14: listeners[0].address: 127.0.0.1 is a loopback address",
    ),
    (
        "    port: 80\n    protocol",
        "    port: 65536\n    protocol",
        "~:26:11: listeners[0].port: 65536 is not a port from 1 to 65535, such as 80",
    ),
    (
        "protocol: tcp\n    default",
        "protocol: grpc\n    default",
        "~:27:15: listeners[0].protocol: grpc belongs to target groups; the listener of one is https",
    ),
    (
        "{ forward: { target_group: web } }",
        "{ forward: { target_group: wbe2 } }",
        "~:28:48: listeners[0].default_action.forward.target_group: there is no target group wbe2; there is only web",
    ),
    (
        "{ forward: { target_group: web } }",
        "{ forward: web }",
        "~:28:32: listeners[0].default_action.forward: must be a section with keys, not a text",
    ),
    (
        "{ forward: { target_group: web } }",
        "{ redirect: web }",
        "~:28:21: listeners[0].default_action: `forward` is missing; for example `forward: { target_group: web }`\n\
             ~:28:23: listeners[0].default_action.redirect: unknown key; known are `forward`",
    ),
    (
        "{ forward: { target_group: web } }",
        "{ forward: {} }",
        "~:28:32: listeners[0].default_action.forward: `target_group` is missing; for example `target_group: web`",
    ),
    (
        "    default_action: { forward: { target_group: web } }\n",
        "    default_action:\n      forward:\n        target_group: 5\n",
        "~:30:23: listeners[0].default_action.forward.target_group: 5 is not a text; put it in quotes: \"5\"",
    ),
    (
        "    default_action: { forward: { target_group: web } }\n",
        "",
        "~:24:5: listeners[0]: `default_action` is missing; for example `default_action: { forward: { target_group: web } }`",
    ),
    (
        "interfaces: [eth0]",
        "interfaces: [eth0]\nhash_seed: abc",
        "~:2:12: hash_seed: must be 32 hexadecimal digits, as `openssl rand -hex 16` prints them, in quotes",
    ),
    (
        "interfaces: [eth0]",
        "interfaces: [eth0]\nhash_seed: 12345678901234567890123456789012",
        "~:2:12: hash_seed: must be 32 hexadecimal digits, as `openssl rand -hex 16` prints them, in quotes",
    ),
    (
        "interfaces: [eth0]",
        "interfaces: [eth0]\ntunnel: { source_ipv4: 10.0.0.0/24, source_ipv6: \"100::1/64\" }",
        "~:2:24: tunnel.source_ipv4: `10.0.0.0/24` is not a prefix of at most 16 bits without host bits, such as 172.16.0.0/16\n\
             ~:2:50: tunnel.source_ipv6: `100::1/64` is not a prefix of at most 112 bits without host bits, such as 100::/64",
    ),
    (
        "interfaces: [eth0]",
        "interfaces: [eth0]\ntunnel: { source_ipv4: 127.0.0.0/8, source_ipv6: \"::/0\" }",
        "~:2:24: tunnel.source_ipv4: `127.0.0.0/8` is not a prefix that packets can come from, such as 172.16.0.0/16\n\
             ~:2:50: tunnel.source_ipv6: `::/0` is not a prefix that packets can come from, such as 100::/64",
    ),
    (
        "interfaces: [eth0]",
        "interfaces: [eth0]\ntunnel:\n  source_ipv4: eth0\n  source: 1\n",
        "~:3:16: tunnel.source_ipv4: `eth0` is not an IPv4 prefix such as 172.16.0.0/16\n\
             ~:4:3: tunnel.source: unknown key; known are `source_ipv4`, `source_ipv6`",
    ),
];

#[test]
fn each_change_of_the_example() {
    super::check_changes(super::EXAMPLE, CHANGED);
}
