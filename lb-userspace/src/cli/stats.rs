//! `xelb stats`.

use clap::Args;
use lb_api::StatsView;

use super::{
    Socket,
    output::Format,
    table::{Table, bytes, socket},
};

/// Show traffic of listeners and targets, and why packets were dropped
///
/// Packets and bytes are those of clients that were forwarded. Answers are not counted.
///
/// Example: xelb stats
#[derive(Debug, Args)]
pub(super) struct Stats {
    /// Also show drops and counters that are zero (JSON always has them)
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    format: Format,
    #[command(flatten)]
    socket: Socket,
}

impl Stats {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let stats = self.socket.client().stats().await?;
        self.format.print(&stats, |stats| render(stats, self.all))
    }
}

fn render(stats: &StatsView, all: bool) -> String {
    let mut listeners = Table::new(&["LISTENER", "PACKETS", "BYTES"]);
    for one in &stats.listeners {
        listeners.row([one.name.clone(), one.packets.to_string(), bytes(one.bytes)]);
    }
    let mut targets = Table::new(&["GROUP", "TARGET", "PACKETS", "BYTES"]);
    for one in &stats.targets {
        targets.row([
            one.group.clone(),
            socket(one.address, one.port),
            one.packets.to_string(),
            bytes(one.bytes),
        ]);
    }
    let mut drops = Table::new(&["DROPPED FOR", "PACKETS", "WHAT IT MEANS"]);
    for one in stats.drops.iter().filter(|one| all || one.packets > 0) {
        drops.row([one.reason.clone(), one.packets.to_string(), one.help.clone()]);
    }
    let mut others = Table::new(&["COUNTER", "VALUE", "WHAT IT MEANS"]);
    for one in stats.counters.iter().filter(|one| all || one.value > 0) {
        others.row([one.name.clone(), one.value.to_string(), one.help.clone()]);
    }
    let (flows, most) = (stats.remembered_flows, stats.remembered_flows_max);
    let (translated, bindings) = (stats.translated_flows, stats.translated_flows_max);
    [
        listeners.render("no listeners"),
        targets.render("no targets"),
        drops.render("no packet was dropped"),
        others.render("no other counter is above zero"),
        format!(
            "{flows} of at most {most} flows are remembered now\n{translated} of at most {bindings} \
             flows of modes nat and fullnat have a binding now\n"
        ),
    ]
    .join("\n")
}

#[cfg(test)]
mod tests {
    use lb_api::{DropView, ListenerTraffic};

    use super::*;

    #[test]
    fn zeros_are_shown_on_demand() {
        let stats = StatsView {
            listeners: vec![ListenerTraffic { name: "web".to_owned(), packets: 12, bytes: 3456 }],
            drops: vec![DropView {
                reason: "no_target".to_owned(),
                packets: 0,
                help: "none may take traffic".to_owned(),
            }],
            ..StatsView::default()
        };
        assert_eq!(
            render(&stats, false),
            "LISTENER  PACKETS   BYTES\nweb            12  3.4 kB\n\nno targets\n\n\
             no packet was dropped\n\nno other counter is above zero\n\n\
             0 of at most 0 flows are remembered now\n\
             0 of at most 0 flows of modes nat and fullnat have a binding now\n"
        );
        assert!(render(&stats, true).contains("no_target          0  none may take traffic"));
    }
}
