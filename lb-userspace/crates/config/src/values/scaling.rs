//! PURE: single values of `scaling`, and what is wrong with them.

use lb_scale::Adjustment;

use super::{Read, wrong};
use crate::tree::{Node, Value};

/// A number that may have a fraction. Which ones make sense is checked with the settings.
pub(crate) fn decimal(node: &Node) -> Read<f64> {
    match node.value {
        Value::Float(number) if number.abs() <= f64::from(i32::MAX) => Ok(number),
        Value::Integer(number) => i32::try_from(number)
            .map(f64::from)
            .map_err(|_| wrong(node, "a number from -2147483648 to 2147483647")),
        Value::Float(_) => Err(wrong(node, "a number from -2147483647 to 2147483647")),
        _ => Err(wrong(node, "a number, such as 1000 or 0.5")),
    }
}

/// A share, such as `10%`, as a part of 1.
pub(crate) fn share(node: &Node) -> Read<f64> {
    let percent = node.as_text().and_then(|text| text.strip_suffix('%'));
    let digits =
        percent.filter(|text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()));
    let percent: Option<u32> = digits.and_then(|digits| digits.parse().ok());
    percent
        .filter(|percent| *percent < 100)
        .map(|percent| f64::from(percent) / 100.0)
        .ok_or_else(|| wrong(node, "a percentage from 0% to 99%, such as 10%"))
}

/// A change of capacity: `2`, `-1`, `+10%` or `=3`.
pub(crate) fn adjustment(node: &Node) -> Read<Adjustment> {
    let read = match &node.value {
        Value::Integer(number) => i32::try_from(*number).ok().map(Adjustment::Change),
        Value::Text(text) => adjustment_of(text),
        _ => None,
    };
    let wanted = "a change of capacity: so many targets (2, -1), percent (+10%, -10%), or a capacity \
                  (=3)";
    read.ok_or_else(|| wrong(node, wanted))
}

fn adjustment_of(text: &str) -> Option<Adjustment> {
    if let Some(exact) = text.strip_prefix('=') {
        return unsigned(exact).map(Adjustment::Exact);
    }
    let (sign, number) = match text.split_at_checked(1)? {
        ("+", number) => (1, number),
        ("-", number) => (-1, number),
        _ => return None,
    };
    let (number, percent) = match number.strip_suffix('%') {
        Some(number) => (number, true),
        None => (number, false),
    };
    let number = i32::try_from(unsigned(number)?).ok()?.checked_mul(sign)?;
    Some(if percent { Adjustment::Percent(number) } else { Adjustment::Change(number) })
}

fn unsigned(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::{Adjustment::*, *};

    #[test]
    fn changes_of_capacity_as_they_are_written() {
        for (text, expected) in [
            ("+2", Some(Change(2))),
            ("-1", Some(Change(-1))),
            ("+10%", Some(Percent(10))),
            ("-5%", Some(Percent(-5))),
            ("=3", Some(Exact(3))),
            ("10%", None),
            ("=-3", None),
            ("+", None),
            ("++1", None),
            ("+9999999999", None),
            ("", None),
            ("\u{20ac}1", None),
        ] {
            assert_eq!(adjustment(&Node::text(text)).ok(), expected, "{text}");
        }
        assert_eq!(adjustment(&Node::integer(3)), Ok(Change(3)));
    }
}
