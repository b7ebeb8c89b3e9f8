//! Tables of `xelb get`.

use std::time::{Duration, UNIX_EPOCH};

use lb_agent::{ListenerView, ProxyView, TargetGroupView, TargetView};
use lb_store::RevisionHead;

use super::super::{
    relative_time,
    table::{Table, or_dash, socket},
};

pub(super) fn revisions(all: &[RevisionHead]) -> String {
    let mut table = Table::new(&["REVISION", "WRITTEN", "WHO", "WHAT", "MESSAGE"]);
    for head in all {
        let written = UNIX_EPOCH + Duration::from_secs(head.written_at);
        table.row([
            head.number.to_string(),
            humantime::format_rfc3339_seconds(written).to_string(),
            head.who.clone(),
            head.what.clone(),
            head.message.clone(),
        ]);
    }
    table.render("no revisions: nothing has been applied yet")
}

pub(super) fn listeners(all: &[ListenerView]) -> String {
    let mut table = Table::new(&["NAME", "ADDRESS", "PORT", "PROTOCOL", "TARGET GROUP"]);
    for listener in all {
        table.row([
            listener.name.clone(),
            or_dash(&listener.address),
            listener.port.to_string(),
            listener.protocol.clone(),
            if listener.is_sorry() {
                format!(
                    "{} (sorry group of {})",
                    listener.active_target_group, listener.target_group
                )
            } else {
                or_dash(&listener.target_group)
            },
        ]);
    }
    table.render("no listeners")
}

pub(super) fn proxies(all: &[ProxyView]) -> String {
    let headlines = ["NAME", "PROCESS", "STATE", "SERVES", "CONNECTIONS", "SEEN", "REFUSED"];
    let mut table = Table::new(&headlines);
    for proxy in all {
        table.row([
            proxy.name.clone(),
            proxy.pid.to_string(),
            proxy.state.clone(),
            proxy.configuration.clone(),
            proxy.connections.to_string(),
            format!("{} ago", humantime::format_duration(Duration::from_secs(proxy.seen_ago))),
            proxy.refused.clone(),
        ]);
    }
    table.render("no proxies: `xelb proxy` runs nowhere, or has no connection to this agent")
}

pub(super) fn groups(all: &[TargetGroupView]) -> String {
    let mut table = Table::new(&["NAME", "PROTOCOL", "FORWARDING", "HEALTHY", "RING", "NOTE"]);
    for group in all {
        let note = if group.fail_open {
            let least = group.minimum_healthy;
            format!("FAIL OPEN: fewer than {least} healthy (minimum_healthy_targets), all are used")
        } else {
            String::new()
        };
        table.row([
            group.name.clone(),
            group.protocol.clone(),
            or_dash(&group.forwarding),
            format!("{} of {}", group.healthy, group.targets),
            ring(group),
            note,
        ]);
    }
    table.render("no target groups")
}

/// A group that the proxy reaches has no ring.
fn ring(group: &TargetGroupView) -> String {
    if group.forwarding.is_empty() && group.ring_slots == 0 {
        "-".to_owned()
    } else {
        format!("{} slots", group.ring_slots)
    }
}

pub(super) fn targets(all: &[TargetView]) -> String {
    let headlines = ["GROUP", "TARGET", "WEIGHT", "STATE", "SHARE", "REASON", "DETAIL"];
    let mut table = Table::new(&headlines);
    for target in all {
        table.row([
            target.group.clone(),
            socket(target.address, target.port),
            target.weight.to_string(),
            target.state.clone(),
            format!("{:.1}%", target.share * 100.0),
            or_dash(&target.reason),
            detail(target),
        ]);
    }
    table.render("no targets")
}

/// The detail of a target; of one that drains, also how long it keeps its flows, who drained it and why.
fn detail(target: &TargetView) -> String {
    let left = target.keeps_flows_for.map(|seconds| {
        format!("{} left", relative_time::duration(Duration::from_secs(seconds.into())))
    });
    let by = target.drain.as_ref().map(|drain| {
        let why =
            if drain.reason.is_empty() { String::new() } else { format!(": {}", drain.reason) };
        format!("by {}{why}", drain.who)
    });
    let detail = Some(target.detail.clone()).filter(|detail| !detail.is_empty());
    let parts: Vec<String> = left.into_iter().chain(by).chain(detail).collect();
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use lb_agent::PortView;

    use super::*;

    #[test]
    fn targets_are_shown_with_reason_and_detail() {
        let healthy = TargetView {
            group: "web".to_owned(),
            address: Some([10, 0, 1, 11].into()),
            port: 80,
            weight: 100,
            state: "healthy".to_owned(),
            share: 1.0,
            ..TargetView::default()
        };
        let unhealthy = TargetView {
            address: Some("2001:db8::12".parse().unwrap()),
            state: "unhealthy".to_owned(),
            share: 0.0,
            reason: "Target.Timeout".to_owned(),
            detail: "no answer within 2s".to_owned(),
            ..healthy.clone()
        };
        assert_eq!(
            targets(&[healthy, unhealthy]),
            "GROUP  TARGET             WEIGHT  STATE       SHARE  REASON          DETAIL\n\
             web    10.0.1.11:80          100  healthy    100.0%  -\n\
             web    [2001:db8::12]:80     100  unhealthy    0.0%  Target.Timeout  no answer within 2s\n"
        );
        assert_eq!(targets(&[]), "no targets\n");
    }

    #[test]
    fn what_is_left_of_a_drain_is_shown() {
        let target = TargetView {
            detail: "unhealthy: late".to_owned(),
            keeps_flows_for: Some(250),
            drain: Some(lb_agent::DrainView {
                who: "ann".to_owned(),
                reason: "disk".to_owned(),
                at: 7,
            }),
            ..TargetView::default()
        };
        assert_eq!(detail(&target), "4m 10s left, by ann: disk, unhealthy: late");
        assert_eq!(detail(&TargetView::default()), "");
    }

    #[test]
    fn listeners_of_one_port_and_of_many() {
        let exact = ListenerView {
            name: "web".to_owned(),
            address: "203.0.113.10".to_owned(),
            port: PortView::One(80),
            protocol: "tcp".to_owned(),
            target_group: "web".to_owned(),
            active_target_group: "web".to_owned(),
            id: 1,
            proxied: false,
        };
        let range = ListenerView {
            address: "203.0.113.0/28".to_owned(),
            port: PortView::Several("8000-8099".to_owned()),
            ..exact.clone()
        };
        let all = ListenerView { port: PortView::Several("all".to_owned()), ..range.clone() };
        assert_eq!(
            listeners(&[exact, range.clone(), all]),
            "NAME  ADDRESS         PORT       PROTOCOL  TARGET GROUP\n\
             web   203.0.113.10    80         tcp       web\n\
             web   203.0.113.0/28  8000-8099  tcp       web\n\
             web   203.0.113.0/28  all        tcp       web\n"
        );
        let sorry = ListenerView { active_target_group: "sorry".to_owned(), ..range.clone() };
        assert!(listeners(&[sorry]).contains("  sorry (sorry group of web)\n"));
        // A prefix is not a number, though it begins and ends like one.
        assert_eq!(
            listeners(&[range]),
            "NAME  ADDRESS              PORT  PROTOCOL  TARGET GROUP\n\
             web   203.0.113.0/28  8000-8099  tcp       web\n"
        );
    }

    #[test]
    fn fail_open_is_shown_in_capitals() {
        let group = TargetGroupView {
            name: "web".to_owned(),
            targets: 3,
            fail_open: true,
            minimum_healthy: 2,
            ..TargetGroupView::default()
        };
        let text = groups(&[group]);
        assert!(
            text.contains("FAIL OPEN: fewer than 2 healthy (minimum_healthy_targets)"),
            "{text}"
        );
    }
}
