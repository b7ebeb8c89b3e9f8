//! `xelb get`.

use std::time::{Duration, UNIX_EPOCH};

use clap::{Args, ValueEnum};
use lb_agent::{ListenerView, ProxyView, Snapshot, TargetGroupView, TargetView};
use lb_api::{Client, ClientError};
use lb_config::Document;
use lb_store::RevisionHead;

use super::{
    Socket, diff,
    output::{self, Format},
    rules, scale,
    table::{Table, or_dash, socket},
};

/// Revisions that are listed; the API gives all.
const REVISIONS_SHOWN: usize = 1000;

/// Show listeners, rules, target groups, targets, members of scaled groups, proxies, or the configuration
/// and its history
///
/// Example: xelb get targets
///
/// Example: xelb get targets web --state unhealthy
///
/// Example: xelb get targets --watch
///
/// Example: xelb get activities web
///
/// Example: xelb get config -o yaml > xelb.yaml
///
/// Example: xelb get targets -o json
#[derive(Debug, Args)]
pub(super) struct Get {
    /// What to show; short names are `lb`, `tg` and `t`, and the singular is understood
    #[arg(value_enum)]
    what: What,
    /// Only the listeners or rules of this target group, the group itself, or its targets
    #[arg(value_name = "GROUP")]
    group: Option<String>,
    /// Only targets in this state
    #[arg(long, value_name = "STATE",
        value_parser = ["initial", "healthy", "unhealthy", "draining", "unused"])]
    state: Option<String>,
    /// Continue, and print it again after each change, until interrupted
    #[arg(long, short)]
    watch: bool,
    #[command(flatten)]
    format: Format,
    #[command(flatten)]
    socket: Socket,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum What {
    #[value(aliases = ["listener", "lb", "l"])]
    Listeners,
    #[value(aliases = ["target-group", "groups", "group", "tg"])]
    TargetGroups,
    #[value(aliases = ["target", "t"])]
    Targets,
    #[value(aliases = ["member", "m"])]
    Members,
    #[value(aliases = ["activity"])]
    Activities,
    /// Rules of the listeners of http and https
    #[value(aliases = ["rule"])]
    Rules,
    /// Processes of `xelb proxy`, and what they serve
    #[value(aliases = ["proxy"])]
    Proxies,
    #[value(aliases = ["revision", "rev"])]
    Revisions,
    #[value(aliases = ["configuration"])]
    Config,
}

impl Get {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        self.check()?;
        let client = self.socket.client();
        let mut shown = self.text(&client).await?;
        output::print(&shown)?;
        if !self.watch {
            return Ok(());
        }
        loop {
            // Whatever comes may have changed it; the stream ends when the agent does.
            let mut changes = client.watch().await?;
            while changes.next().await? {
                let text = self.text(&client).await?;
                if text != shown {
                    output::print(&format!("{}{text}", self.format.separator()))?;
                    shown = text;
                }
            }
        }
    }

    async fn text(&self, client: &Client) -> anyhow::Result<String> {
        let format = &self.format;
        match self.what {
            What::Revisions => {
                let page = client.revisions(None, REVISIONS_SHOWN).await?;
                format.text(&page.revisions, |all| revisions(all))
            }
            What::Config => {
                let document = client.configuration().await?.document;
                format.text(&document, |document| {
                    diff::lines(&Document::default().differences(document), "")
                })
            }
            What::Rules => {
                let document = client.configuration().await?.document;
                let mut all = rules::of(&document)?;
                all.retain(|rule| self.group.as_ref().is_none_or(|group| rule.uses(group)));
                format.text(&all, |all| rules::table(all))
            }
            What::Proxies => {
                let all = client.status().await?.proxies;
                format.text(&all, |all| proxies(all))
            }
            What::Listeners => {
                let mut all = self.status(client).await?.listeners;
                all.retain(|listener| self.is_wanted(&listener.target_group));
                format.text(&all, |all| listeners(all))
            }
            What::TargetGroups => {
                let mut all = self.status(client).await?.target_groups;
                all.retain(|group| self.is_wanted(&group.name));
                format.text(&all, |all| groups(all))
            }
            What::Members => {
                let mut all = self.status(client).await?.members;
                all.retain(|member| self.is_wanted(&member.group));
                format.text(&all, |all| scale::members(all))
            }
            What::Activities => {
                let scaled = self.status(client).await?.scaled_groups;
                let mut all = Vec::new();
                for group in scaled.iter().filter(|group| self.is_wanted(&group.name)) {
                    all.extend(client.scaling(&group.name).await?.activities);
                }
                all.sort_by(|one, other| other.start.cmp(&one.start));
                format.text(&all, |all| scale::activities(all))
            }
            What::Targets => {
                let mut all = self.status(client).await?.targets;
                let in_state = |target: &TargetView| {
                    self.state.as_ref().is_none_or(|state| *state == target.state)
                };
                all.retain(|target| self.is_wanted(&target.group) && in_state(target));
                format.text(&all, |all| targets(all))
            }
        }
    }

    /// Refuses filters that do not fit.
    fn check(&self) -> Result<(), ClientError> {
        let wrong = match self.what {
            What::Revisions | What::Config | What::Proxies if self.group.is_some() => {
                "revisions, proxies and the configuration are of no target group: leave GROUP out"
            }
            What::Targets => return Ok(()),
            _ if self.state.is_some() => "only targets have a state: leave --state out",
            _ => return Ok(()),
        };
        Err(ClientError::Invalid(wrong.to_owned()))
    }

    /// The present state, which has the wanted group. A group that is gone may still have targets that
    /// drain.
    async fn status(&self, client: &Client) -> Result<Snapshot, ClientError> {
        let status = client.status().await?;
        let is_there = status.target_groups.iter().any(|group| self.is_wanted(&group.name))
            || status.targets.iter().any(|target| self.is_wanted(&target.group));
        match &self.group {
            Some(name) if !is_there => Err(ClientError::Invalid(format!(
                "there is no target group {name}; `xelb get target-groups` lists all"
            ))),
            _ => Ok(status),
        }
    }

    fn is_wanted(&self, group: &str) -> bool {
        self.group.as_ref().is_none_or(|wanted| wanted == group)
    }
}

fn revisions(all: &[RevisionHead]) -> String {
    let mut table = Table::new(&["REVISION", "WRITTEN", "WHO", "WHAT"]);
    for head in all {
        let written = UNIX_EPOCH + Duration::from_secs(head.written_at);
        table.row([
            head.number.to_string(),
            humantime::format_rfc3339_seconds(written).to_string(),
            head.who.clone(),
            head.what.clone(),
        ]);
    }
    table.render("no revisions: nothing has been applied yet")
}

fn listeners(all: &[ListenerView]) -> String {
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

fn proxies(all: &[ProxyView]) -> String {
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

fn groups(all: &[TargetGroupView]) -> String {
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

fn targets(all: &[TargetView]) -> String {
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
            target.detail.clone(),
        ]);
    }
    table.render("no targets")
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
