//! PURE: which target groups and targets may get a request that is forwarded.

use std::time::Duration;

use lb_config::{CookieStickiness, HttpGroupProtocol, HttpTargetGroup};
use lb_rules::{
    Forward, RequestHead,
    sticky::{ScopeKind, cookie_name},
};

use super::{Backends, ExplainedGroup, ExplainedTarget, HttpExplainView};

/// Adds the groups of an action, and their targets.
pub(super) fn targets(
    view: &mut HttpExplainView,
    forward: &Forward,
    request: &RequestHead<'_>,
    all: &Backends<'_>,
) {
    let sum: u32 = forward.target_groups.iter().map(|group| group.weight).sum();
    if let Some(duration) = forward.stickiness {
        let cookie = cookie_name(ScopeKind::TargetGroup);
        view.stickiness.push(sticky("target group", cookie, duration, request));
    }
    for chosen in &forward.target_groups {
        let share = part(chosen.weight, sum);
        let (name, weight) = (chosen.name.clone(), chosen.weight);
        view.target_groups.push(ExplainedGroup { name, weight, share });
        let group = all.groups.iter().find(|group| *group.name == *chosen.name);
        if let Some(group) = group {
            of_group(view, group, request, all);
        }
    }
}

fn of_group(
    view: &mut HttpExplainView,
    group: &HttpTargetGroup,
    request: &RequestHead<'_>,
    all: &Backends<'_>,
) {
    let name = &group.name;
    let sum: u32 = group.targets.iter().map(|target| target.weight).sum();
    let first = view.targets.len();
    for target in &group.targets {
        let known = (all.known)(&group.key(target));
        let (state, share) = match known {
            Some(known) => (known.state, known.share),
            None => ("unknown".to_owned(), part(target.weight, sum)),
        };
        let (group, target) = (name.to_string(), target.to_string());
        view.targets.push(ExplainedTarget { group, target, state, share });
    }
    let added = view.targets.get(first..).unwrap_or_default();
    if added.iter().all(|target| target.share <= 0.0) {
        view.notes.push(format!("target group {name}: no target can get requests: status 503"));
    }
    if added
        .iter()
        .any(|one| one.share > 0.0 && matches!(one.state.as_str(), "unhealthy" | "initial"))
    {
        view.notes.push(format!(
            "target group {name}: too few targets are healthy, so all get requests (fail open)"
        ));
    }
    match &group.stickiness {
        CookieStickiness::None => {}
        CookieStickiness::LbCookie(duration) => {
            let cookie = cookie_name(ScopeKind::LbCookie);
            let subject = format!("target of {name}");
            view.stickiness.push(sticky(&subject, cookie, *duration, request));
        }
        CookieStickiness::AppCookie { name: app_cookie, duration } => {
            let cookie = cookie_name(ScopeKind::AppCookie);
            let subject = format!("target of {name}, while it has the cookie {app_cookie},");
            view.stickiness.push(sticky(&subject, cookie, *duration, request));
        }
    }
    if group.protocol == HttpGroupProtocol::Grpc {
        view.notes.push(format!(
            "target group {name} is of grpc: other requests than POST over HTTP/2 get status 464"
        ));
    }
}

/// What a cookie does.
fn sticky(subject: &str, cookie: &str, duration: Duration, request: &RequestHead<'_>) -> String {
    let prefix = format!("{cookie}=");
    let has = request.header("cookie").any(|line| {
        line.split(|byte| *byte == b';')
            .any(|pair| pair.trim_ascii().starts_with(prefix.as_bytes()))
    });
    let seconds = duration.as_secs();
    if has {
        format!(
            "the client stays with its {subject} by {cookie}, for {seconds} s after each response: the \
             request has the cookie, which only its proxy can read"
        )
    } else {
        format!(
            "the client stays with its {subject} by {cookie}, for {seconds} s after each response: the \
             request has no such cookie, so weights decide"
        )
    }
}

fn part(weight: u32, sum: u32) -> f64 {
    if sum == 0 { 0.0 } else { f64::from(weight) / f64::from(sum) }
}
