//! PURE: whether a schedule can be due, and what it sets fits the limits.

use jiff::tz::TimeZone;

use super::{CAPACITY_MAX, Report, ScheduleTime};
use crate::{cron::Cron, limits::Limits, policy::Schedule};

pub(super) fn check(
    schedule: &Schedule,
    limits: Limits,
    at: &str,
    report: &mut Report,
) -> Option<ScheduleTime> {
    check_capacity(schedule, limits, at, report);
    let cron = Cron::parse(&schedule.cron)
        .map_err(|error| report.add(format!("{at}.cron"), error.to_string()));
    let zone = TimeZone::get(&schedule.timezone).map_err(|_| {
        let message = format!(
            "`{}` is no time zone: write an IANA name, for example Europe/Berlin",
            schedule.timezone
        );
        report.add(format!("{at}.timezone"), message);
    });
    Some(ScheduleTime { cron: cron.ok()?, zone: zone.ok()? })
}

fn check_capacity(schedule: &Schedule, limits: Limits, at: &str, report: &mut Report) {
    let Schedule { min, max, desired, .. } = *schedule;
    if min.is_none() && max.is_none() && desired.is_none() {
        report.add(at, "it changes nothing: set min, max or desired");
    }
    // What it does not set is still that of the group.
    let during = Limits { min: min.unwrap_or(limits.min), max: max.unwrap_or(limits.max) };
    if during.min > during.max && limits.min <= limits.max {
        let Limits { min: lower, max: upper } = during;
        let message = format!("min would be {lower} and max {upper} then: set both");
        report.add(format!("{at}.{}", if min.is_some() { "min" } else { "max" }), message);
    } else if let Some(desired) = desired
        && during.clamp(desired) != desired
    {
        report.add(format!("{at}.desired"), format!("{desired} is outside the limits {during}"));
    }
    if let Some(max) = max.filter(|max| *max > CAPACITY_MAX) {
        let message = format!("{max} exceeds {CAPACITY_MAX}, the most of a group");
        report.add(format!("{at}.max"), message);
    }
}
