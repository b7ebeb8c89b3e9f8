//! PURE: whether an action can be used.

use super::{redirect, text};
use crate::{
    action::{Action, FixedResponse, Forward, WeightedGroup},
    error::Problem,
    limits,
    problems::Problems,
    rule::ListenerEnd,
};

pub(super) fn check(action: &Action, listener: ListenerEnd, problems: &mut Problems) {
    match action {
        Action::Forward(forward) => {
            problems.key("forward", |problems| check_forward(forward, problems));
        }
        Action::Redirect(redirect) => {
            problems.key("redirect", |problems| redirect::check(redirect, listener, problems));
        }
        Action::FixedResponse(response) => {
            problems.key("fixed_response", |problems| check_response(response, problems));
        }
    }
}

fn check_forward(forward: &Forward, problems: &mut Problems) {
    let groups = &forward.target_groups;
    if groups.is_empty() {
        problems.push(Problem::NoTargetGroups);
    } else if groups.iter().all(|group| group.weight == 0) {
        problems.push(Problem::ZeroWeights);
    }
    if groups.len() > limits::TARGET_GROUPS_MAX {
        problems.push(Problem::TooManyTargetGroups(groups.len()));
    }
    problems.key("target_groups", |problems| {
        // More than the limit are a fault already.
        for (place, group) in groups.iter().take(limits::TARGET_GROUPS_MAX).enumerate() {
            problems.item(place, |problems| {
                check_group(group, problems);
                if groups[..place].iter().any(|other| other.name == group.name) {
                    problems.push(Problem::DuplicateTargetGroup(group.name.clone()));
                }
            });
        }
    });
    if let Some(stickiness) = forward.stickiness
        && !limits::STICKINESS.contains(&stickiness)
    {
        problems.key("stickiness", |problems| {
            problems.push(Problem::Stickiness(stickiness.as_secs()));
        });
    }
}

fn check_group(group: &WeightedGroup, problems: &mut Problems) {
    if group.name.is_empty() {
        problems.push(Problem::Empty { what: "name of a target group" });
    }
    if !limits::WEIGHTS.contains(&group.weight) {
        let (group, weight) = (group.name.clone(), group.weight);
        problems.key("weight", |problems| problems.push(Problem::Weight { group, weight }));
    }
}

fn check_response(response: &FixedResponse, problems: &mut Problems) {
    let status = response.status;
    if !matches!(status, 200..=299 | 400..=599) {
        let (action, allowed) = ("fixed_response", "200 to 299 and 400 to 599");
        problems.key("status", |problems| {
            problems.push(Problem::Status { action, status, allowed });
        });
    }
    problems.key("body", |problems| {
        text::length("fixed_response body", &response.body, limits::FIXED_BODY_MAX, problems);
    });
    match &response.content_type {
        Some(kind) if !limits::CONTENT_TYPES.contains(&kind.as_str()) => {
            let fault = Problem::ContentType(kind.clone());
            problems.key("content_type", |problems| problems.push(fault));
        }
        None if !response.body.is_empty() => problems.push(Problem::NoContentType),
        _ => {}
    }
    // RFC 9110, sections 15.3.5 and 15.3.6.
    if matches!(status, 204 | 205) && !response.body.is_empty() {
        problems.key("body", |problems| problems.push(Problem::BodyWithoutContent(status)));
    }
}
