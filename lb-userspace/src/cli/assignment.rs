//! PURE: `KEY=VALUE` on the command line: a key by its path in the object, and a value as the
//! configuration has it.

use lb_config::{Part, PartPath, PartStep};
use serde_json::{Map, Value};

use super::{object::Kind, schema_keys, weight};

/// One of them.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Assignment {
    /// The whole key.
    pub(super) key: PartPath,
    pub(super) value: Part,
}

/// Reads one. What is not YAML is a text.
pub(super) fn parse(kind: Kind, text: &str) -> Result<Assignment, String> {
    let (key, value) = split(text)
        .ok_or_else(|| format!("`{text}` is not KEY=VALUE; for example slow_start=30s"))?;
    let key = self::key(kind, key)?;
    // YAML reads `+50` as the number 50.
    let is_relative = matches!(key.steps().last(), Some(PartStep::Key(name)) if name == "weight")
        && weight::parse(value).is_ok_and(weight::Weight::is_relative);
    let quoted = format!("\"{value}\"");
    let read = self::value(if is_relative { &quoted } else { value })?;
    // Tags are texts: 12 and true, too.
    let is_text = serde_json::to_value(&read).is_ok_and(|value| value.is_string());
    if key.is_tag() && !is_text {
        let value = serde_json::from_value(Value::String(value.to_owned()));
        return Ok(Assignment { key, value: value.map_err(|error| error.to_string())? });
    }
    Ok(Assignment { key, value: read })
}

/// At the first `=` that is not in brackets or quotes.
fn split(text: &str) -> Option<(&str, &str)> {
    let (mut depth, mut quoted) = (0_i32, false);
    for (index, character) in text.char_indices() {
        match character {
            '"' => quoted = !quoted,
            '[' if !quoted => depth += 1,
            ']' if !quoted => depth -= 1,
            '=' if depth == 0 && !quoted => {
                return Some((text.get(..index)?, text.get(index + 1..)?));
            }
            _ => {}
        }
    }
    None
}

/// Reads a key.
pub(super) fn key(kind: Kind, text: &str) -> Result<PartPath, String> {
    let path: PartPath = text.parse().map_err(|error| format!("{error}"))?;
    if path.steps().is_empty() {
        return Err("a key is empty; for example slow_start=30s".to_owned());
    }
    schema_keys::whole(kind, &path.with_tag_whole())
}

/// Reads a value: YAML, such as `80`, `30s` or `[a, b]`.
pub(super) fn value(text: &str) -> Result<Part, String> {
    if text.is_empty() {
        return Err(
            "a value is empty; `--unset KEY` removes a key, '\"\"' is an empty text".to_owned()
        );
    }
    Part::parse(text).map_err(|error| format!("the value `{text}`: {error}"))
}

/// An object with these keys.
pub(super) fn object(assignments: &[Assignment]) -> Result<Part, String> {
    let mut root = Value::Object(Map::new());
    for Assignment { key, value } in assignments {
        let mut place = &mut root;
        for step in key.steps() {
            let PartStep::Key(name) = step else {
                return Err(format!("`{key}`: give the whole list, such as targets=[...]"));
            };
            if place.is_null() {
                *place = Value::Object(Map::new());
            }
            let Some(section) = place.as_object_mut() else {
                return Err(format!("`{key}` is in what has another value already"));
            };
            place = section.entry(name.clone()).or_insert(Value::Null);
        }
        if !place.is_null() {
            return Err(format!("`{key}` is given twice"));
        }
        *place = serde_json::to_value(value).map_err(|error| error.to_string())?;
    }
    serde_json::from_value(root).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(text: &str) -> Result<(String, Value), String> {
        let Assignment { key, value } = parse(Kind::TargetGroup, text)?;
        Ok((key.to_string(), serde_json::to_value(value).unwrap()))
    }

    #[test]
    fn assignments_are_read() {
        for (text, key, value) in [
            ("port=80", "port", json!(80)),
            ("slow_start=30s", "attributes.slow_start", json!("30s")),
            ("path=/a=b", "health_check.path", json!("/a=b")),
            ("targets=[{ address: 10.0.1.11 }]", "targets", json!([{ "address": "10.0.1.11" }])),
            ("health_check.verify=off", "health_check.verify", json!("off")),
            ("connection_termination=true", "attributes.connection_termination", json!(true)),
            ("name=\"80\"", "name", json!("80")),
            ("targets[10.0.1.11].weight=+50", "targets[10.0.1.11].weight", json!("+50")),
            ("targets[10.0.1.11].weight=50", "targets[10.0.1.11].weight", json!(50)),
            ("tags.env=prod", "tags.env", json!("prod")),
            ("tags.rack=012", "tags.rack", json!("012")),
            ("tags={ rack: \"12\" }", "tags", json!({ "rack": "12" })),
            ("tags.example.com/owner=a", "tags.\"example.com/owner\"", json!("a")),
            ("targets[10.0.1.11].tags.a.b=c", "targets[10.0.1.11].tags.\"a.b\"", json!("c")),
        ] {
            assert_eq!(read(text), Ok((key.to_owned(), value)), "{text}");
        }
        for (text, why) in [
            ("port", "is not KEY=VALUE"),
            ("=80", "a key is empty"),
            ("port=", "a value is empty"),
            ("a..b=1", "a key is empty"),
            ("targets=[", "the value `[`"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }

    #[test]
    fn assignments_make_an_object() {
        let all = |texts: &[&str]| {
            let all: Result<Vec<_>, _> =
                texts.iter().map(|text| parse(Kind::TargetGroup, text)).collect();
            object(&all?).map(|part| serde_json::to_value(part).unwrap())
        };
        assert_eq!(
            all(&["port=80", "interval=2s", "path=/x"]),
            Ok(json!({ "port": 80, "health_check": { "interval": "2s", "path": "/x" } }))
        );
        for (texts, why) in [
            (&["port=80", "port=81"][..], "is given twice"),
            (&["port=80", "port.x=1"], "has another value already"),
            (&["targets[a].weight=1"], "give the whole list"),
        ] {
            let error = all(texts).unwrap_err();
            assert!(error.contains(why), "{texts:?}: {error}");
        }
    }
}
