//! PURE: durations and moments as people read them: `5s`, `4m 10s`, `3 h ago`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A duration in its two largest units: `850ms`, `4m 10s`, `3d 2h`.
pub(super) fn duration(time: Duration) -> String {
    const UNITS: [(u64, &str); 4] = [(86_400, "d"), (3600, "h"), (60, "m"), (1, "s")];
    let seconds = time.as_secs();
    if seconds == 0 {
        let milliseconds = time.as_millis();
        return if milliseconds == 0 { "0s".to_owned() } else { format!("{milliseconds}ms") };
    }
    let first = UNITS.iter().position(|(unit, _)| seconds >= *unit).unwrap_or(UNITS.len() - 1);
    let mut rest = seconds;
    let mut parts = Vec::new();
    for (unit, name) in UNITS.iter().skip(first).take(2) {
        if rest >= *unit {
            parts.push(format!("{}{name}", rest / unit));
        }
        rest %= unit;
    }
    parts.join(" ")
}

/// How long ago a moment was, in whole seconds; it and `now` are in milliseconds since 1970. Not all moments
/// are known more exactly.
pub(super) fn ago(at_ms: u64, now_ms: u64) -> String {
    let elapsed = Duration::from_secs(now_ms.saturating_sub(at_ms) / 1000);
    format!("{} ago", duration(elapsed))
}

/// The present moment, in milliseconds since 1970.
pub(super) fn now_ms() -> u64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
}

/// A moment in UTC (RFC 3339), without fractions.
pub(super) fn moment(at_ms: u64) -> String {
    let moment = UNIX_EPOCH + Duration::from_millis(at_ms);
    humantime::format_rfc3339_seconds(moment).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_two_units() {
        for (milliseconds, text) in [
            (0, "0s"),
            (850, "850ms"),
            (5_000, "5s"),
            (250_000, "4m 10s"),
            (240_000, "4m"),
            (7_261_000, "2h 1m"),
            (266_400_000, "3d 2h"),
            (86_401_000, "1d"),
        ] {
            assert_eq!(duration(Duration::from_millis(milliseconds)), text, "{milliseconds}");
        }
        assert_eq!(ago(1_000, 61_000), "1m ago");
        assert_eq!(ago(61_000, 1_000), "0s ago");
        assert_eq!(ago(1_000, 1_850), "0s ago");
    }
}
