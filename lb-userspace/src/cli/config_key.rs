//! PURE: keys of the configuration as its schema describes them: where they stand, their types, defaults
//! and limits.

use std::sync::LazyLock;

use lb_config::SCHEMA;
use serde::Serialize;
use serde_json::Value;

/// Sections in sections that are followed.
const DEPTH_MAX: usize = 12;

/// Keys that are named for one that does not exist.
const NEAREST: usize = 5;

static ROOT: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(SCHEMA).unwrap_or(Value::Null));

/// A key at one place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct ConfigKey {
    /// Where it stands: `target_groups[].targets[].weight`.
    pub(super) key: String,
    /// The kind of the section that it stands in, such as `Target`.
    pub(super) of: String,
    /// The protocols of the target groups or listeners that it is of, where that matters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) protocols: Option<String>,
    pub(super) title: String,
    pub(super) description: String,
    /// Types, or all values that it may have.
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) required: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) default: Option<String>,
    /// Limits of a number, a text or a list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) range: Option<String>,
    /// What a text looks like.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) form: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) examples: Vec<String>,
    /// Keys in it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) keys: Vec<String>,
}

/// Every key at every place, in the order of the schema.
pub(super) fn all() -> Vec<ConfigKey> {
    let mut all = Vec::new();
    walk(&ROOT, &Value::Null, &Place::root(), &mut all);
    all
}

/// All keys with this path, or with a path that ends like this.
pub(super) fn find(wanted: &str) -> Result<Vec<ConfigKey>, String> {
    let all = all();
    let name = plain(wanted);
    let exact: Vec<&ConfigKey> = all.iter().filter(|one| plain(&one.key) == name).collect();
    let ends = |one: &&ConfigKey| plain(&one.key).ends_with(&format!(".{name}"));
    let found = if exact.is_empty() { all.iter().filter(ends).collect() } else { exact };
    if !found.is_empty() {
        return Ok(found.into_iter().cloned().collect());
    }
    let nearest = nearest(&name, &all);
    Err(format!("the configuration has no key `{wanted}`; the nearest are {}", nearest.join(", ")))
}

/// A path without items of lists: `target_groups[web].port` is `target_groups.port`.
fn plain(path: &str) -> String {
    let mut depth = 0_u32;
    let outside = |one: &char| {
        match one {
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0 && *one != ']'
    };
    path.chars().filter(outside).collect::<String>().to_lowercase().replace('-', "_")
}

/// The keys whose names are most alike.
fn nearest(wanted: &str, all: &[ConfigKey]) -> Vec<String> {
    let last = |path: &str| path.rsplit('.').next().unwrap_or_default().to_owned();
    let wanted = last(wanted);
    let mut names: Vec<String> = all.iter().map(|one| last(&plain(&one.key))).collect();
    names.sort();
    names.dedup();
    let likeness = |name: &String| strsim::jaro_winkler(&wanted, name);
    names.sort_by(|one, other| likeness(other).total_cmp(&likeness(one)));
    names.truncate(NEAREST);
    names
}

/// The schema that a reference names, beside what stands with the reference.
fn resolved(schema: &'static Value) -> &'static Value {
    let target = schema["$ref"].as_str().and_then(|path| path.strip_prefix('#'));
    target.and_then(|path| ROOT.pointer(path)).unwrap_or(&Value::Null)
}

/// A field of a schema, or of what it refers to.
fn field(schema: &'static Value, name: &str) -> &'static Value {
    let mut schema = schema;
    for _ in 0..DEPTH_MAX {
        if !schema[name].is_null() {
            return &schema[name];
        }
        schema = resolved(schema);
    }
    &Value::Null
}

/// Where a section is.
#[derive(Clone, Debug, Default)]
struct Place {
    path: String,
    of: String,
    protocols: Option<String>,
    depth: usize,
}

impl Place {
    fn root() -> Self {
        Self { of: "Configuration".to_owned(), ..Self::default() }
    }

    /// The place of what is in it.
    fn inner(&self, path: String, of: &str) -> Self {
        Self { path, of: of.to_owned(), depth: self.depth + 1, ..self.clone() }
    }
}

fn walk(section: &'static Value, parent: &'static Value, place: &Place, all: &mut Vec<ConfigKey>) {
    if place.depth > DEPTH_MAX {
        return;
    }
    let Place { path, of, depth, .. } = place;
    let title = match field(section, "title").as_str() {
        Some(title) if *depth > 0 => title,
        _ => of,
    };
    let required = match field(section, "required") {
        Value::Null => field(parent, "required"),
        found => found,
    };
    for (name, schema) in field(section, "properties").as_object().into_iter().flatten() {
        let key = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        let is_required = required.as_array().is_some_and(|all| all.iter().any(|one| one == name));
        let inner = place.inner(key, title);
        let described = describe(&inner, schema, is_required);
        // Alternatives of a section have keys that are the same; conditions repeat keys without a title.
        if !described.title.is_empty() && !all.contains(&described) {
            all.push(described);
        }
        walk(schema, &Value::Null, &Place { of: name.clone(), ..inner }, all);
    }
    let items = field(section, "items");
    if items.is_object() {
        walk(items, &Value::Null, &place.inner(format!("{path}[]"), of), all);
    }
    for alternatives in ["oneOf", "anyOf"] {
        for one in field(section, alternatives).as_array().into_iter().flatten() {
            walk(one, section, &place.inner(path.clone(), title), all);
        }
    }
    // Which section it is depends on its protocol.
    if field(section, "properties").is_null() {
        let protocol = &field(section, "if")["properties"]["protocol"];
        let named = match &protocol["enum"] {
            Value::Array(names) => names.iter().map(shown).collect::<Vec<_>>().join(", "),
            _ => shown(&protocol["const"]),
        };
        for (branch, protocols) in [("then", named), ("else", "others".to_owned())] {
            let branch = field(section, branch);
            // Of two alternatives, the second is that of the other branch.
            let branch = branch.pointer("/anyOf/0").unwrap_or(branch);
            if branch.is_object() {
                let place = place.inner(path.clone(), title);
                walk(branch, &Value::Null, &Place { protocols: Some(protocols), ..place }, all);
            }
        }
    }
}

fn describe(place: &Place, schema: &'static Value, required: bool) -> ConfigKey {
    let text = |name| field(schema, name).as_str().unwrap_or_default().to_owned();
    let keys = field(schema, "properties").as_object();
    let keys = keys.or_else(|| field(field(schema, "items"), "properties").as_object());
    let examples = field(schema, "examples").as_array();
    ConfigKey {
        key: place.path.clone(),
        of: place.of.clone(),
        protocols: place.protocols.clone(),
        title: text("title"),
        description: text("description"),
        kind: kind(schema),
        required,
        default: Some(field(schema, "default")).filter(|value| !value.is_null()).map(shown),
        range: range(schema),
        form: Some(text("patternErrorMessage")).filter(|text| !text.is_empty()),
        examples: examples.into_iter().flatten().map(shown).collect(),
        keys: keys.into_iter().flatten().map(|(name, _)| name.clone()).collect(),
    }
}

/// A value as it is written.
fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Types or values, without `null`: every key that is not required may be `null`.
fn kind(schema: &'static Value) -> String {
    let names = |value: &Value| -> Vec<String> {
        let all = value.as_array().map_or_else(|| vec![value.clone()], Clone::clone);
        all.iter().filter(|one| !one.is_null() && *one != "null").map(shown).collect()
    };
    let values = field(schema, "enum");
    if !values.is_null() {
        return format!("one of {}", names(values).join(", "));
    }
    let name = |name: String| match name.as_str() {
        "string" => "text".to_owned(),
        "array" => "list".to_owned(),
        "object" => "section".to_owned(),
        "integer" => "whole number".to_owned(),
        _ => name,
    };
    if field(schema, "type") == "null" {
        return "nothing".to_owned();
    }
    let types: Vec<String> = names(field(schema, "type")).into_iter().map(name).collect();
    if !types.is_empty() {
        return types.join(" or ");
    }
    let mut kinds: Vec<String> = Vec::new();
    for alternatives in ["oneOf", "anyOf"] {
        for one in field(schema, alternatives).as_array().into_iter().flatten() {
            let kind = kind(one);
            if !kind.is_empty() && !kinds.contains(&kind) {
                kinds.push(kind);
            }
        }
    }
    kinds.join(" or ")
}

fn range(schema: &'static Value) -> Option<String> {
    let limits = [
        ("minimum", "maximum", ""),
        ("minLength", "maxLength", " characters"),
        ("minItems", "maxItems", " items"),
    ];
    let ranges = limits.iter().filter_map(|(least, most, unit)| {
        let value = |name| Some(field(schema, name)).filter(|value| !value.is_null()).map(shown);
        match (value(least), value(most)) {
            (Some(least), Some(most)) => Some(format!("{least} to {most}{unit}")),
            (Some(least), None) => Some(format!("at least {least}{unit}")),
            (None, Some(most)) => Some(format!("at most {most}{unit}")),
            (None, None) => None,
        }
    });
    let ranges: Vec<String> = ranges.collect();
    (!ranges.is_empty()).then(|| ranges.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_found_by_a_whole_path_or_its_end() {
        let places = |wanted: &str| -> Vec<String> {
            let mut keys: Vec<String> =
                find(wanted).unwrap().into_iter().map(|one| one.key).collect();
            keys.dedup();
            keys
        };
        for path in [
            "target_groups[].targets[].weight",
            "target_groups.targets.weight",
            "target_groups[web].targets[10.0.1.11:80].weight",
            "Target-Groups.targets.weight",
        ] {
            assert_eq!(places(path), ["target_groups[].targets[].weight"], "{path}");
        }
        assert!(places("slow_start").contains(&"target_groups[].attributes.slow_start".to_owned()));
        assert!(places("interval").contains(&"target_groups[].health_check.interval".to_owned()));
        assert!(places("conditions").contains(&"listeners[].rules[].conditions".to_owned()));
        assert_eq!(places("interfaces"), ["interfaces"]);
    }

    #[test]
    fn a_key_is_described() {
        let found = find("targets.weight").unwrap();
        let weight = found.iter().find(|one| one.protocols.as_deref() == Some("others")).unwrap();
        assert_eq!(weight.kind, "whole number");
        assert_eq!(weight.range.as_deref(), Some("0 to 1000"));
        assert_eq!(weight.default.as_deref(), Some("100"));
        assert!(!weight.required);
        let forwarding = find("forwarding").unwrap();
        let forwarding = forwarding.first().unwrap();
        assert_eq!(forwarding.kind, "one of ipip, gue, l2dsr, nat, fullnat");
        assert!(!forwarding.required, "`defaults` may have it");
        let name = find("target_groups.name").unwrap();
        assert!(name[0].required);
        let interfaces = find("interfaces").unwrap();
        assert_eq!(interfaces[0].range.as_deref(), Some("at least 1 items"));
    }

    #[test]
    fn an_unknown_key_has_near_ones() {
        let error = find("slow_strat").unwrap_err();
        assert!(error.contains("no key `slow_strat`; the nearest are slow_start"), "{error}");
    }

    /// Everything that the schema has is found by its path.
    #[test]
    fn every_key_has_a_type_and_a_description() {
        let all = all();
        assert!(all.len() > 100, "{}", all.len());
        for one in &all {
            assert!(!one.title.is_empty() && !one.description.is_empty(), "{one:?}");
            assert!(!one.kind.is_empty(), "{one:?}");
            assert!(find(&one.key).unwrap().contains(one), "{one:?}");
        }
    }
}
