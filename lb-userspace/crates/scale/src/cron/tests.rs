//! Cron expressions: right and wrong texts, and when they are due, also where clocks change.

use super::*;

fn is_due(cron: &str, zone: &str, instant: &str) -> bool {
    let zone = TimeZone::get(zone).unwrap();
    let instant: Timestamp = instant.parse().unwrap();
    let after = instant.checked_sub(MINUTE).unwrap();
    Cron::parse(cron).unwrap().latest(&zone, after, instant) == Some(instant)
}

#[test]
fn due_or_not() {
    let cases = [
        ("0 22 * * *", "Etc/UTC", "2026-11-29T22:00:00Z", true),
        ("0 22 * * *", "Etc/UTC", "2026-11-29T22:01:00Z", false),
        ("0 22 * * *", "Europe/Berlin", "2026-11-29T21:00:00Z", true),
        ("0 22 * * *", "Europe/Berlin", "2026-07-01T20:00:00Z", true),
        ("*/15 9-17 * * mon-fri", "Etc/UTC", "2026-11-30T09:45:00Z", true),
        ("*/15 9-17 * * mon-fri", "Etc/UTC", "2026-11-29T09:45:00Z", false),
        ("0 0 * * 7", "Etc/UTC", "2026-11-29T00:00:00Z", true),
        ("0 0 * * Sun", "Etc/UTC", "2026-11-29T00:00:00Z", true),
        ("0 0 1,15 * 5", "Etc/UTC", "2026-12-04T00:00:00Z", true),
        ("0 0 1,15 * 5", "Etc/UTC", "2026-12-01T00:00:00Z", true),
        ("0 0 1,15 * 5", "Etc/UTC", "2026-12-02T00:00:00Z", false),
        ("0 0 29 feb *", "Etc/UTC", "2028-02-29T00:00:00Z", true),
        ("30 1-5/2 * 12 *", "Etc/UTC", "2026-12-02T03:30:00Z", true),
        ("30 1-5/2 * 12 *", "Etc/UTC", "2026-12-02T02:30:00Z", false),
        // Berlin skips 02:00 to 03:00 on 2026-03-29: right after it, at 01:00 UTC.
        ("30 2 * * *", "Europe/Berlin", "2026-03-29T01:00:00Z", true),
        ("30 2 * * *", "Europe/Berlin", "2026-03-29T01:30:00Z", false),
        ("30 1 * * *", "Europe/Berlin", "2026-03-29T01:00:00Z", false),
        // A job of every hour does not run twice at 03:00.
        ("30 * * * *", "Europe/Berlin", "2026-03-29T01:00:00Z", false),
        // Berlin has 02:00 to 03:00 twice on 2026-10-25: only in the first of them.
        ("30 2 * * *", "Europe/Berlin", "2026-10-25T00:30:00Z", true),
        ("30 2 * * *", "Europe/Berlin", "2026-10-25T01:30:00Z", false),
        ("30 * * * *", "Europe/Berlin", "2026-10-25T01:30:00Z", true),
        // Lord Howe moves by half an hour: 02:00 to 02:30 is skipped on 2026-10-04.
        ("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T15:30:00Z", true),
    ];
    for (cron, zone, instant, expected) in cases {
        assert_eq!(is_due(cron, zone, instant), expected, "{cron} in {zone} at {instant}");
    }
}

#[test]
fn the_latest_occurrence_of_an_interval() {
    let at = |text: &str| -> Timestamp { text.parse().unwrap() };
    let cron = Cron::parse("*/10 * * * *").unwrap();
    let latest = |after, until| cron.latest(&TimeZone::UTC, at(after), at(until));
    let expected = Some(at("2026-11-29T12:20:00Z"));
    assert_eq!(latest("2026-11-29T12:00:00Z", "2026-11-29T12:29:59Z"), expected);
    // The start is not in the interval, the end is.
    assert_eq!(latest("2026-11-29T12:20:00Z", "2026-11-29T12:29:59Z"), None);
    assert_eq!(latest("2026-11-29T12:19:59Z", "2026-11-29T12:20:00Z"), expected);
    // Nothing lies in an interval that ends before it begins.
    assert_eq!(latest("2026-11-29T13:00:00Z", "2026-11-29T12:20:00Z"), None);
    let daily = Cron::parse("0 1 * * *").unwrap();
    let (long_ago, now) = (at("2020-01-01T00:00:00Z"), at("2026-11-29T02:01:00Z"));
    assert_eq!(daily.latest(&TimeZone::UTC, long_ago, now), None, "more than an hour ago");
}

#[test]
fn wrong_texts() {
    let cases = [
        ("", "5 fields"),
        ("* * * *", "and this has 4"),
        ("* * * * * *", "and this has 6"),
        ("60 * * * *", "`60` is no minute"),
        ("* 24 * * *", "`24` is no hour"),
        ("* * 0 * *", "`0` is no day of month"),
        ("* * * foo *", "`foo` is no month: write *, a number from 1 to 12"),
        ("* * * * 8", "`8` is no day of week"),
        ("5/10 * * * *", "`5/10` is no minute"),
        ("*/0 * * * *", "`*/0` is no minute"),
        ("9-3 * * * *", "`9-3` is no minute"),
        ("1,,2 * * * *", "`1,,2` is no minute"),
        ("+5 * * * *", "`+5` is no minute"),
        ("0 0 30 2 *", "never happens"),
        ("0 0 31 4,6,9,11 *", "never happens"),
    ];
    for (text, expected) in cases {
        let error = Cron::parse(text).unwrap_err().to_string();
        assert!(error.contains(expected), "{text}: {error}");
    }
    // Any Monday in February is enough.
    assert!(Cron::parse("0 0 30 2 1").is_ok());
}
