//! PURE: from two plans to the events between them.

use std::collections::BTreeMap;

use lb_config::TargetKey;
use lb_plan::TargetReport;

use super::{events::Event, state_name::state_name};

/// Whether both are of the same targets in the same order.
pub(super) fn same_targets(before: &[&TargetReport], after: &[&TargetReport]) -> bool {
    before.len() == after.len()
        && before.iter().zip(after).all(|(before, after)| before.key == after.key)
}

/// What has happened to targets: one event for each that is new, gone, or in another state.
pub(super) fn between(before: &[&TargetReport], after: &[&TargetReport]) -> Vec<Event> {
    if same_targets(before, after) {
        let pairs = before
            .iter()
            .zip(after)
            .filter(|(before, after)| before.shown_state() != after.shown_state());
        return pairs.map(|(before, after)| event(Some(before), Some(after))).collect();
    }
    let mut previous: BTreeMap<&TargetKey, &TargetReport> =
        before.iter().map(|report| (&report.key, *report)).collect();
    let mut events = Vec::new();
    for report in after {
        let known = previous.remove(&report.key);
        if known.is_none_or(|known| known.shown_state() != report.shown_state()) {
            events.push(event(known, Some(report)));
        }
    }
    events.extend(previous.into_values().map(|report| event(Some(report), None)));
    events
}

/// At least one of the two is there.
fn event(before: Option<&TargetReport>, after: Option<&TargetReport>) -> Event {
    let state = |report: Option<&TargetReport>| {
        report.map_or(String::new(), |report| state_name(report.shown_state()).to_owned())
    };
    let mut event = Event { from: state(before), to: state(after), ..Event::default() };
    if let Some(report) = after.or(before) {
        event.group = report.key.group.to_string();
        event.address = Some(report.key.address);
        event.port = report.key.port;
    }
    if let Some(report) = after {
        event.reason = report.shown_reason().map(|reason| reason.to_string()).unwrap_or_default();
        event.detail.clone_from(&report.detail);
    }
    event
}

#[cfg(test)]
mod tests {
    use lb_common::target::TargetState::{self, Draining, Healthy, Initial, Unhealthy};
    use lb_plan::Reason;

    use super::*;

    fn report(port: u16, state: TargetState) -> TargetReport {
        TargetReport {
            key: TargetKey { group: "web".into(), address: [10, 0, 0, 1].into(), port },
            id: port,
            weight: 100,
            state,
            reason: (state == Unhealthy).then_some(Reason::Timeout),
            detail: if state == Unhealthy { "late".to_owned() } else { String::new() },
            in_ring: false,
            leaving: false,
            until: None,
            share: 0.0,
        }
    }

    fn seen(before: &[TargetReport], after: &[TargetReport]) -> Vec<String> {
        let [before, after] = [before, after].map(|all| all.iter().collect::<Vec<_>>());
        let events = between(&before, &after);
        let texts = events.iter().map(|event| {
            let Event { port, from, to, reason, detail, .. } = event;
            format!("{port} {from}>{to} {reason} {detail}").trim_end().to_owned()
        });
        texts.collect()
    }

    #[test]
    fn every_change_of_a_state_is_an_event() {
        let before = [report(1, Healthy), report(2, Initial), report(3, Healthy)];
        assert_eq!(seen(&before, &before), Vec::<String>::new());
        let after = [report(1, Unhealthy), report(2, Healthy), report(3, Healthy)];
        assert_eq!(
            seen(&before, &after),
            ["1 healthy>unhealthy Target.Timeout late", "2 initial>healthy"]
        );
        let after = [report(3, Draining), report(1, Healthy), report(4, Initial)];
        assert_eq!(seen(&before, &after), ["3 healthy>draining", "4 >initial", "2 initial>"]);
        assert_eq!(seen(&[], &before), ["1 >healthy", "2 >initial", "3 >healthy"]);
        let unchecked = TargetReport {
            reason: Some(Reason::InternalError),
            detail: "this host cannot check it".to_owned(),
            ..report(2, Healthy)
        };
        assert_eq!(
            seen(&before, &[unchecked]),
            ["2 initial>healthy  this host cannot check it", "1 healthy>", "3 healthy>"]
        );
        let lost = TargetReport { reason: Some(Reason::IpUnusable), ..report(1, Healthy) };
        assert_eq!(
            seen(&before[..1], &[lost]),
            ["1 healthy>unhealthy Target.IpUnusable"],
            "nobody reaches it"
        );
    }
}
