//! PURE: the order of a list after `--sort-by`: numbers by value, texts with the numbers in them by
//! value (`10.0.1.9` before `10.0.1.11`), and what has no value last.

use std::cmp::Ordering;

use serde::Serialize;
use serde_json::Value;

use super::{Listing, at};

/// The field for what was typed: a column or a field, in any case, with `-`, `_` or a space.
pub(super) fn field<T>(wanted: &str, listing: &Listing<T>) -> Result<&'static str, String> {
    let same = |name: &str| plain(name) == plain(wanted);
    let column = listing.columns.iter().find(|column| same(column.headline));
    let field = || listing.fields.iter().find(|field| same(field)).copied();
    column.map(|column| column.field).or_else(field).ok_or_else(|| {
        let columns: Vec<String> =
            listing.columns.iter().map(|column| column.headline.replace(' ', "-")).collect();
        format!(
            "--sort-by {wanted}: there is no such column or field; columns are {}, fields are {}",
            columns.join(", "),
            listing.fields.join(", ")
        )
    })
}

/// `$.share`, `.share` and `SHARE` are the same as `share`.
fn plain(name: &str) -> String {
    let name = name.strip_prefix('$').unwrap_or(name);
    name.strip_prefix('.').unwrap_or(name).to_lowercase().replace(['-', ' '], "_")
}

/// The items in the order of this field. Equal ones stay as they are.
pub(super) fn sorted<T: Serialize>(items: Vec<T>, field: &str) -> serde_json::Result<Vec<T>> {
    let keyed =
        items.into_iter().map(|item| Ok((at(&serde_json::to_value(&item)?, field).clone(), item)));
    let mut keyed: Vec<(Value, T)> = keyed.collect::<serde_json::Result<_>>()?;
    keyed.sort_by(|(one, _), (other, _)| compare(one, other));
    Ok(keyed.into_iter().map(|(_, item)| item).collect())
}

fn compare(one: &Value, other: &Value) -> Ordering {
    match (one, other) {
        (Value::Null, Value::Null) => Ordering::Equal,
        (Value::Null, _) => Ordering::Greater,
        (_, Value::Null) => Ordering::Less,
        (Value::Number(one), Value::Number(other)) => {
            let value = |number: &serde_json::Number| number.as_f64().unwrap_or(0.0);
            value(one).total_cmp(&value(other))
        }
        _ => natural(&text(one), &text(other)),
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Texts, with the numbers in them by value.
fn natural(one: &str, other: &str) -> Ordering {
    let (mut one, mut other) = (one, other);
    loop {
        let (left, right) = (part(one), part(other));
        let order = match (left.parse::<u128>(), right.parse::<u128>()) {
            (Ok(left), Ok(right)) => left.cmp(&right),
            _ => left.cmp(right),
        };
        if order != Ordering::Equal || (left.is_empty() && right.is_empty()) {
            return order;
        }
        one = one.get(left.len()..).unwrap_or_default();
        other = other.get(right.len()..).unwrap_or_default();
    }
}

/// The digits that a text begins with, or what stands before its first digit.
fn part(text: &str) -> &str {
    let is_number = text.starts_with(|first: char| first.is_ascii_digit());
    let end = text.find(|one: char| one.is_ascii_digit() != is_number);
    text.get(..end.unwrap_or(text.len())).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_compared_by_what_they_mean() {
        for (less, more) in [
            (json!(9), json!(10)),
            (json!(0.5), json!(1)),
            (json!("10.0.1.9"), json!("10.0.1.11")),
            (json!("2026-11-29T12:00:00Z"), json!("2026-11-30T00:00:00Z")),
            (json!("web"), json!("web2")),
            (json!("a"), json!("b1")),
            (json!(false), json!(true)),
            (json!("x"), Value::Null),
        ] {
            assert_eq!(compare(&less, &more), Ordering::Less, "{less} {more}");
            assert_eq!(compare(&more, &less), Ordering::Greater, "{more} {less}");
            assert_eq!(compare(&less, &less), Ordering::Equal);
        }
    }

    #[test]
    fn equal_items_stay_in_their_order() {
        let items = vec![json!({"a": 2, "n": 1}), json!({"a": 1, "n": 2}), json!({"a": 2, "n": 3})];
        let numbers = |items: Vec<Value>| -> Vec<u64> {
            items.iter().filter_map(|item| item["n"].as_u64()).collect()
        };
        assert_eq!(numbers(sorted(items, "a").unwrap()), [2, 1, 3]);
    }
}
