//! PURE: JSONPath (RFC 9535): what an expression finds, each on its line.

use serde_json::Value;
use serde_json_path::JsonPath;

/// Reads an expression. As kubectl does, it may stand in braces and leave out the `$`.
pub(super) fn parse(text: &str) -> Result<JsonPath, String> {
    let text = text.trim();
    let bare =
        text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or(text).trim();
    let whole = if bare.starts_with('$') { bare.to_owned() } else { format!("${bare}") };
    JsonPath::parse(&whole).map_err(|error| {
        let column = error.position() + 1;
        format!("{} at character {column} of `{whole}`; for example $[*].name", error.message())
    })
}

/// The values that it finds: texts as they are, others as JSON.
pub(super) fn found(path: &JsonPath, value: &Value) -> String {
    let lines = path.query(value).all().into_iter().map(|value| match value {
        Value::String(text) => format!("{text}\n"),
        other => format!("{other}\n"),
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn expressions_find_values() {
        let value = json!([
            { "name": "web", "port": 80, "tags": { "a": [1] } },
            { "name": "dns", "port": 53, "tags": {} }
        ]);
        for (text, expected) in [
            ("$[*].name", "web\ndns\n"),
            ("[0].port", "80\n"),
            ("{[*].name}", "web\ndns\n"),
            ("$[?@.port < 60].name", "dns\n"),
            ("$[?search(@.name, '^w')].port", "80\n"),
            ("$..a", "[1]\n"),
            ("$[*].none", ""),
        ] {
            let path = parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(found(&path, &value), expected, "{text}");
        }
    }

    #[test]
    fn wrong_expressions_are_refused() {
        for text in ["", "$[", "$[?", "$.a b", "{.a}{.b}", "$[*].name extra"] {
            let error = parse(text).map(|path| path.to_string());
            if text.is_empty() {
                assert_eq!(error, Ok("$".to_owned()), "the whole");
            } else {
                assert!(error.unwrap_err().contains("at character"), "{text}");
            }
        }
    }
}
