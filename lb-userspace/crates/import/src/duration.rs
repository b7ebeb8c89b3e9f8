//! Times: read with the units of each format, kept in milliseconds, written as xelb reads them.

use crate::remark::brief;

/// HAProxy: a number and a unit (us, ms, s, m, h, d); milliseconds without one.
pub(crate) fn with_unit(text: &str) -> Result<u64, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let wrong = || format!("`{}` is not a time such as 500ms, 2s or 1m", brief(text));
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let factor = match unit {
        "us" => return Ok(number.div_ceil(1000)),
        "" | "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(wrong()),
    };
    number.checked_mul(factor).ok_or_else(wrong)
}

/// keepalived: seconds, with a fraction since 2.2.
pub(crate) fn seconds(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{}` is not a number of seconds", brief(text));
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let whole: u64 = whole.parse().map_err(|_| wrong())?;
    if fraction.is_empty() || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong());
    }
    let fraction: String = fraction.chars().chain("000".chars()).take(3).collect();
    let milliseconds: u64 = fraction.parse().map_err(|_| wrong())?;
    whole.checked_mul(1000).and_then(|ms| ms.checked_add(milliseconds)).ok_or_else(wrong)
}

/// As xelb reads it: `300ms` or `5s`.
pub(crate) fn shown(milliseconds: u64) -> String {
    if milliseconds.is_multiple_of(1000) {
        format!("{}s", milliseconds / 1000)
    } else {
        format!("{milliseconds}ms")
    }
}
