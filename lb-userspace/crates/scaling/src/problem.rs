//! PURE: what people should look at in a scaled group.

use lb_members::Breaker;
use lb_scale::{Alert, Because, Decision, Moment, Suspensions};

use crate::command::process_name;

/// A kind of problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProblemKind {
    /// Calls of the driver fail, or hooks.
    DriverFails,
    /// Launching pauses, or members that were asked for do not come into service.
    LaunchesFail,
    /// More targets are needed than the limits allow.
    AtMaximum,
    /// An input of a policy cannot be read.
    InputFails,
    /// Processes are suspended.
    Suspended,
    /// State cannot be stored, so nothing is done.
    NotStored,
}

/// A problem of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Its kind.
    pub kind: ProblemKind,
    /// The text for people.
    pub text: String,
}

/// What is known of a group's problems.
pub(crate) struct Facts<'group> {
    pub(crate) group: &'group str,
    pub(crate) decision: Option<&'group Decision>,
    pub(crate) breaker: Option<&'group Breaker>,
    pub(crate) suspended: &'group Suspensions,
    /// The last call failed.
    pub(crate) driver_error: Option<&'group str>,
    /// The last hook failed.
    pub(crate) hook_error: Option<&'group str>,
    pub(crate) store_error: Option<&'group str>,
    pub(crate) now: Moment,
}

/// The problems of a group, loudest first.
pub(crate) fn problems(facts: &Facts<'_>) -> Vec<Problem> {
    let Facts { group, decision, breaker, suspended, driver_error, hook_error, store_error, now } =
        facts;
    let mut found = Vec::new();
    let mut add = |kind, text: String| {
        found.push(Problem { kind, text: format!("target group {group}: {text}") });
    };
    if let Some(error) = store_error {
        add(ProblemKind::NotStored, format!("no member is launched or ended: {error}"));
    }
    if let Some(error) = driver_error {
        add(ProblemKind::DriverFails, format!("its driver fails: {error}"));
    }
    if let Some(error) = hook_error {
        add(ProblemKind::DriverFails, (*error).to_owned());
    }
    if let Some(breaker) = breaker.filter(|breaker| breaker.is_open(*now)) {
        let left = breaker.pause().saturating_sub(now.since(&breaker.since)).as_secs();
        let (failures, error) = (breaker.failures, &breaker.error);
        let text =
            format!("launching pauses for {left} s after {failures} failed launches: {error}");
        add(ProblemKind::LaunchesFail, text);
    }
    let Some(decision) = decision else { return found };
    for alert in &decision.alerts {
        match alert {
            Alert::NotGrowing { waited } => {
                let waited = waited.as_secs();
                let text = format!(
                    "no member has come into service for {waited} s since more were asked for"
                );
                add(ProblemKind::LaunchesFail, text);
            }
            Alert::InputFailed { policy, error } => {
                add(ProblemKind::InputFails, format!("policy {policy} has no input: {error}"));
            }
            // The breaker of the members says it, and the health of targets.
            Alert::LaunchesFail { .. } | Alert::AllUnhealthy => {}
        }
    }
    let max = decision.limits.max;
    let short = decision
        .rejected
        .iter()
        .find(|rejected| matches!(rejected.because, Because::Limits(_)) && rejected.capacity > max);
    if let Some(short) = short {
        let (by, capacity) = (&short.by, short.capacity);
        let text = format!("policy {by} asks for {capacity} targets, and max is {max}");
        add(ProblemKind::AtMaximum, text);
    }
    if !suspended.is_empty() {
        let names: Vec<&str> = suspended.iter().map(|process| process_name(*process)).collect();
        add(ProblemKind::Suspended, format!("suspended: {}", names.join(", ")));
    }
    found
}
