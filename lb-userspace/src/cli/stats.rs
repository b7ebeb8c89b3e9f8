//! `xelb stats`.

use clap::Args;
use lb_api::StatsView;
use lb_config::plural::ago;

use super::{
    Socket,
    color::Color,
    output::Format,
    table::{Cell, Look, Table, bytes, socket},
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
    color: Color,
    #[command(flatten)]
    socket: Socket,
}

impl Stats {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let stats = self.socket.client()?.stats().await?;
        let look = self.color.look();
        self.format.print_page(&stats, |stats| render(stats, self.all, look))
    }
}

pub(super) fn render(stats: &StatsView, all: bool, look: Look) -> String {
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
    let mut drops = Table::new(&["DROPPED FOR", "PACKETS", "LAST", "WHAT IT MEANS"]);
    for one in stats.drops.iter().filter(|one| all || one.packets > 0) {
        let last = match one.last_seconds_ago {
            Some(seconds) => ago(seconds),
            None if one.packets == 0 => "-".to_owned(),
            None => "before the agent started".to_owned(),
        };
        let style = (one.packets > 0).then(|| anstyle::AnsiColor::Yellow.on_default());
        drops.row([
            Cell { text: one.reason.clone(), style },
            Cell { text: one.packets.to_string(), style },
            last.into(),
            one.help.clone().into(),
        ]);
    }
    let mut others = Table::new(&["COUNTER", "VALUE", "WHAT IT MEANS"]);
    for one in stats.counters.iter().filter(|one| all || one.value > 0) {
        others.row([one.name.clone(), one.value.to_string(), one.help.clone()]);
    }
    let (flows, most) = (stats.remembered_flows, stats.remembered_flows_max);
    let (translated, bindings) = (stats.translated_flows, stats.translated_flows_max);
    [
        listeners.shown(look, "no listeners"),
        targets.shown(look, "no targets"),
        drops.shown(look, "no packet was dropped"),
        others.shown(look, "no other counter is above zero"),
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
                last_seconds_ago: None,
                help: "none may take traffic".to_owned(),
            }],
            ..StatsView::default()
        };
        assert_eq!(
            render(&stats, false, Look::default()),
            "LISTENER  PACKETS   BYTES\nweb            12  3.4 kB\n\nno targets\n\n\
             no packet was dropped\n\nno other counter is above zero\n\n\
             0 of at most 0 flows are remembered now\n\
             0 of at most 0 flows of modes nat and fullnat have a binding now\n"
        );
        let all = render(&stats, true, Look::default());
        assert!(all.contains("no_target          0  -     none may take traffic"), "{all}");
    }

    #[test]
    fn drops_have_ages() {
        let drop = |reason: &str, last_seconds_ago| DropView {
            reason: reason.to_owned(),
            packets: 7,
            last_seconds_ago,
            help: "why".to_owned(),
        };
        let drops = vec![drop("no_target", Some(300)), drop("ring_missing", None)];
        let text = render(&StatsView { drops, ..StatsView::default() }, false, Look::default());
        assert!(text.contains("no_target           7  5 min ago                 why\n"), "{text}");
        assert!(text.contains("ring_missing        7  before the agent started  why\n"), "{text}");
    }
}
