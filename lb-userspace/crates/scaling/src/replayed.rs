//! PURE: the last hours of a group through its own settings and through others.

use std::{sync::Arc, time::Duration};

use lb_scale::{
    CheckedSettings, FleetConditions, Moment, PolicyKind, Reading, Recorded, ReplayConditions,
    Sample, Samples, Scorecard, replay,
};

use crate::{
    loads::MinuteOfLoad,
    samples::{BYTES, PACKETS, REQUESTS},
};

/// What a replay assumes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ReplayOptions {
    /// What one target can do, in units of the metric; the value of the target tracking policy of
    /// the group's own settings if not set.
    pub target_limit: Option<f64>,
    /// From a launch to the first request.
    pub boot: Duration,
}

/// The same hours twice.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// The first minute, and the end of the last one.
    pub span: (jiff::Timestamp, jiff::Timestamp),
    /// Minutes whose work is known.
    pub minutes: usize,
    /// The metric that says what was needed.
    pub metric: String,
    /// What one target can do.
    pub target_limit: f64,
    /// With the group's own settings.
    pub own: Scorecard,
    /// With the other ones.
    pub other: Scorecard,
}

/// Why there is nothing to compare, for people.
pub type NoComparison = String;

/// Replays minutes with both settings.
pub fn compare(
    loads: &[MinuteOfLoad],
    own: &Arc<CheckedSettings>,
    other: &Arc<CheckedSettings>,
    options: &ReplayOptions,
) -> Result<Comparison, NoComparison> {
    let (Some(first), Some(last)) = (loads.first(), loads.last()) else {
        return Err("no minute of its load is recorded yet".to_owned());
    };
    let (metric, target_limit) = measure(own, other, options)?;
    let start = timestamp(first.minute)?;
    let end = timestamp(last.minute.saturating_add(1))?;
    let history: Vec<Recorded> =
        loads.iter().map(|load| recorded(load, first.minute, start)).collect();
    let known = |load: &&MinuteOfLoad| match metric {
        BYTES => load.bytes.is_some(),
        REQUESTS => load.requests.is_some(),
        _ => load.packets.is_some(),
    };
    let minutes = loads.iter().filter(known).count();
    if minutes < 2 {
        return Err(format!("{minutes} of its recorded minutes have a known load; two are needed"));
    }
    let conditions = ReplayConditions {
        fleet: FleetConditions { boot: options.boot, ..FleetConditions::default() },
        metric: metric.to_owned(),
        work_per_target_max: target_limit,
        desired: first.desired,
    };
    Ok(Comparison {
        span: (start, end),
        minutes,
        metric: metric.to_owned(),
        target_limit,
        own: replay(&history, Arc::clone(own), &conditions),
        other: replay(&history, Arc::clone(other), &conditions),
    })
}

/// By what need is measured.
fn measure(
    own: &CheckedSettings,
    other: &CheckedSettings,
    options: &ReplayOptions,
) -> Result<(&'static str, f64), NoComparison> {
    let all = || own.policies.iter().chain(&other.policies);
    let mut metrics = all().filter_map(|policy| match &policy.kind {
        PolicyKind::TargetTracking(tracking) => Some(tracking.metric.as_str()),
        PolicyKind::Step(step) => Some(step.metric.as_str()),
        PolicyKind::Simple(simple) => Some(simple.metric.as_str()),
        PolicyKind::Schedule(_) => None,
    });
    let recorded = [PACKETS, BYTES, REQUESTS];
    let metric = metrics.find_map(|name| recorded.into_iter().find(|known| *known == name));
    let metric = metric.ok_or("no policy has a metric that the load is recorded in")?;
    let value = own.policies.iter().find_map(|policy| match &policy.kind {
        PolicyKind::TargetTracking(tracking) if tracking.metric == metric => Some(tracking.value),
        _ => None,
    });
    let limit = options.target_limit.or(value);
    let limit = limit.ok_or("what one target can do is not known: write it with --target-limit")?;
    Ok((metric, limit))
}

fn timestamp(minute: i64) -> Result<jiff::Timestamp, NoComparison> {
    let second = minute.saturating_mul(60);
    jiff::Timestamp::from_second(second).map_err(|error| format!("its history: {error}"))
}

fn recorded(load: &MinuteOfLoad, first: i64, start: jiff::Timestamp) -> Recorded {
    #[expect(clippy::cast_precision_loss, reason = "a rate needs no more than 53 bits")]
    let reading = |work: Option<u64>| Reading::Total {
        sample: work.map_or(Sample::Empty, |work| Sample::Value(work as f64)),
        saturated: false,
    };
    let since = u64::try_from(load.minute.saturating_sub(first)).unwrap_or_default();
    let origin = Moment { boot_id: 0, boot: Duration::ZERO, wall: start };
    let samples = Samples::from([
        (PACKETS.to_owned(), reading(load.packets)),
        (BYTES.to_owned(), reading(load.bytes)),
        (REQUESTS.to_owned(), reading(load.requests)),
    ]);
    Recorded { at: origin.after(Duration::from_secs(since.saturating_mul(60))), samples }
}

#[cfg(test)]
mod tests {
    use lb_scale::{Policy, Settings, TargetTracking};

    use super::*;

    fn settings(value: f64) -> Arc<CheckedSettings> {
        let metric = PACKETS.to_owned();
        let tracking = TargetTracking { metric, value, disable_scale_in: false };
        let policies =
            vec![Policy { name: "load".to_owned(), kind: PolicyKind::TargetTracking(tracking) }];
        Arc::new(CheckedSettings::new(Settings { policies, ..Settings::new(1, 20) }).unwrap())
    }

    /// An hour that rises from 2 to 8 targets' worth.
    fn hour() -> Vec<MinuteOfLoad> {
        let of = |minute: u32| MinuteOfLoad {
            minute: 29_000_000 + i64::from(minute),
            desired: 2,
            packets: Some(2000 + 100 * u64::from(minute)),
            bytes: None,
            requests: None,
        };
        (0..60).map(of).collect()
    }

    const OPTIONS: ReplayOptions =
        ReplayOptions { target_limit: None, boot: Duration::from_mins(1) };

    #[test]
    fn a_reserve_costs_more_and_is_short_less() {
        let compared = compare(&hour(), &settings(1000.0), &settings(600.0), &OPTIONS).unwrap();
        let Comparison { own, other, .. } = &compared;
        assert_eq!((compared.minutes, compared.metric.as_str()), (60, PACKETS));
        assert!((compared.target_limit - 1000.0).abs() < f64::EPSILON);
        assert!(own.violation > other.violation, "{own:?}\n{other:?}");
        assert!(own.member_hours() < other.member_hours(), "{own:?}\n{other:?}");
        let same = compare(&hour(), &settings(600.0), &settings(600.0), &OPTIONS).unwrap();
        assert_eq!(same.own, same.other);
    }

    #[test]
    fn what_is_missing_is_said() {
        let value = settings(1000.0);
        let none = Arc::new(CheckedSettings::new(Settings::new(1, 20)).unwrap());
        let error = compare(&[], &value, &value, &OPTIONS).unwrap_err();
        assert!(error.contains("no minute"), "{error}");
        let error = compare(&hour(), &none, &none, &OPTIONS).unwrap_err();
        assert!(error.contains("no policy has a metric"), "{error}");
        let error = compare(&hour(), &none, &value, &OPTIONS).unwrap_err();
        assert!(error.contains("--target-limit"), "{error}");
        let options = ReplayOptions { target_limit: Some(1000.0), ..OPTIONS };
        assert!(compare(&hour(), &none, &value, &options).is_ok());
        let unknown: Vec<MinuteOfLoad> =
            hour().into_iter().map(|load| MinuteOfLoad { packets: None, ..load }).collect();
        let error = compare(&unknown, &value, &value, &OPTIONS).unwrap_err();
        assert!(error.contains("two are needed"), "{error}");
    }
}
