//! PURE: whether the numbers of a policy make sense: values, thresholds, and steps that neither
//! overlap nor leave a gap.

use super::{DURATION_MAX, Report};
use crate::{
    adjustment::Adjustment,
    policy::{PolicyKind, SimpleScaling, Step, StepScaling},
};

pub(super) fn check(kind: &PolicyKind, at: &str, report: &mut Report) {
    if kind.metric().is_some_and(str::is_empty) {
        report.add(format!("{at}.metric"), "it is empty: name a metric");
    }
    match kind {
        PolicyKind::TargetTracking(policy) => {
            if !(policy.value.is_finite() && policy.value > 0.0) {
                let message =
                    format!("{} is no work of one target: it must be above 0", policy.value);
                report.add(format!("{at}.value"), message);
            }
        }
        PolicyKind::Step(policy) => check_step(policy, at, report),
        PolicyKind::Simple(policy) => check_simple(policy, at, report),
        PolicyKind::Schedule(_) => {}
    }
}

fn check_simple(policy: &SimpleScaling, at: &str, report: &mut Report) {
    check_threshold(policy.threshold, at, report);
    check_magnitude(policy.min_adjustment, [policy.adjust], at, report);
    if policy.adjust.is_neutral() {
        report.add(format!("{at}.adjust"), format!("{} changes nothing", policy.adjust));
    }
    if let Some(cooldown) = policy.cooldown.filter(|cooldown| *cooldown > DURATION_MAX) {
        let message = format!("{cooldown:?} exceeds {DURATION_MAX:?}, the longest");
        report.add(format!("{at}.cooldown"), message);
    }
}

fn check_threshold(threshold: f64, at: &str, report: &mut Report) {
    if !(threshold.is_finite() && threshold >= 0.0) {
        let message = format!("{threshold} is no threshold: it must be finite and not negative");
        report.add(format!("{at}.threshold"), message);
    }
}

fn check_magnitude(
    magnitude_min: u32,
    adjustments: impl IntoIterator<Item = Adjustment>,
    at: &str,
    report: &mut Report,
) {
    let mut adjustments = adjustments.into_iter();
    if magnitude_min > 0 && adjustments.any(|adjust| !matches!(adjust, Adjustment::Percent(_))) {
        report.add(format!("{at}.min_adjustment"), "only percentages have a least adjustment");
    }
}

fn check_step(policy: &StepScaling, at: &str, report: &mut Report) {
    check_threshold(policy.threshold, at, report);
    check_magnitude(policy.min_adjustment, policy.steps.iter().map(|s| s.adjust), at, report);
    if policy.steps.is_empty() {
        report.add(format!("{at}.steps"), "there is none: add one");
        return;
    }
    // As with AWS, single steps may do nothing: they keep the capacity near the threshold.
    if policy.steps.iter().all(|step| step.adjust.is_neutral()) {
        report.add(format!("{at}.steps"), "none of them changes anything");
    }
    let mut sound = true;
    for (index, step) in policy.steps.iter().enumerate() {
        let path = format!("{at}.steps[{index}]");
        sound &= check_bounds(step, &path, report);
        if step.adjust.kind() != policy.steps[0].adjust.kind() {
            let message = format!(
                "{} is of another type than {} of the first step: a policy has one type",
                step.adjust, policy.steps[0].adjust
            );
            report.add(format!("{path}.adjust"), message);
        }
    }
    if sound {
        check_order(&policy.steps, at, report);
    }
}

/// The bounds of one step; whether they can be compared with those of others.
fn check_bounds(step: &Step, path: &str, report: &mut Report) -> bool {
    let Step { lower, upper, .. } = *step;
    if lower.into_iter().chain(upper).any(|bound| !bound.is_finite()) {
        report.add(path, "its bounds must be finite: leave a bound out for infinity");
        return false;
    }
    match (lower, upper) {
        (None, None) => report.add(path, "it has no bound: set lower or upper"),
        (Some(lower), Some(upper)) if lower >= upper => {
            report.add(format!("{path}.lower"), format!("{lower} is not below upper {upper}"));
        }
        // Equality on one side of the threshold excludes it on the other (API_StepAdjustment), so
        // AWS has no step on both.
        (lower, upper) if lower.unwrap_or(-1.0) < 0.0 && upper.unwrap_or(1.0) > 0.0 => {
            report.add(path, "it is on both sides of the threshold: split it at 0");
        }
        _ => return true,
    }
    false
}

/// The rules of API_StepAdjustment: steps do not overlap and leave no gap; where a bound is beyond
/// the threshold, the outermost step has none.
fn check_order(steps: &[Step], at: &str, report: &mut Report) {
    let lower = |step: &Step| step.lower.unwrap_or(f64::NEG_INFINITY);
    let upper = |step: &Step| step.upper.unwrap_or(f64::INFINITY);
    let mut order: Vec<(usize, &Step)> = steps.iter().enumerate().collect();
    order.sort_by(|(_, a), (_, b)| lower(a).total_cmp(&lower(b)));
    for pair in order.windows(2) {
        let [(first, before), (second, after)] = *pair else { continue };
        let path = format!("{at}.steps[{second}].lower");
        if upper(before) > lower(after) {
            report.add(path, format!("it overlaps steps[{first}]"));
        } else if upper(before) < lower(after) {
            report.add(path, format!("there is a gap after steps[{first}]"));
        }
    }
    let (Some((first, lowest)), Some((last, highest))) = (order.first(), order.last()) else {
        return;
    };
    if lowest.lower.is_some_and(|lower| lower < 0.0) {
        let path = format!("{at}.steps[{first}].lower");
        report.add(path, "leave the bound of the lowest step out: below it nothing would happen");
    }
    if highest.upper.is_some_and(|upper| upper > 0.0) {
        let path = format!("{at}.steps[{last}].upper");
        report.add(path, "leave the bound of the highest step out: above it nothing would happen");
    }
}
