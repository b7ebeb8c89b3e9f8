//! Columns of the lists of `xelb get`.

use std::time::Duration;

use anstyle::{AnsiColor, Style};
use lb_agent::{ListenerView, ProxyView, TargetGroupView, TargetView};
use lb_config::Tags;
use lb_store::RevisionHead;

use super::super::{
    list::{Column, Listing, state_style},
    relative_time, status,
    table::{or_dash, socket},
};

pub(in crate::cli) static REVISIONS: Listing<RevisionHead> = Listing {
    columns: &[
        Column::new("REVISION", "number", |head, _| head.number.to_string()),
        Column::new("WRITTEN", "written_at", |head, times| times.moment(head.written_at * 1000)),
        Column::new("WHO", "who", |head, _| head.who.clone()),
        Column::new("WHAT", "what", |head, _| head.what.clone()),
        Column::new("MESSAGE", "message", |head, _| head.message.clone()),
    ],
    fields: &["number", "written_at", "who", "what", "message"],
    name: |head| Some(head.number.to_string()),
    nothing: "no revisions: nothing has been applied yet",
};

pub(in crate::cli) static LISTENERS: Listing<ListenerView> = Listing {
    columns: &[
        Column::new("NAME", "name", |one, _| one.name.clone()),
        Column::new("ADDRESS", "address", |one, _| or_dash(&one.address)),
        Column::new("PORT", "port", |one, _| one.port.to_string()),
        Column::new("PROTOCOL", "protocol", |one, _| one.protocol.clone()),
        Column::new("SERVED BY", "proxied", |one: &ListenerView, _| {
            if one.proxied { "proxy" } else { "data path" }.to_owned()
        })
        .wide(),
        Column::new("TARGET GROUP", "active_target_group", |one: &ListenerView, _| {
            forwards_to(one)
        })
        .painted(|one| one.is_sorry().then(|| AnsiColor::Yellow.on_default())),
        Column::new("TAGS", "tags", |one: &ListenerView, _| tags(&one.tags)).wide(),
    ],
    fields: &[
        "name",
        "address",
        "port",
        "protocol",
        "target_group",
        "active_target_group",
        "id",
        "proxied",
        "tags",
    ],
    name: |one| Some(format!("listener/{}", one.name)),
    nothing: "no listeners",
};

fn forwards_to(listener: &ListenerView) -> String {
    let ListenerView { target_group, active_target_group, .. } = listener;
    if listener.is_sorry() {
        format!("{active_target_group} (sorry group of {target_group})")
    } else {
        or_dash(target_group)
    }
}

pub(in crate::cli) static PROXIES: Listing<ProxyView> = Listing {
    columns: &[
        Column::new("NAME", "name", |one, _| one.name.clone()),
        Column::new("PROCESS", "pid", |one, _| one.pid.to_string()),
        Column::new("VERSION", "software", |one: &ProxyView, _| or_dash(&one.software)).wide(),
        Column::new("STATE", "state", |one: &ProxyView, _| one.state.clone())
            .painted(|one| state_style(&one.state)),
        Column::new("SERVES", "configuration", |one, _| one.configuration.clone()),
        Column::new("CONNECTIONS", "connections", |one, _| one.connections.to_string()),
        Column::new("SEEN", "seen_ago", |one, times| {
            times.moment(times.now_ms.saturating_sub(one.seen_ago * 1000))
        }),
        Column::new("REFUSED", "refused", |one, _| one.refused.clone()),
    ],
    fields: &[
        "name",
        "pid",
        "software",
        "state",
        "configuration",
        "refused",
        "connections",
        "seen_ago",
    ],
    name: |one| Some(one.name.clone()),
    nothing: "no proxies: `xelb proxy` runs nowhere, or has no connection to this agent",
};

pub(in crate::cli) static GROUPS: Listing<TargetGroupView> = Listing {
    columns: &[
        Column::new("NAME", "name", |one, _| one.name.clone()),
        Column::new("PROTOCOL", "protocol", |one, _| one.protocol.clone()),
        Column::new("FORWARDING", "forwarding", |one, _| or_dash(&one.forwarding)),
        Column::new("HEALTHY", "healthy", |one: &TargetGroupView, _| {
            format!("{} of {}", one.healthy, one.targets)
        })
        .painted(health_style),
        Column::new("MINIMUM", "minimum_healthy", |one: &TargetGroupView, _| {
            one.minimum_healthy.to_string()
        })
        .wide(),
        Column::new("RING", "ring_slots", |one, _| ring(one)),
        Column::new("NOTE", "fail_open", |one: &TargetGroupView, _| note(one))
            .painted(|_| Some(AnsiColor::Red.on_default().bold())),
        Column::new("TAGS", "tags", |one: &TargetGroupView, _| tags(&one.tags)).wide(),
    ],
    fields: &[
        "name",
        "protocol",
        "forwarding",
        "targets",
        "healthy",
        "fail_open",
        "minimum_healthy",
        "ring_slots",
        "id",
        "tags",
    ],
    name: |one| Some(format!("target-group/{}", one.name)),
    nothing: "no target groups",
};

fn note(group: &TargetGroupView) -> String {
    if group.fail_open {
        let least = group.minimum_healthy;
        format!("FAIL OPEN: fewer than {least} healthy (minimum_healthy_targets), all are used")
    } else {
        String::new()
    }
}

fn health_style(group: &TargetGroupView) -> Option<Style> {
    status::health_style(group.healthy, group.targets)
}

pub(in crate::cli) static TARGETS: Listing<TargetView> = Listing {
    columns: &[
        Column::new("GROUP", "group", |one, _| one.group.clone()),
        Column::new("TARGET", "address", |one, _| socket(one.address, one.port)),
        Column::new("WEIGHT", "weight", |one, _| one.weight.to_string()),
        Column::new("STATE", "state", |one: &TargetView, _| one.state.clone())
            .painted(|one| state_style(&one.state)),
        Column::new("SHARE", "share", |one, _| format!("{:.1}%", one.share * 100.0)),
        Column::new("NAME", "name", |one: &TargetView, _| or_dash(&one.name)).wide(),
        Column::new("BACKUP", "backup", |one: &TargetView, _| yes(one.backup)).wide(),
        Column::new("DRAINED", "drain.at", |one: &TargetView, times| match &one.drain {
            Some(drain) => times.moment(drain.at * 1000),
            None if one.drained => "yes".to_owned(),
            None => "-".to_owned(),
        })
        .wide(),
        Column::new("TAGS", "tags", |one: &TargetView, _| tags(&one.tags)).wide(),
        Column::new("REASON", "reason", |one, _| or_dash(&one.reason)),
        Column::new("DETAIL", "detail", |one, _| detail(one)),
    ],
    fields: &[
        "group",
        "address",
        "port",
        "name",
        "weight",
        "backup",
        "state",
        "share",
        "reason",
        "detail",
        "drained",
        "leaving",
        "keeps_flows_for",
        "drain.who",
        "drain.reason",
        "drain.at",
        "id",
        "proxied",
        "tags",
    ],
    name: |one| Some(format!("target/{}/{}", one.group, socket(one.address, one.port))),
    nothing: "no targets",
};

/// `env=prod,rack=12`, as a selector has it.
pub(in crate::cli) fn tags(tags: &Tags) -> String {
    let pairs: Vec<String> = tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
    or_dash(&pairs.join(","))
}

fn yes(holds: bool) -> String {
    if holds { "yes" } else { "-" }.to_owned()
}

/// A group that the proxy reaches has no ring.
fn ring(group: &TargetGroupView) -> String {
    if group.forwarding.is_empty() && group.ring_slots == 0 {
        "-".to_owned()
    } else {
        format!("{} slots", group.ring_slots)
    }
}

/// The detail of a target; of one that comes from a name, also that; of one that drains, also how long it keeps its flows, who drained it and why.
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
    let name = Some(format!("of {}", target.name)).filter(|_| !target.name.is_empty());
    let parts: Vec<String> = name.into_iter().chain(left).chain(by).chain(detail).collect();
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use lb_agent::{DrainView, PortView};
    use serde::Serialize;
    use serde_json::Value;

    use super::{super::super::list::tests::table, *};

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
            table(&TARGETS, vec![healthy, unhealthy]),
            "GROUP  TARGET             WEIGHT  STATE       SHARE  REASON          DETAIL\n\
             web    10.0.1.11:80          100  healthy    100.0%  -\n\
             web    [2001:db8::12]:80     100  unhealthy    0.0%  Target.Timeout  no answer within 2s\n"
        );
        assert_eq!(table(&TARGETS, vec![]), "no targets\n");
    }

    #[test]
    fn what_is_left_of_a_drain_is_shown() {
        let target = TargetView {
            detail: "unhealthy: late".to_owned(),
            keeps_flows_for: Some(250),
            drain: Some(DrainView { who: "ann".to_owned(), reason: "disk".to_owned(), at: 7 }),
            ..TargetView::default()
        };
        assert_eq!(detail(&target), "4m 10s left, by ann: disk, unhealthy: late");
        assert_eq!(detail(&TargetView::default()), "");
        let named = TargetView { name: "a.example.org".to_owned(), ..target };
        assert!(detail(&named).starts_with("of a.example.org, 4m 10s left"));
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
            ..ListenerView::default()
        };
        let range = ListenerView {
            address: "203.0.113.0/28".to_owned(),
            port: PortView::Several("8000-8099".to_owned()),
            ..exact.clone()
        };
        let all = ListenerView { port: PortView::Several("all".to_owned()), ..range.clone() };
        assert_eq!(
            table(&LISTENERS, vec![exact, range.clone(), all]),
            "NAME  ADDRESS         PORT       PROTOCOL  TARGET GROUP\n\
             web   203.0.113.10    80         tcp       web\n\
             web   203.0.113.0/28  8000-8099  tcp       web\n\
             web   203.0.113.0/28  all        tcp       web\n"
        );
        let sorry = ListenerView { active_target_group: "sorry".to_owned(), ..range.clone() };
        assert!(table(&LISTENERS, vec![sorry]).contains("  sorry (sorry group of web)\n"));
        // A prefix is not a number, though it begins and ends like one.
        assert_eq!(
            table(&LISTENERS, vec![range]),
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
        let text = table(&GROUPS, vec![group]);
        assert!(
            text.contains("FAIL OPEN: fewer than 2 healthy (minimum_healthy_targets)"),
            "{text}"
        );
    }

    /// Every declared field is one of the JSON, and the other way round.
    fn check_fields<T: Serialize>(listing: &Listing<T>, whole: &T) {
        let value = serde_json::to_value(whole).unwrap();
        let mut expected = Vec::new();
        for (name, value) in value.as_object().unwrap() {
            match value {
                Value::Object(inner) if !inner.is_empty() => {
                    expected.extend(inner.keys().map(|key| format!("{name}.{key}")));
                }
                _ => expected.push(name.clone()),
            }
        }
        expected.sort();
        let mut fields = listing.fields.to_vec();
        fields.sort_unstable();
        assert_eq!(fields, expected);
        for column in listing.columns {
            assert!(fields.contains(&column.field()), "{}", column.field());
        }
    }

    #[test]
    fn fields_are_those_of_the_json() {
        let target = TargetView {
            keeps_flows_for: Some(1),
            drain: Some(DrainView::default()),
            name: "order.example.org".into(),
            ..TargetView::default()
        };
        check_fields(&TARGETS, &target);
        check_fields(&GROUPS, &TargetGroupView::default());
        check_fields(&LISTENERS, &ListenerView::default());
        check_fields(&PROXIES, &ProxyView::default());
        let (who, what, message) = (String::new(), String::new(), String::new());
        check_fields(&REVISIONS, &RevisionHead { number: 1, written_at: 2, who, what, message });
    }
}
