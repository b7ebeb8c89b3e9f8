//! PURE: durations, and what is wrong with them.

use std::{ops::RangeInclusive, time::Duration};

use super::{Read, wrong};
use crate::tree::{Node, Value};

/// Such as `300ms`, `5s`, `2m`, within a range.
pub(crate) fn duration(node: &Node, range: RangeInclusive<Duration>) -> Read<Duration> {
    let wanted = format!("a duration {}, such as `300ms`, `5s` or `2m`", from_to(&range));
    within(node, &range, &wanted, |_| true)
}

/// A duration of whole seconds within a range.
pub(crate) fn seconds(node: &Node, range: RangeInclusive<Duration>) -> Read<Duration> {
    let wanted = format!("a duration of whole seconds {}, such as `90s` or `2m`", from_to(&range));
    within(node, &range, &wanted, |duration| duration.subsec_nanos() == 0)
}

/// A duration as a configuration has it.
pub(crate) fn shown(duration: Duration) -> String {
    match (duration.as_secs(), duration.subsec_millis()) {
        (seconds, 0) => format!("{seconds}s"),
        _ => format!("{}ms", duration.as_millis()),
    }
}

fn from_to(range: &RangeInclusive<Duration>) -> String {
    format!("from {} to {}", shown(*range.start()), shown(*range.end()))
}

fn within(
    node: &Node,
    range: &RangeInclusive<Duration>,
    wanted: &str,
    fits: impl Fn(&Duration) -> bool,
) -> Read<Duration> {
    let fits = |duration: &Duration| range.contains(duration) && fits(duration);
    if let Some(duration) = node.as_text().and_then(parse).filter(fits) {
        return Ok(duration);
    }
    let meant = meant(node).filter(|text| parse(text).as_ref().is_some_and(fits));
    let hint = meant.map(|text| format!("; did you mean `{text}`?")).unwrap_or_default();
    Err(format!("{}{hint}", wrong(node, wanted)))
}

fn parse(text: &str) -> Option<Duration> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits)?;
    let number: u64 = number.parse().ok()?;
    match unit {
        "ms" => Some(Duration::from_millis(number)),
        "s" => Some(Duration::from_secs(number)),
        "m" => Some(Duration::from_secs(number.saturating_mul(60))),
        "h" => Some(Duration::from_secs(number.saturating_mul(3600))),
        "d" => Some(Duration::from_secs(number.saturating_mul(24 * 3600))),
        _ => None,
    }
}

/// A suggestion for a number without a unit, a unit in capitals, or one after a blank.
fn meant(node: &Node) -> Option<String> {
    match &node.value {
        Value::Integer(number) => Some(format!("{number}s")),
        // Longer ones are no durations.
        Value::Text(text) if text.len() <= 32 => {
            let text: String = text.split_whitespace().collect();
            let unit = if text.bytes().all(|byte| byte.is_ascii_digit()) { "s" } else { "" };
            Some(format!("{}{unit}", text.to_lowercase()))
        }
        _ => None,
    }
}
