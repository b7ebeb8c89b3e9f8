//! `xelb get`.

use clap::{Args, ValueEnum};

use super::{
    Socket,
    output::Format,
    table::{Table, or_dash, socket},
};
use crate::agent::{ListenerView, TargetGroupView, TargetView};

/// Show listeners, target groups or targets
///
/// Example: xelb get targets
///
/// Example: xelb get targets -o json
#[derive(Debug, Args)]
pub(super) struct Get {
    /// What to show
    #[arg(value_enum)]
    what: What,
    #[command(flatten)]
    format: Format,
    #[command(flatten)]
    socket: Socket,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum What {
    Listeners,
    TargetGroups,
    Targets,
}

impl Get {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let snapshot = self.socket.client().status().await?;
        match self.what {
            What::Listeners => self.format.print(&snapshot.listeners, |all| listeners(all)),
            What::TargetGroups => self.format.print(&snapshot.target_groups, |all| groups(all)),
            What::Targets => self.format.print(&snapshot.targets, |all| targets(all)),
        }
    }
}

fn listeners(all: &[ListenerView]) -> String {
    let mut table = Table::new(&["NAME", "ADDRESS", "PROTOCOL", "TARGET GROUP"]);
    for listener in all {
        table.row([
            listener.name.clone(),
            socket(listener.address, listener.port),
            listener.protocol.clone(),
            listener.target_group.clone(),
        ]);
    }
    table.render("no listeners")
}

fn groups(all: &[TargetGroupView]) -> String {
    let mut table = Table::new(&["NAME", "PROTOCOL", "FORWARDING", "HEALTHY", "RING", "NOTE"]);
    for group in all {
        let note = if group.fail_open { "FAIL OPEN: no healthy target, all are used" } else { "" };
        table.row([
            group.name.clone(),
            group.protocol.clone(),
            group.forwarding.clone(),
            format!("{} of {}", group.healthy, group.targets),
            format!("{} slots", group.ring_slots),
            note.to_owned(),
        ]);
    }
    table.render("no target groups")
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
    use super::*;

    #[test]
    fn targets_are_shown_with_what_is_wrong() {
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
    fn fail_open_is_loud() {
        let group = TargetGroupView {
            name: "web".to_owned(),
            targets: 3,
            fail_open: true,
            ..TargetGroupView::default()
        };
        assert!(groups(&[group]).contains("FAIL OPEN: no healthy target, all are used"));
    }
}
