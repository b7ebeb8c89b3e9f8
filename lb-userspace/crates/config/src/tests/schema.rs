//! The JSON Schema of configurations says the same as the reader: keys, defaults, values.

use std::{collections::BTreeSet, sync::LazyLock};

use jsonschema::Validator;
use serde::Deserialize as _;
use serde_json::{Value, json};

use super::{
    super::{ConfigError, Document, SCHEMA, validate},
    EXAMPLE, HTTP, MODES, SMALL, config, schema_http, schema_scaling,
    schema_values::{UNSEEN, values},
};

static TREE: LazyLock<Value> = LazyLock::new(|| serde_json::from_str(SCHEMA).unwrap());
static VALIDATOR: LazyLock<Validator> =
    LazyLock::new(|| jsonschema::validator_for(&TREE).expect("a schema"));

/// What the schema says of a document; empty when it is valid.
pub(super) fn complaints(document: &Value) -> Vec<String> {
    let errors = VALIDATOR.iter_errors(document);
    errors.map(|error| format!("{}: {error}", error.instance_path())).collect()
}

/// A part of the schema, and the path of what it describes in the reader's form.
#[derive(Clone)]
struct Part {
    path: String,
    schema: &'static Value,
    kind: Kind,
}

/// The kind of listener or target group that a part belongs to.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    /// Served by the data path.
    Packets,
    Https,
    Tls,
}

impl Part {
    /// A keyword, of the part itself or of what it refers to.
    fn get(&self, keyword: &str) -> Option<&'static Value> {
        let definition = self.schema["$ref"].as_str().map(|name| {
            TREE.pointer(name.trim_start_matches('#')).unwrap_or_else(|| panic!("{name}"))
        });
        self.schema.get(keyword).or_else(|| definition?.get(keyword))
    }

    fn key(&self) -> &str {
        self.path.rsplit('.').next().unwrap_or_default()
    }

    fn pointer(&self) -> String {
        format!("/{}", self.path.replace(['.', '['], "/").replace(']', ""))
    }
}

/// Every part: sections, lists, items of lists, and single values.
fn parts() -> Vec<Part> {
    let mut all = vec![Part { path: String::new(), schema: &TREE, kind: Kind::Packets }];
    let mut next = 0;
    while let Some(part) = all.get(next).cloned() {
        let kind = part.kind;
        // A listener or group has another schema with each protocol.
        let choices = [("then", &part), ("else", &part)].map(|(keyword, part)| part.get(keyword));
        if let [Some(proxied), Some(other)] = choices
            && part.get("properties").is_none()
        {
            // A group of tcp without a mode is one of packets if there is a default.
            let proxied = proxied.get("anyOf").map_or(proxied, |both| &both[0]);
            let of_tls = ["/tls_listener", "/tcp_target_group"];
            let name = proxied["$ref"].as_str().unwrap_or_default();
            let is_tls = of_tls.iter().any(|end| name.ends_with(end));
            let proxied_kind = if is_tls { Kind::Tls } else { Kind::Https };
            for (schema, kind) in [(proxied, proxied_kind), (other, kind)] {
                all.push(Part { path: part.path.clone(), schema, kind });
            }
        }
        if let Some(keys) = part.get("properties").and_then(Value::as_object) {
            all.extend(keys.iter().map(|(key, schema)| {
                let dot = if part.path.is_empty() { "" } else { "." };
                Part { path: format!("{}{dot}{key}", part.path), schema, kind }
            }));
        }
        // A first item of its own is that of `command`.
        let items = part.get("prefixItems").map(|items| &items[0]).or_else(|| part.get("items"));
        let item = |schema| Part { path: format!("{}[0]", part.path), schema, kind };
        all.extend(items.map(item));
        next += 1;
    }
    all
}

/// Whether it has keys.
fn is_section(part: &Part) -> bool {
    part.get("properties").is_some()
}

/// A valid document in which every section is there, and the key of a path may be.
fn document_for(path: &str, kind: Kind) -> Value {
    match kind {
        Kind::Packets => packets_document(path),
        Kind::Https => schema_http::https_document(path),
        Kind::Tls => schema_http::tls_document(path),
    }
}

fn packets_document(path: &str) -> Value {
    let key = path.split(['.', '[']).next_back().unwrap_or_default();
    let in_check = path.contains("health_check.");
    let check = match path.rsplit('.').next().unwrap_or_default() {
        "path" | "host" | "body" | "matcher" if in_check => json!({ "protocol": "http" }),
        _ if path.contains("metrics[0].report") => json!({ "protocol": "http" }),
        "server_name" | "verify" => json!({ "protocol": "https" }),
        "timeout" => json!({ "interval": "300s" }),
        "tls" | "service" => json!({ "protocol": "grpc" }),
        "payload" | "payload_hex" | "expect" | "expect_hex" => json!({ "protocol": "udp" }),
        "command" | "command[0]" => json!({ "protocol": "exec", "command": ["/bin/true"] }),
        _ => json!({ "protocol": "tcp" }),
    };
    let protocol = if path.ends_with("udp_flows") { "udp" } else { "tcp" };
    let forwarding = if key.starts_with("gue_") { "gue" } else { "ipip" };
    json!({
        "interfaces": ["eth0"],
        "tunnel": {},
        "defaults": if path.starts_with("defaults") {
            json!({
                "health_check": check,
                "attributes": {
                    "minimum_healthy_targets": {}, "retries": { "on": ["connect_failure"] },
                },
            })
        } else {
            Value::Null
        },
        "on_event": [event_hook(path)],
        "source_nat": { "addresses": ["192.0.2.1", "192.0.2.2"] },
        "icmp": {},
        "resolver": { "servers": ["10.0.0.53", "10.0.0.54:5353"] },
        "target_groups": [{
            "name": "web", "protocol": protocol, "port": 80, "forwarding": forwarding,
            "targets": [{ "address": "10.0.1.11" }],
            "health_check": check,
            "attributes": { "minimum_healthy_targets": {} },
            "scaling": schema_scaling::scaling(path),
        }],
        "listeners": [{
            "name": "web", "address": "203.0.113.10", "port": 80, "protocol": protocol,
            "default_action": { "forward": { "target_group": "web" } },
            "attributes": {},
        }],
    })
}

/// A hook in which the key of a path may be.
fn event_hook(path: &str) -> Value {
    let of_webhook = ["webhook", "secret_file", "headers_file", "ca", "retries"];
    let is_webhook = path.starts_with("on_event")
        && path.rsplit('.').next().is_some_and(|key| of_webhook.contains(&key));
    let mut hook = json!({ "name": "pager", "events": ["agent_started"] });
    if is_webhook {
        hook["webhook"] = json!("https://a.example/");
    } else {
        hook["exec"] = json!(["/bin/true"]);
    }
    hook
}

/// A document with a value at a path.
fn document_with(part: &Part, value: Value) -> Value {
    let mut document = document_for(&part.path, part.kind);
    let pointer = part.pointer();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    match document.pointer_mut(parent).unwrap_or_else(|| panic!("no {parent}")) {
        Value::Object(keys) => {
            keys.insert(key.to_owned(), value);
        }
        list => list[0] = value,
    }
    document
}

fn read(document: &Value) -> Document {
    Document::deserialize(document).unwrap()
}

/// What the reader says of the value at a path; nothing of what it says of other places, of groups
/// that are not there, or of files on this host.
fn reader_refuses(part: &Part, document: &Value) -> bool {
    let missing = format!("`{}` is missing", part.key());
    let refuses = |error: &ConfigError| {
        // A message about a program is about its whole command.
        let path = part.path.trim_end_matches("[0]");
        let here = error.path().strip_prefix(path).is_some_and(|rest| !rest.starts_with('_'));
        let elsewhere = [
            "there is no target group",
            " of listener ",
            "os error",
            "can be executed",
            "cannot read ",
            "has no certificate",
            // No schema can tell.
            "is not a regular expression",
            "is no time zone",
            "a cron expression has",
            "is no minute",
            // The metrics of a group are those of its kind, and its own.
            "is not a metric",
            "` is counted by the ",
        ];
        here && !elsewhere.iter().any(|part| error.message().contains(part))
            || error.message().starts_with(&missing)
    };
    validate(&read(document)).is_err_and(|errors| errors.errors().iter().any(refuses))
}

/// The reader tells the keys that it knows when it meets another one.
#[test]
fn both_know_the_same_keys() {
    let sections = parts().into_iter().filter(is_section);
    let mut count = 0;
    for section in sections {
        let mut document = document_for(&format!("{}.", section.path), section.kind);
        let pointer = if section.path.is_empty() { String::new() } else { section.pointer() };
        document.pointer_mut(&pointer).unwrap()["zzzzzzzz"] = json!(1);
        let messages = validate(&read(&document)).unwrap_err();
        let messages = messages.errors().first().unwrap().message();
        let known = messages
            .strip_prefix("unknown key; known are ")
            .unwrap_or_else(|| panic!("{messages}"));
        let known: BTreeSet<&str> = known.split(", ").map(|key| key.trim_matches('`')).collect();
        let properties = section.get("properties").and_then(Value::as_object).unwrap();
        let properties: BTreeSet<&str> = properties.keys().map(String::as_str).collect();
        assert_eq!(properties, known, "{}", section.path);
        assert_eq!(section.get("additionalProperties"), Some(&json!(false)), "{}", section.path);
        assert!(!complaints(&document).is_empty(), "{}", section.path);
        count += 1;
    }
    assert!(count >= 13, "{count} sections");
}

#[test]
fn every_key_is_explained_and_documented() {
    let manual = include_str!("../../../../../docs/configuration.md");
    for part in parts().iter().filter(|part| !part.path.ends_with(']') && !part.path.is_empty()) {
        let title = part.get("title").and_then(Value::as_str).unwrap_or_default();
        let description = part.get("description").and_then(Value::as_str).unwrap_or_default();
        assert!(!title.is_empty() && description.ends_with('.'), "{}", part.path);
        assert!(!description.trim_end_matches('.').contains(". "), "{}: one sentence", part.path);
        assert!(manual.contains(part.key()), "{}", part.path);
    }
}

/// Keys that may be left out, and whose absence is not the same as any value; or sections and lists.
const WITHOUT_DEFAULT: &str = "defaults on_event secret_file headers_file forwarding hash_seed hash_seed_file tunnel source_nat icmp resolver servers target_groups listeners targets \
     health_check attributes port host body server_name service payload payload_hex expect \
     expect_hex command minimum_healthy_targets percentage tcp_mss \
protocol tls verify ca certificate key retries certificates rules name transforms url_rewrite \
     host_rewrite headers request response set add remove path method header query source_ip \
     host_regex path_regex header_regex target_group stickiness redirect fixed_response forward \
     content_type access_log connection_log scaling initial target_tracking step simple schedule lower upper \
     metrics prometheus post report json cooldown desired min max static systemd docker network revision exec webhook ca policies scale_out_rate scale_in_rate percent tags \
     crl on replacement hooks launch terminate warm_pool sorry_target_group";

#[test]
fn defaults_mean_the_same_as_no_key() {
    let known: BTreeSet<&str> = WITHOUT_DEFAULT.split_whitespace().collect();
    let mut without = BTreeSet::new();
    let all = parts();
    for section in all.iter().filter(|part| is_section(part)) {
        let required = section.get("required").and_then(Value::as_array).cloned();
        let required = required.unwrap_or_default();
        let prefix = |part: &&Part| {
            let rest =
                part.path.strip_prefix(&section.path).filter(|_| part.kind == section.kind)?;
            let rest = if section.path.is_empty() { rest } else { rest.strip_prefix('.')? };
            (!rest.is_empty() && !rest.contains(['.', '['])).then_some(())
        };
        for part in all.iter().filter(|part| prefix(part).is_some()) {
            let Some(default) = part.get("default") else {
                if !required.contains(&json!(part.key())) {
                    without.insert(part.key());
                }
                continue;
            };
            let with = validate(&read(&document_with(part, default.clone())));
            let without = validate(&read(&document_for(&part.path, part.kind)));
            assert_eq!(with.unwrap().0, without.unwrap().0, "{}", part.path);
        }
    }
    assert_eq!(without, known);
}

/// For any value at a path: reader and schema both accept it, or both refuse it, except for errors
/// that a schema cannot express. Thousands of pairs, among them every enum, every end of a range,
/// every form of a value.
#[test]
fn both_take_the_same_values() {
    let values = values();
    let mut unseen = BTreeSet::new();
    let mut too_strict = BTreeSet::new();
    let mut wrong_examples = BTreeSet::new();
    for part in parts().iter().filter(|part| !part.path.is_empty()) {
        let own = part.get("examples").and_then(Value::as_array).cloned().unwrap_or_default();
        let mut words = part.get("enum").and_then(Value::as_array).cloned().unwrap_or_default();
        // Nothing is the same as no key, and is among the other values.
        words.retain(|word| !word.is_null());
        let (mut document, pointer) = (document_with(part, Value::Null), part.pointer());
        for value in values.iter().chain(&own).chain(&words) {
            *document.pointer_mut(&pointer).unwrap() = value.clone();
            match (reader_refuses(part, &document), VALIDATOR.is_valid(&document)) {
                (true, true) => unseen.insert(format!("{} {value}", part.path)),
                (false, false) => too_strict.insert(format!("{} {value}", part.path)),
                _ => true,
            };
        }
        for value in own.iter().chain(&words) {
            let document = document_with(part, value.clone());
            if reader_refuses(part, &document) {
                wrong_examples.insert(format!("{} {value}", part.path));
            }
        }
    }
    assert_eq!(wrong_examples, BTreeSet::new());
    let of = |list: &str| list.lines().map(|line| line.trim().to_owned()).collect::<BTreeSet<_>>();
    let expected =
        [UNSEEN, schema_http::UNSEEN, schema_scaling::UNSEEN].map(|list| of(list.trim()));
    assert_eq!(unseen, expected.into_iter().flatten().collect());
    assert_eq!(too_strict, of(schema_http::TOO_STRICT.trim()));
}

/// In addition, the schema is compared for every configuration that the reader accepts in any test:
/// `super::parse`.
#[test]
fn every_valid_configuration_is_valid_for_the_schema() {
    for text in [EXAMPLE, MODES, SMALL, HTTP, "interfaces: [eth0]\ntarget_groups:\nlisteners:\n"] {
        config(text);
    }
    let pages = [
        include_str!("../../../../../README.md"),
        include_str!("../../../../../docs/configuration.md"),
        include_str!("../../../../../docs/modes.md"),
        include_str!("../../../../../docs/http.md"),
        include_str!("../../../../../docs/rules.md"),
    ];
    let mut count = 0;
    for block in pages.iter().flat_map(|page| page.split("```yaml\n").skip(1)) {
        let block = block.split("```").next().unwrap_or_default();
        if block.contains("interfaces:") {
            config(block);
            count += 1;
        }
    }
    assert!(count >= 7, "{count} configurations");
}
