//! PURE: keys of the configuration, after its schema: where a short key belongs, and what a key means.

use std::sync::LazyLock;

use lb_config::{PartPath, PartStep, SCHEMA};
use serde_json::Value;

use super::object::Kind;

static ROOT: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(SCHEMA).unwrap_or(Value::Null));

/// Definitions of the objects of a kind: of layer 4, and of those that the proxy serves.
const fn definitions(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Listener => &["listener", "http_listener", "tls_listener"],
        Kind::TargetGroup => &["target_group", "http_target_group"],
        Kind::Rule => &["rule"],
        Kind::Target => &["target", "http_target"],
        Kind::Config => &[],
    }
}

/// Short keys whose place is deeper.
const DEEP: &[(Kind, &str, &str)] = &[
    (Kind::Listener, "target_group", "default_action.forward.target_group"),
    (Kind::Rule, "target_group", "action.forward.target_group"),
];

/// Roots of the schemas of a kind.
fn schemas(kind: Kind) -> Vec<&'static Value> {
    if kind == Kind::Config {
        return vec![&*ROOT];
    }
    let definitions = definitions(kind).iter();
    definitions.filter_map(|name| ROOT.pointer(&format!("/$defs/{name}"))).collect()
}

/// The schema itself instead of a reference to it.
fn resolved(schema: &'static Value) -> &'static Value {
    let target = schema.get("$ref").and_then(Value::as_str).and_then(|path| path.strip_prefix('#'));
    target.and_then(|path| ROOT.pointer(path)).map_or(schema, resolved)
}

/// The properties of a schema, those of its alternatives included.
pub(super) fn properties(schema: &'static Value) -> Vec<(&'static str, &'static Value)> {
    let schema = resolved(schema);
    let own = schema.get("properties").and_then(Value::as_object);
    let mut found: Vec<_> =
        own.into_iter().flatten().map(|(name, schema)| (name.as_str(), schema)).collect();
    if found.is_empty() {
        for key in ["oneOf", "anyOf"] {
            let all = schema.get(key).and_then(Value::as_array);
            for (name, schema) in all.into_iter().flatten().flat_map(properties) {
                if !found.iter().any(|(known, _)| *known == name) {
                    found.push((name, schema));
                }
            }
        }
    }
    found
}

fn has(schema: &'static Value, key: &str) -> bool {
    properties(schema).iter().any(|(name, _)| *name == key)
}

/// The whole path of a key that may be short: `slow_start` of a target group is
/// `attributes.slow_start`. A key that is not known stays as it is.
pub(super) fn whole(kind: Kind, key: &PartPath) -> Result<PartPath, String> {
    let Some((PartStep::Key(written), rest)) = key.steps().split_first() else {
        return Ok(key.clone());
    };
    let schemas = schemas(kind);
    let knows = |name: &str| schemas.iter().any(|schema| has(schema, name));
    let underscored = written.replace('-', "_");
    let behind = |first: &str| -> Result<PartPath, String> {
        let first: PartPath = first.parse().map_err(|error| format!("{error}"))?;
        Ok(rest.iter().fold(first, |path, step| path.with(step.clone())))
    };
    if knows(written) {
        return Ok(key.clone());
    }
    if knows(&underscored) {
        return behind(&underscored);
    }
    if let Some((.., place)) =
        DEEP.iter().find(|(of, short, _)| *of == kind && *short == underscored)
    {
        return behind(place);
    }
    let mut places: Vec<String> = Vec::new();
    for schema in &schemas {
        for (section, inner) in properties(schema) {
            // Lists and actions have items of their own.
            let place = format!("{section}.{underscored}");
            if has(inner, &underscored) && section != "default_action" && !places.contains(&place) {
                places.push(place);
            }
        }
    }
    match places.as_slice() {
        [] => Ok(key.clone()),
        [one] => behind(one),
        several => Err(format!("`{key}` may be {}: write the whole key", several.join(" or "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_keys_find_their_place() {
        for (kind, key, expected) in [
            (Kind::TargetGroup, "port", "port"),
            (Kind::TargetGroup, "algorithm", "attributes.algorithm"),
            (Kind::TargetGroup, "slow-start", "attributes.slow_start"),
            (Kind::TargetGroup, "attributes.slow_start", "attributes.slow_start"),
            (Kind::TargetGroup, "interval", "health_check.interval"),
            (Kind::TargetGroup, "health-check.path", "health_check.path"),
            (Kind::TargetGroup, "targets[10.0.1.11].weight", "targets[10.0.1.11].weight"),
            (Kind::TargetGroup, "no_such_key", "no_such_key"),
            (Kind::Listener, "udp_flows", "attributes.udp_flows"),
            (Kind::Listener, "target-group", "default_action.forward.target_group"),
            (Kind::Rule, "target_group", "action.forward.target_group"),
            (Kind::Target, "weight", "weight"),
            (Kind::Config, "interfaces", "interfaces"),
        ] {
            let path = key.parse().unwrap();
            assert_eq!(whole(kind, &path).map(|path| path.to_string()), Ok(expected.to_owned()));
        }
        let error = whole(Kind::TargetGroup, &"server_name".parse().unwrap()).unwrap_err();
        assert!(error.contains("health_check.server_name or tls.server_name"), "{error}");
    }
}
