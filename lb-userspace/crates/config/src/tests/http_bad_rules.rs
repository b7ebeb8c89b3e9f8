//! Wrong rules and actions of listeners of HTTP, with the exact message of each.

use std::fmt::Write as _;

use super::{HTTP, check_changes, errors, with};

/// The HTTP configuration with one change, and the messages; `~` stands for `xelb.yaml`.
const CONDITIONS: &[(&str, &str, &str)] = &[
    (
        "\"*.shop.example.com\"",
        "\"shop.example.com:443\"",
        "~:36:40: listeners[0].rules[0].conditions[0].host[1]: host \"shop.example.com:443\" has the character ':', which cannot occur there: remove it",
    ),
    (
        "[\"/order/*\"]",
        "[order, 5]",
        "~:37:27: listeners[0].rules[0].conditions[1].path[1]: 5 is not a text; put it in quotes: \"5\"",
    ),
    (
        "[\"/order/*\"]",
        "[order]",
        "~:37:20: listeners[0].rules[0].conditions[1].path[0]: path \"order\" can match no request: begin it with / or a wildcard",
    ),
    (
        "[\"/order/*\"]",
        "[]",
        "~:37:19: listeners[0].rules[0].conditions[1].path: condition path has no value, and could never hold: add a value, or remove it",
    ),
    (
        "path: [\"/order/*\"]",
        "{ path: [\"/a\"], method: [GET] }",
        "~:37:13: listeners[0].rules[0].conditions[1]: has several conditions, `path`, `method`: make an item of each",
    ),
    (
        "path: [\"/order/*\"]",
        "pth: [\"/order/*\"]",
        "~:37:13: listeners[0].rules[0].conditions[1]: has no condition: write one, such as `path: [\"/order/*\"]`\n\
         ~:37:13: listeners[0].rules[0].conditions[1].pth: unknown key; did you mean `path`?",
    ),
    (
        "method: [GET, POST]",
        "method: [GET, post]",
        "~:38:27: listeners[0].rules[0].conditions[2].method[1]: method \"post\" has the character 'p', which cannot occur there: remove it",
    ),
    (
        "{ name: x-canary, values: [\"1\"] }",
        "{ name: \"x canary\", values: [1], value: 2 }",
        "~:39:50: listeners[0].rules[0].conditions[3].header.values[0]: 1 is not a text; put it in quotes: \"1\"\n\
         ~:39:54: listeners[0].rules[0].conditions[3].header.value: unknown key; did you mean `values`?",
    ),
    (
        "{ name: x-canary, values: [\"1\"] }",
        "{ name: \"x canary\" }",
        "~:39:21: listeners[0].rules[0].conditions[3].header: `values` is missing; for example `values: [\"1\"]`",
    ),
    (
        "name: x-canary",
        "name: x*",
        "~:39:29: listeners[0].rules[0].conditions[3].header.name: header name \"x*\" has a wildcard, which is not possible there: write the value out",
    ),
    (
        "{ value: \"3\" }",
        "{ key: a }",
        "~:40:45: listeners[0].rules[0].conditions[4].query[1]: `value` is missing; for example `value: \"2\"`",
    ),
    (
        "{ value: \"3\" }",
        "{ value: 'a\\b' }",
        "~:40:54: listeners[0].rules[0].conditions[4].query[1].value: query value \"a\\\\b\" has a backslash that escapes nothing: write \\*, \\? or \\\\",
    ),
    (
        "\"10.0.0.0/8\"",
        "\"10.1.0.0/8\", x",
        "~:41:25: listeners[0].rules[0].conditions[5].source_ip[0]: 10.1.0.0/8 has host bits; the prefix is 10.0.0.0/8\n\
         ~:41:39: listeners[0].rules[0].conditions[5].source_ip[1]: `x` is not an address or a prefix, such as 10.0.0.0/8",
    ),
    (
        "^curl/",
        "(curl",
        "~:42:56: listeners[0].rules[0].conditions[6].header_regex.values[0]: header_regex \"(curl\" is not a regular expression that can be used: unclosed group; look-around and back references are not possible",
    ),
    (
        "^/chat/v[0-9]+/",
        "(?=x)",
        "~:52:37: listeners[0].rules[1].conditions[0].path_regex[0]: path_regex \"(?=x)\" is not a regular expression that can be used: look-around, including look-ahead and look-behind, is not supported; look-around and back references are not possible",
    ),
    (
        "conditions: [{ path: [/down] }]",
        "conditions: []",
        "~:55:21: listeners[0].rules[2].conditions: it has no condition, and would match every request: add one, or use default_action",
    ),
    (
        "        conditions: [{ path: [/down] }]\n",
        "",
        "~:54:9: listeners[0].rules[2]: `conditions` is missing; for example `conditions: [{ path: [\"/order/*\"] }]`",
    ),
];

const RULES: &[(&str, &str, &str)] = &[
    (
        "priority: 20",
        "priority: 10",
        "~:51:19: listeners[0].rules[1].priority: priority 10 is that of rule orders in line 34, too: give one of them another",
    ),
    (
        "priority: 20",
        "priority: 20\n        name: orders",
        "~:52:15: listeners[0].rules[1].name: the name is that of rule orders in line 33, too: rename one of them",
    ),
    (
        "priority: 20",
        "priority: 50001",
        "~:51:19: listeners[0].rules[1].priority: 50001 is not a whole number from 1 to 50000",
    ),
    (
        "      - priority: 20\n        conditions",
        "      - conditions",
        "~:51:9: listeners[0].rules[1]: `priority` is missing; for example `priority: 10`",
    ),
    (
        "        action: { forward: { target_group: chat } }\n",
        "",
        "~:51:9: listeners[0].rules[1]: `action` is missing; for example `action: { forward: { target_group: web } }`",
    ),
    (
        "{ forward: { target_group: chat } }",
        "{}",
        "~:53:17: listeners[0].rules[1].action: has no action: write one of forward, redirect and fixed_response; for example `forward: { target_group: web }`",
    ),
    (
        "{ forward: { target_group: chat } }",
        "{ forward: { target_group: chat }, redirect: {} }",
        "~:53:17: listeners[0].rules[1].action: has several actions, forward and redirect: leave one",
    ),
    (
        "{ target_group: chat }",
        "{ target_group: chat, target_groups: [] }",
        "~:53:65: listeners[0].rules[1].action.forward.target_groups: contradicts `target_group`: set only one of them",
    ),
    (
        "{ target_group: chat }",
        "{}",
        "~:53:28: listeners[0].rules[1].action.forward: `target_group` is missing; for example `target_group: web`",
    ),
    (
        "{ target_group: chat }",
        "{ target_group: chta }",
        "~:53:44: listeners[0].rules[1].action.forward.target_group: there is no target group chta; there are chat, mail, order, stock",
    ),
    (
        "{ target_group: chat }",
        "{ target_group: mail }",
        "~:53:44: listeners[0].rules[1].action.forward.target_group: listener shop is https, its target group mail is tcp: requests need a group of http, https or grpc",
    ),
    (
        "{ name: order, weight: 90 }, { name: stock, weight: 10 }",
        "{ name: order, weight: 0 }, { name: stock, weight: 0 }",
        "~:48:11: listeners[0].rules[0].action.forward: all weights are 0, so that no target group gets a request: set one above 0",
    ),
    (
        "{ name: order, weight: 90 }, { name: stock, weight: 10 }",
        "{ name: order }, { name: order, weight: 1000 }",
        "~:49:69: listeners[0].rules[0].action.forward.target_groups[1].weight: 1000 is not a whole number from 0 to 999",
    ),
    (
        "{ name: order, weight: 90 }, { name: stock, weight: 10 }",
        "{ name: order }, { name: order }",
        "~:49:46: listeners[0].rules[0].action.forward.target_groups[1]: target group order is named twice: add up the weights",
    ),
    (
        "{ name: order, weight: 90 }, { name: stock, weight: 10 }",
        "",
        "~:48:11: listeners[0].rules[0].action.forward: its forward action names no target group: add one",
    ),
    (
        "stickiness: 1h",
        "stickiness: 8d",
        "~:50:25: listeners[0].rules[0].action.forward.stickiness: `8d` is not a duration of whole seconds from 1s to 604800s, such as `90s` or `2m`",
    ),
    (
        "replace: \"/$1\"",
        "replace: \"/$2\"",
        "~:43:71: listeners[0].rules[0].transforms.url_rewrite.replace: replacement \"/$2\" uses group 2, which regex \"^/order/(.*)$\" does not have: add the group, or write $$ for a dollar sign",
    ),
    (
        "{ regex: \"^/order/(.*)$\", replace: \"/$1\" }",
        "{ regex: \"^/order/(.*)$\" }",
        "~:43:36: listeners[0].rules[0].transforms.url_rewrite: `replace` is missing; for example `replace: /$1`",
    ),
    (
        "set: { x-shop: \"1\" }",
        "set: { te: \"1\" }",
        "~:45:33: listeners[0].rules[0].headers.request.set.te: header \"te\" belongs to the connection or to framing, and cannot be changed: remove it",
    ),
    (
        "set: { x-shop: \"1\" }",
        "set: { x-shop: 1 }",
        "~:45:37: listeners[0].rules[0].headers.request.set.x-shop: 1 is not a text; put it in quotes: \"1\"",
    ),
    (
        "remove: [server]",
        "remove: [server, \"a b\"]",
        "~:46:40: listeners[0].rules[0].headers.response.remove[1]: header name \"a b\" has the character ' ', which cannot occur there: remove it",
    ),
    (
        "status: 503, content_type: text/plain",
        "status: 301, content_type: image/png",
        "~:56:45: listeners[0].rules[2].action.fixed_response.status: fixed_response cannot have status 301: use one of 200 to 299 and 400 to 599\n\
         ~:56:64: listeners[0].rules[2].action.fixed_response.content_type: content type \"image/png\" is not possible: use text/plain, text/css, text/html, application/javascript or application/json",
    ),
    (
        "status: 503, content_type: text/plain",
        "status: 700",
        "~:56:45: listeners[0].rules[2].action.fixed_response.status: 700 is not a status from 200 to 599",
    ),
    (
        "    default_action: { forward: { target_group: order } }\n    attributes",
        "    attributes",
        "~:26:5: listeners[0]: `default_action` is missing; for example `default_action: { forward: { target_group: web } }`",
    ),
    (
        "    default_action: { forward: { target_group: order } }\n    attributes",
        "    default_action: { redirect: { protocol: http, status: 301 } }\n    attributes",
        "~:57:45: listeners[0].default_action.redirect.protocol: it redirects from HTTPS to HTTP, so that requests lose their protection: use https",
    ),
    (
        "{ protocol: https, path: \"/#{path}\", status: 301 }",
        "{ protocol: http, path: \"/#{path}\", status: 301 }",
        "~:63:33: listeners[1].default_action.redirect: it redirects every request to its own URL, a loop: change protocol, host, port or path",
    ),
    (
        "{ protocol: https, path: \"/#{path}\", status: 301 }",
        "{ protocol: ftp, port: \"80\", path: \"/#{user}\" }",
        "~:63:33: listeners[1].default_action.redirect: `status` is missing; for example `status: 301`\n\
         ~:63:45: listeners[1].default_action.redirect.protocol: `ftp` is not http, https or \"#{protocol}\"\n\
         ~:63:56: listeners[1].default_action.redirect.port: `80` is not a port from 1 to 65535, or \"#{port}\"",
    ),
    (
        "path: \"/#{path}\"",
        "path: \"/#{user}\"",
        "~:63:58: listeners[1].default_action.redirect.path: redirect path \"/#{user}\" has the placeholder \"#{user}\", and only #{host}, #{port} and #{path} can be used there: correct it",
    ),
];

#[test]
fn each_change_of_the_conditions() {
    check_changes(HTTP, CONDITIONS);
}

#[test]
fn each_change_of_the_rules() {
    check_changes(HTTP, RULES);
}

/// To compile them takes long, so that a document cannot have any number.
#[test]
fn regular_expressions_are_counted_before_they_are_compiled() {
    let mut rules = String::new();
    for number in 0..21 {
        let values = vec!["\"(a{99}){9}\""; 100].join(", ");
        let action = "{ fixed_response: { status: 200 } }";
        writeln!(
            rules,
            "      - {{ priority: {}, conditions: [{{ path_regex: [{values}] }}], action: {action} }}",
            number + 100
        )
        .unwrap();
    }
    let text = with(HTTP, "      - priority: 20\n", &format!("{rules}      - priority: 20\n"));
    assert_eq!(
        errors(&text),
        "xelb.yaml:25:1: listeners: 2103 regular expressions of rules are more than the 2000 that this version supports; use values with `*` and `?` where they can express the same"
    );
}
