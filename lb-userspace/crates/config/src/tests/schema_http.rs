//! Documents for the parts of the schema that belong to the proxy, and what only the reader, or only
//! the schema, refuses there.

use serde_json::{Value, json};

use super::schema_scaling;

/// A valid document of HTTPS in which the key of a path may be.
pub(super) fn https_document(path: &str) -> Value {
    let key = path.rsplit('.').next().unwrap_or_default();
    let default = path.contains("default_action");
    let (own, chosen) =
        (action(if default { "" } else { path }), action(if default { path } else { "" }));
    let mut attributes = json!({ "minimum_healthy_targets": {}, "retries": {} });
    if path.contains("stickiness.") {
        attributes["stickiness"] = match key {
            "name" => json!({ "type": "app_cookie", "name": "sid" }),
            _ => json!({ "type": "lb_cookie" }),
        };
    }
    let tls = match key {
        "certificate" | "key" => json!({ "certificate": "/c", "key": "/k" }),
        _ => json!({}),
    };
    let client_tls = match key {
        "ca" | "crl" => json!({ "client_auth": "verify", "ca": "/ca" }),
        _ => json!({}),
    };
    let mut listener_attributes = json!({});
    let mut changes = json!({ "request": {}, "response": {} });
    if path.ends_with("trusted_proxies[0]") {
        listener_attributes["trusted_proxies"] = json!(["10.0.0.1"]);
    } else if path.ends_with("on[0]") {
        attributes["retries"]["on"] = json!(["502"]);
    } else if path.ends_with("remove[0]") {
        changes = json!({ "request": { "remove": ["x"] }, "response": { "remove": ["x"] } });
    }
    if path.contains("access_log.") {
        listener_attributes["access_log"] = json!({ "file": "/log" });
    }
    if path.contains("connection_log.") {
        listener_attributes["connection_log"] = json!({ "file": "/log" });
    }
    json!({
        "interfaces": ["eth0"],
        "target_groups": [{
            "name": "web", "protocol": "https", "port": 80,
            "targets": [{ "address": "10.0.1.11" }],
            "tls": tls, "health_check": check(path), "attributes": attributes,
            "scaling": schema_scaling::scaling_of_requests(path),
        }],
        "listeners": [{
            "name": "web", "address": "203.0.113.10", "port": 443, "protocol": "https",
            "certificates": [{ "certificate": "/c", "key": "/k" }],
            "tls": client_tls,
            "rules": [{
                "priority": 1,
                "conditions": [condition(path)],
                "transforms": transforms(path),
                "headers": changes,
                "action": own,
            }],
            "default_action": chosen,
            "attributes": listener_attributes,
        }],
    })
}

/// The same of TLS.
pub(super) fn tls_document(path: &str) -> Value {
    let key = path.rsplit('.').next().unwrap_or_default();
    let tls = match key {
        "ca" | "crl" => json!({ "client_auth": "verify", "ca": "/ca" }),
        "alpn[0]" => json!({ "alpn": ["h2"] }),
        _ => json!({}),
    };
    let target_tls = match key {
        "certificate" | "key" => json!({ "certificate": "/c", "key": "/k" }),
        _ => json!({}),
    };
    let mut group_attributes = json!({ "minimum_healthy_targets": {}, "retries": {} });
    if key == "on[0]" {
        group_attributes["retries"]["on"] = json!(["connect_failure"]);
    }
    let mut attributes = json!({});
    if key == "trusted_proxies[0]" {
        attributes["trusted_proxies"] = json!(["10.0.0.1"]);
    }
    if path.contains("access_log.") {
        attributes["access_log"] = json!({ "file": "/log" });
    }
    if path.contains("connection_log.") {
        attributes["connection_log"] = json!({ "file": "/log" });
    }
    json!({
        "interfaces": ["eth0"],
        "target_groups": [{
            "name": "web", "protocol": "tcp", "port": 80,
            "targets": [{ "address": "10.0.1.11" }],
            "tls": target_tls, "health_check": check(path), "attributes": group_attributes,
        }],
        "listeners": [{
            "name": "web", "address": "203.0.113.10", "port": 443, "protocol": "tls",
            "certificates": [{ "certificate": "/c", "key": "/k" }],
            "tls": tls,
            "default_action": { "forward": { "target_group": "web" } },
            "attributes": attributes,
        }],
    })
}

fn action(path: &str) -> Value {
    let key = path.rsplit('.').next().unwrap_or_default();
    if path.contains("redirect") {
        json!({ "redirect": { "host": "b.example", "status": 301 } })
    } else if path.contains("fixed_response") {
        match key {
            "body" => json!({ "fixed_response": { "status": 200, "content_type": "text/plain" } }),
            _ => json!({ "fixed_response": { "status": 200 } }),
        }
    } else if path.contains("target_groups") && path.contains("forward") {
        json!({ "forward": { "target_groups": [{ "name": "web" }] } })
    } else {
        json!({ "forward": { "target_group": "web" } })
    }
}

fn condition(path: &str) -> Value {
    let Some((_, rest)) = path.split_once("conditions[0].") else {
        return json!({ "path": ["/"] });
    };
    match rest.split(['.', '[']).next().unwrap_or_default() {
        "" => json!({ "path": ["/"] }),
        key @ ("header" | "header_regex") => json!({ key: { "name": "x", "values": ["1"] } }),
        "query" => json!({ "query": [{ "value": "1" }] }),
        "source_ip" => json!({ "source_ip": ["10.0.0.0/8"] }),
        "method" => json!({ "method": ["GET"] }),
        key @ ("path" | "path_regex") => json!({ key: ["/"] }),
        key => json!({ key: ["a.example"] }),
    }
}

fn transforms(path: &str) -> Value {
    let rewrite = json!({ "regex": "(a)", "replace": "/b" });
    match path.split_once("transforms.").map(|(_, rest)| rest.split('.').next().unwrap_or_default())
    {
        Some(key @ ("url_rewrite" | "host_rewrite")) => json!({ key: rewrite }),
        _ => json!({}),
    }
}

fn check(path: &str) -> Value {
    let key = path.rsplit('.').next().unwrap_or_default();
    if path.contains("metrics[0].report") {
        return json!({ "protocol": "http" });
    }
    if !path.contains("health_check.") {
        return json!({});
    }
    match key {
        "timeout" => json!({ "interval": "300s" }),
        "tls" | "service" => json!({ "protocol": "grpc" }),
        "payload" | "payload_hex" | "expect" | "expect_hex" => json!({ "protocol": "udp" }),
        "command" | "command[0]" => json!({ "protocol": "exec", "command": ["/bin/true"] }),
        _ => json!({ "protocol": "https" }),
    }
}

/// What the schema refuses and the reader accepts at this place, since it complains about another: a
/// path and a value a line. Such are the other keys of another protocol, and a key that a word needs.
pub(super) const TOO_STRICT: &str = r#"
    listeners[0].default_action.forward.target_groups []
    listeners[0].default_action.forward.target_groups null
    listeners[0].protocol "http"
    listeners[0].protocol "https"
    listeners[0].protocol "quic"
    listeners[0].protocol "tcp"
    listeners[0].protocol "tls"
    listeners[0].protocol "udp"
    listeners[0].rules[0].action.forward.target_groups []
    listeners[0].rules[0].action.forward.target_groups null
    listeners[0].rules[0].conditions[0].header.values []
    listeners[0].rules[0].conditions[0].header_regex.values []
    listeners[0].tls.client_auth "verify"
    on_event[0].exec null
    on_event[0].webhook null
    defaults.health_check.protocol "exec"
    target_groups[0].forwarding "ipip"
    target_groups[0].forwarding null
    target_groups[0].health_check.protocol "exec"
    target_groups[0].protocol "grpc"
    target_groups[0].protocol "http"
    target_groups[0].protocol "https"
    target_groups[0].protocol "quic"
    target_groups[0].protocol "tcp"
    target_groups[0].protocol "udp"
    target_groups[0].scaling.metrics[0].exec null
    target_groups[0].scaling.metrics[0].post null
    target_groups[0].scaling.metrics[0].prometheus null
    target_groups[0].scaling.metrics[0].report null
    target_groups[0].scaling.metrics[0].report.header null
    target_groups[0].scaling.metrics[0].report.json null
"#;

/// What the reader refuses and the schema does not see: a path and a value a line.
pub(super) const UNSEEN: &str = r#"
    listeners[0].attributes.trusted_proxies[0] "10.0.0.1/8"
    listeners[0].attributes.trusted_proxies[0] "10.1.0.0/8"
    listeners[0].attributes.trusted_proxies[0] "100::1/64"
    listeners[0].attributes.trusted_proxies[0] "12345::"
    listeners[0].attributes.trusted_proxies[0] "1:2:3:4:5:6:7:8:9"
    listeners[0].attributes.trusted_proxies[0] "1::2::3"
    listeners[0].rules[0].conditions[0].source_ip[0] "10.0.0.1/8"
    listeners[0].rules[0].conditions[0].source_ip[0] "10.1.0.0/8"
    listeners[0].rules[0].conditions[0].source_ip[0] "100::1/64"
    listeners[0].rules[0].conditions[0].source_ip[0] "12345::"
    listeners[0].rules[0].conditions[0].source_ip[0] "1:2:3:4:5:6:7:8:9"
    listeners[0].rules[0].conditions[0].source_ip[0] "1::2::3"
    listeners[0].default_action.redirect.protocol "http"
    listeners[0].rules[0].action.redirect.protocol "http"
    target_groups[0].attributes.stickiness.name null
    target_groups[0].tls.certificate null
    target_groups[0].tls.key null
"#;
