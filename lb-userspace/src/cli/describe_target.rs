//! PURE: the page about one target.

use std::time::Duration;

use lb_agent::{CheckView, ListenerView, NextHopView, TargetDescription};

use super::{
    get::tables::tags,
    list::state_style,
    page::Page,
    relative_time::{ago, duration, moment},
    table::{Cell, Look, Table, or_dash, socket},
    traffic::Traffic,
};

pub(super) fn render(
    description: &TargetDescription,
    traffic: Option<&Traffic>,
    now_ms: u64,
    look: Look,
) -> String {
    let TargetDescription { target, since_ms, listeners, health_check, next_hop, .. } = description;
    let mut page = Page::new(look);
    page.line("target", &format!("{}/{}", target.group, socket(target.address, target.port)));
    if !target.name.is_empty() {
        page.line("name", &format!("an address of {}", target.name));
    }
    let since = since_ms.map_or_else(
        || "since before the agent started".to_owned(),
        |at| format!("since {} ({})", moment(at), ago(at, now_ms)),
    );
    page.state("state", &format!("{}, {since}", target.state), state_style(&target.state));
    if !target.reason.is_empty() {
        page.line("reason", &target.reason);
    }
    if !target.detail.is_empty() {
        page.line("detail", &target.detail);
    }
    if target.drained {
        page.line("drained", &drained(description, now_ms));
    }
    if target.leaving {
        page.line("leaving", "it has left the configuration and finishes its flows");
    }
    if let Some(seconds) = target.keeps_flows_for {
        let left = duration(Duration::from_secs(seconds.into()));
        page.line("keeps flows", &format!("for {left}, and takes no new ones"));
    }
    let share = target.share * 100.0;
    let is_open = target.state == "unhealthy" && target.share > 0.0;
    let open = if is_open { " (FAIL OPEN: too few targets are healthy)" } else { "" };
    page.line("weight", &format!("{}, {share:.1}% of new flows{open}", target.weight));
    if !target.tags.is_empty() {
        page.line("tags", &tags(&target.tags));
    }
    for ListenerView { name, address, port, protocol, .. } in listeners {
        page.line("listener", &format!("{name}: {protocol} {address} port {port}"));
    }
    if let Some(traffic) = traffic {
        page.line("traffic", &traffic.to_string());
    }
    if let Some(check) = health_check {
        check_lines(&mut page, check);
    }
    match next_hop {
        Some(NextHopView { interface, vlan, mac, mtu, on_link }) => {
            let tag = if *vlan == 0 { String::new() } else { format!(", VLAN {vlan}") };
            let way = if *on_link { "on the link" } else { "by a router" };
            page.line("next hop", &format!("interface {interface}{tag}, MAC {mac}, {way}"));
            page.line("MTU", &mtu.to_string());
        }
        None if target.proxied => {
            page.line("next hop", "of this host: xelb proxy reaches the target");
        }
        None => page.line("next hop", &format!("not known: {}", description.next_hop_problem)),
    }
    page.table("last probes", &probes(description), "none yet");
    page.table("history", &history(description, now_ms), "none since the agent started");
    page.text()
}

fn drained(description: &TargetDescription, now_ms: u64) -> String {
    let Some(drain) = &description.target.drain else {
        return "by `xelb target drain`; who and when is not known".to_owned();
    };
    let why = if drain.reason.is_empty() { String::new() } else { format!(": {}", drain.reason) };
    format!("by {}, {}{why}", drain.who, ago(drain.at * 1000, now_ms))
}

fn check_lines(page: &mut Page, check: &CheckView) {
    let CheckView { asks, port, healthy_threshold, unhealthy_threshold, .. } = check;
    let via = if check.via == "tunnel" { " through the tunnel" } else { "" };
    page.line("check", &format!("{asks}; port {port}{via}"));
    let time = |milliseconds| duration(Duration::from_millis(milliseconds));
    let (interval, timeout) = (time(check.interval_ms), time(check.timeout_ms));
    page.line(
        "thresholds",
        &format!(
            "every {interval}, timeout {timeout}; healthy after {healthy_threshold}, unhealthy \
             after {unhealthy_threshold} in a row"
        ),
    );
}

fn probes(description: &TargetDescription) -> Table {
    let mut table = Table::new(&["WHEN", "TOOK", "OUTCOME", "REASON", "DETAIL"]);
    for probe in &description.probes {
        table.row([
            format!("{} ago", duration(Duration::from_millis(probe.ago_ms))),
            took(probe.took_us),
            probe.outcome.clone(),
            or_dash(&probe.reason),
            probe.detail.clone(),
        ]);
    }
    table
}

/// `0.4 ms` or `12 ms`.
fn took(microseconds: u64) -> String {
    if microseconds < 10_000 {
        return format!("{}.{} ms", microseconds / 1000, microseconds % 1000 / 100);
    }
    format!("{} ms", microseconds / 1000)
}

fn history(description: &TargetDescription, now_ms: u64) -> Table {
    let mut table = Table::new(&["WHEN", "FROM", "TO", "REASON", "DETAIL", "WHO", "MESSAGE"]);
    for event in &description.history {
        let state = |text: &str, none: &str| if text.is_empty() { none } else { text }.to_owned();
        table.row([
            ago(event.at_ms, now_ms).into(),
            state(&event.from, "new").into(),
            Cell { text: state(&event.to, "gone"), style: state_style(&event.to) },
            or_dash(&event.reason).into(),
            or_dash(&event.detail).into(),
            or_dash(&event.who).into(),
            event.message.clone().into(),
        ]);
    }
    table
}

#[cfg(test)]
pub(super) mod tests {
    use lb_agent::{DrainView, Event, ProbeView, TargetView};

    use super::*;

    pub(in crate::cli) fn described() -> TargetDescription {
        TargetDescription {
            target: TargetView {
                tags: [("rack".to_owned(), "12".to_owned()), ("env".to_owned(), "prod".to_owned())]
                    .into(),
                group: "web".to_owned(),
                address: Some([10, 0, 1, 11].into()),
                port: 80,
                weight: 100,
                state: "draining".to_owned(),
                reason: "Target.DeregistrationInProgress".to_owned(),
                drained: true,
                drain: Some(DrainView {
                    who: "ann".to_owned(),
                    reason: "disk\nfull".to_owned(),
                    at: 1_795_452_400,
                }),
                keeps_flows_for: Some(250),
                ..TargetView::default()
            },
            since_ms: Some(1_795_452_400_500),
            listeners: vec![ListenerView {
                name: "web".to_owned(),
                address: "203.0.113.10".to_owned(),
                protocol: "tcp".to_owned(),
                ..ListenerView::default()
            }],
            health_check: Some(CheckView {
                asks: "http: GET /healthz, expects status 200-399".to_owned(),
                port: 80,
                via: "tunnel".to_owned(),
                interval_ms: 5000,
                timeout_ms: 2000,
                healthy_threshold: 3,
                unhealthy_threshold: 2,
            }),
            probes: vec![ProbeView {
                ago_ms: 1200,
                took_us: 450,
                outcome: "success".to_owned(),
                ..ProbeView::default()
            }],
            next_hop: Some(NextHopView {
                interface: "eth0".to_owned(),
                vlan: 7,
                mac: "02:00:00:00:00:0b".to_owned(),
                mtu: 1500,
                on_link: true,
            }),
            next_hop_problem: String::new(),
            history: vec![Event {
                at_ms: 1_795_452_400_500,
                from: "healthy".to_owned(),
                to: "draining".to_owned(),
                who: "ann".to_owned(),
                message: "disk".to_owned(),
                ..Event::default()
            }],
        }
    }

    #[test]
    fn a_target_is_on_one_page() {
        let traffic = Traffic::between((0, 0), (10, 1000), Duration::from_secs(1));
        let page = render(&described(), Some(&traffic), 1_795_452_460_500, Look::default());
        let expected = "\
target          web/10.0.1.11:80
state           draining, since 2026-11-23T16:46:40Z (1m ago)
reason          Target.DeregistrationInProgress
drained         by ann, 1m ago: disk\\u000afull
keeps flows     for 4m 10s, and takes no new ones
weight          100, 0.0% of new flows
tags            env=prod,rack=12
listener        web: tcp 203.0.113.10 port 0
traffic         10 packets/s, 1.0 kB/s; 10 packets, 1.0 kB in all
check           http: GET /healthz, expects status 200-399; port 80 through the tunnel
thresholds      every 5s, timeout 2s; healthy after 3, unhealthy after 2 in a row
next hop        interface eth0, VLAN 7, MAC 02:00:00:00:00:0b, on the link
MTU             1500
last probes
  WHEN    TOOK    OUTCOME  REASON  DETAIL
  1s ago  0.4 ms  success  -
history
  WHEN    FROM     TO        REASON  DETAIL  WHO  MESSAGE
  1m ago  healthy  draining  -       -       ann  disk
";
        assert_eq!(page, expected);
    }

    #[test]
    fn what_is_not_known_is_said() {
        let nothing = TargetDescription {
            next_hop_problem: "no route to 10.0.1.11".to_owned(),
            target: TargetView {
                drained: true,
                state: "unhealthy".to_owned(),
                share: 0.5,
                ..TargetView::default()
            },
            ..TargetDescription::default()
        };
        let page = render(&nothing, None, 0, Look::default());
        for part in [
            "since before the agent started",
            "drained         by `xelb target drain`; who and when is not known",
            "50.0% of new flows (FAIL OPEN: too few targets are healthy)",
            "next hop        not known: no route to 10.0.1.11",
            "last probes\n  none yet\n",
            "history\n  none since the agent started\n",
        ] {
            assert!(page.contains(part), "{part}: {page}");
        }
    }
}
