//! PURE: which objects are meant, by their tags: `env=prod,tier in (web,api),!old`. The grammar is that of
//! kubectl's label selectors, without comparisons of numbers.

use std::{fmt, str::FromStr};

use thiserror::Error;

use super::{
    error::brief,
    model::{Tags, tag_key, tag_value},
};

/// Requirements that all must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selector {
    text: String,
    requirements: Vec<Requirement>,
}

/// Why a text is no selector.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "`{text}` is not a selector: at character {at}: {why}; for example env=prod,tier in (web,api),!old"
)]
pub struct SelectorError {
    text: String,
    /// Counted from 1.
    at: usize,
    why: String,
}

/// What must hold of one tag.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Requirement {
    key: String,
    test: Test,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Test {
    /// The tag has one of these values.
    In(Vec<String>),
    /// It has none of these values, or is not there.
    NotIn(Vec<String>),
    Exists,
    Absent,
}

impl Selector {
    /// Whether an object with these tags is meant.
    #[must_use]
    pub fn matches(&self, tags: &Tags) -> bool {
        self.requirements.iter().all(|Requirement { key, test }| {
            let value = tags.get(key);
            match test {
                Test::In(values) => value.is_some_and(|value| values.contains(value)),
                Test::NotIn(values) => value.is_none_or(|value| !values.contains(value)),
                Test::Exists => value.is_some(),
                Test::Absent => value.is_none(),
            }
        })
    }
}

/// As it was written.
impl fmt::Display for Selector {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl FromStr for Selector {
    type Err = SelectorError;

    fn from_str(text: &str) -> Result<Self, SelectorError> {
        let wrong = |at: usize, why: String| {
            let at = text.get(..at).map_or(0, |before| before.chars().count()) + 1;
            SelectorError { text: brief(text), at, why }
        };
        let mut requirements = Vec::new();
        for (start, part) in parts(text).map_err(|(at, why)| wrong(at, why))? {
            let at = start + part.len() - part.trim_start().len();
            requirements.push(requirement(part.trim()).map_err(|why| wrong(at, why))?);
        }
        Ok(Self { text: text.to_owned(), requirements })
    }
}

/// The requirements of a selector, each with its first byte: what stands between commas that are not in
/// parentheses.
fn parts(text: &str) -> Result<Vec<(usize, &str)>, (usize, String)> {
    let (mut parts, mut start, mut open) = (Vec::new(), 0, None);
    for (index, character) in text.char_indices() {
        match (character, open) {
            ('(', None) => open = Some(index),
            (')', Some(_)) => open = None,
            ('(' | ')', _) => return Err((index, format!("this `{character}` has no other one"))),
            (',', None) => {
                parts.push((start, text.get(start..index).unwrap_or_default()));
                start = index + 1;
            }
            _ => {}
        }
    }
    if let Some(index) = open {
        return Err((index, "this `(` has no `)`".to_owned()));
    }
    parts.push((start, text.get(start..).unwrap_or_default()));
    Ok(parts)
}

fn requirement(part: &str) -> Result<Requirement, String> {
    if part.is_empty() {
        return Err("a requirement is missing".to_owned());
    }
    if let Some(key) = part.strip_prefix('!') {
        return Ok(Requirement { key: self::key(key)?, test: Test::Absent });
    }
    if let Some((head, rest)) = part.split_once('(') {
        return set(head.trim_end(), rest);
    }
    if let Some((head, value)) = part.split_once('=') {
        let (key, is_not) = match head.strip_suffix('!') {
            Some(key) => (key, true),
            None => (head, false),
        };
        let value = if is_not { value } else { value.strip_prefix('=').unwrap_or(value) };
        let values = vec![self::value(value)?];
        let test = if is_not { Test::NotIn(values) } else { Test::In(values) };
        return Ok(Requirement { key: self::key(key)?, test });
    }
    let words: Vec<&str> = part.split_whitespace().collect();
    if words.iter().skip(1).any(|word| matches!(*word, "in" | "notin")) {
        return Err("values of `in` and `notin` stand in parentheses".to_owned());
    }
    Ok(Requirement { key: key(part)?, test: Test::Exists })
}

/// `key in (a,b)` or `key notin (a,b)`, without the first parenthesis.
fn set(head: &str, rest: &str) -> Result<Requirement, String> {
    let operator = head.rsplit_once(char::is_whitespace);
    let (key, is_in) = match operator {
        Some((key, "in")) => (key, true),
        Some((key, "notin")) => (key, false),
        _ => return Err("before `(` stands KEY in, or KEY notin".to_owned()),
    };
    let Some((inner, "")) = rest.split_once(')') else {
        return Err("behind `)` stands a comma, or nothing".to_owned());
    };
    let values = inner.split(',').map(value).collect::<Result<Vec<_>, _>>()?;
    let key = self::key(key)?;
    Ok(Requirement { key, test: if is_in { Test::In(values) } else { Test::NotIn(values) } })
}

fn key(text: &str) -> Result<String, String> {
    let text = text.trim();
    tag_key(text).map_err(|why| format!("`{}` {why}", brief(text)))?;
    Ok(text.to_owned())
}

fn value(text: &str) -> Result<String, String> {
    let text = text.trim();
    tag_value(text).map_err(|why| format!("`{}` {why}", brief(text)))?;
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(text: &str) -> Tags {
        let pairs = text.split_whitespace().filter_map(|pair| pair.split_once('='));
        pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
    }

    #[test]
    fn objects_are_chosen_as_kubectl_chooses_them() {
        let cases = [
            ("env=prod", "env=prod", true),
            ("env==prod", "env=prod", true),
            ("env = prod", "env=prod", true),
            ("env=prod", "env=test", false),
            ("env=prod", "", false),
            ("env=", "env=", true),
            ("env=", "env=prod", false),
            ("env!=prod", "env=prod", false),
            ("env!=prod", "env=test", true),
            // An object without the tag does not have that value.
            ("env!=prod", "", true),
            ("env in (prod,test)", "env=test", true),
            ("env in ( prod , test )", "env=prod", true),
            ("env in (prod,test)", "env=dev", false),
            ("env in (prod,test)", "", false),
            ("env notin (prod,test)", "env=dev", true),
            ("env notin (prod,test)", "env=prod", false),
            ("env notin (prod,test)", "", true),
            ("env", "env=", true),
            ("env", "tier=web", false),
            ("!env", "tier=web", true),
            ("!env", "env=prod", false),
            ("env=prod,tier=web", "env=prod tier=web", true),
            ("env=prod,tier=web", "env=prod tier=api", false),
            ("env in (prod,test),!old , tier", "env=test tier=x", true),
            ("env in (prod,test),!old,tier", "env=test tier=x old=1", false),
            ("example.com/owner=a@b.example", "example.com/owner=a@b.example", true),
            ("query=a=b", "query=a=b", true),
            // Keys that look like operators.
            ("in=1", "in=1", true),
            ("in in (in)", "in=in", true),
            ("notin", "notin=1", true),
        ];
        for (selector, having, expected) in cases {
            let parsed: Selector = selector.parse().unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(parsed.matches(&tags(having)), expected, "{selector} of {having}");
            assert_eq!(parsed.to_string(), selector);
        }
    }

    #[test]
    fn wrong_selectors_are_refused_with_the_place() {
        for (text, at, why) in [
            ("", 1, "a requirement is missing"),
            ("env=prod,", 10, "a requirement is missing"),
            ("env=prod,,tier", 10, "a requirement is missing"),
            ("=prod", 1, "`` is not the key of a tag"),
            ("!", 1, "`` is not the key of a tag"),
            ("!env=prod", 1, "`env=prod` is not the key of a tag"),
            ("env>5", 1, "`env>5` is not the key of a tag"),
            ("a,  env=<", 5, "`<` is not the value of a tag"),
            ("é, env in (a", 11, "this `(` has no `)`"),
            ("env in a)", 9, "this `)` has no other one"),
            ("env in ((a))", 9, "this `(` has no other one"),
            ("env in a", 1, "values of `in` and `notin` stand in parentheses"),
            ("env (a)", 1, "before `(` stands KEY in"),
            ("in (a)", 1, "before `(` stands KEY in"),
            ("env in (a) b", 1, "behind `)` stands a comma"),
            ("env in (a;b)", 1, "`a;b` is not the value of a tag"),
        ] {
            let error = text.parse::<Selector>().unwrap_err();
            assert_eq!(error.at, at, "{text}: {error}");
            let text = error.to_string();
            assert!(text.contains(why) && text.contains("for example env=prod"), "{text}");
        }
    }
}
