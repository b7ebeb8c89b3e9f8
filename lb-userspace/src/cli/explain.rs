//! `xelb explain`.

use std::net::SocketAddr;

use clap::{Args, Subcommand};
use lb_api::ExplainView;
use lb_config::Protocol;

use super::{
    Socket, explain_config::ExplainConfig, explain_http::ExplainHttp, output::Format,
    part_change::wrong,
};

/// Show what becomes of a packet or of a request, and why; or explain a key of the configuration
///
/// It runs a second instance of the program on the live maps. This instance writes no maps: no
/// counter changes, and no flow is remembered. The output has the listener, the slot and the
/// target, or the reason why there is none, and the headers of the forwarded packet.
///
/// Example: xelb explain --from 198.51.100.7:40000 --to 203.0.113.10:80
///
/// Example: xelb explain --from [2001:db8::7]:40000 --to [2001:db8:10::10]:53 --protocol udp
///
/// Example: xelb explain http GET https://shop.example/order/7
///
/// Example: xelb explain config slow_start
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(super) struct Explain {
    #[command(subcommand)]
    what: Option<What>,
    /// Source of the packet
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = parse_end, required = true)]
    from: Option<SocketAddr>,
    /// Destination of the packet
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = parse_end, required = true)]
    to: Option<SocketAddr>,
    /// `tcp` (a SYN), `udp` or `quic` (an Initial)
    #[arg(long, value_name = "PROTOCOL", default_value = "tcp", value_parser = protocol)]
    protocol: Protocol,
    /// Packet of an established flow instead of its first packet
    #[arg(long)]
    established: bool,
    #[command(flatten)]
    format: Format,
    #[command(flatten)]
    socket: Socket,
}

#[derive(Debug, Subcommand)]
enum What {
    Http(Box<ExplainHttp>),
    Config(ExplainConfig),
}

fn protocol(text: &str) -> Result<Protocol, String> {
    match text {
        "tcp" => Ok(Protocol::Tcp),
        "udp" => Ok(Protocol::Udp),
        "quic" => Ok(Protocol::Quic),
        _ => Err("expected tcp, udp or quic".to_owned()),
    }
}

fn parse_end(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        "not ADDRESS:PORT; for example 198.51.100.7:40000 or [2001:db8::7]:40000".to_owned()
    })
}

impl Explain {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let Self { what, from, to, protocol, established, .. } = self;
        match what {
            Some(What::Http(command)) => return command.run().await,
            Some(What::Config(command)) => return command.run(),
            None => {}
        }
        let (Some(from), Some(to)) = (from, to) else {
            return Err(wrong("give --from and --to".to_owned()));
        };
        let view = self.socket.client()?.explain(from, to, protocol, established).await?;
        self.format.print(&view, render)
    }
}

fn render(view: &ExplainView) -> String {
    let mut lines = vec![match (&view.reason, view.detail.as_str()) {
        (Some(reason), detail) => format!("verdict       {}: {reason} ({detail})", view.verdict),
        (None, "") => format!("verdict       {}", view.verdict),
        (None, detail) => format!("verdict       {}: {detail}", view.verdict),
    }];
    let mut add = |name: &str, value: Option<String>| {
        lines.extend(value.map(|value| format!("{name:<13} {value}")));
    };
    add("listener", view.listener.clone());
    add("target group", view.target_group.clone());
    add("slot", view.slot.map(|slot| slot.to_string()));
    add("target", view.target.map(|target| target.to_string()));
    add("flow", view.flow.clone());
    add("binding", view.binding.clone());
    for (number, header) in view.headers.iter().enumerate() {
        add(if number == 0 { "leaves as" } else { "" }, Some(header.clone()));
    }
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn explained_fields_are_shown() {
        let mut view = ExplainView {
            verdict: "forwarded".to_owned(),
            listener: Some("web".to_owned()),
            target_group: Some("web".to_owned()),
            slot: Some(4711),
            target: Some("10.0.0.11:80".parse().unwrap()),
            headers: vec!["Ethernet a -> b".to_owned(), "IPv4 c -> d".to_owned()],
            ..ExplainView::default()
        };
        assert_eq!(
            render(&view),
            "verdict       forwarded\nlistener      web\ntarget group  web\nslot          4711\n\
             target        10.0.0.11:80\nleaves as     Ethernet a -> b\n              IPv4 c -> d\n"
        );
        view.verdict = "dropped".to_owned();
        view.reason = Some("no_target".to_owned());
        view.detail = "none".to_owned();
        assert!(render(&view).starts_with("verdict       dropped: no_target (none)\n"));
    }
}
