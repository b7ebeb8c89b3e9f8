//! PURE: listeners whose flows are looked up differently after a change, so that open connections
//! break: a change between modes with and without translation, or between groups with and without
//! stickiness.

use std::{collections::HashMap, net::IpAddr};

use lb_common::Mode;
use lb_config::{Config, Listener, Protocol, Stickiness, TargetGroup, UdpFlows};

/// A listener whose open connections break.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokenListener {
    listener: String,
    cause: String,
    /// The group whose bindings end, if the previous mode had some.
    pub bindings_of: Option<String>,
}

impl BrokenListener {
    /// In words; `connections` is how many have a binding, where that is known.
    #[must_use]
    pub fn text(&self, connections: Option<usize>) -> String {
        let Self { listener, cause, .. } = self;
        let count = match connections {
            Some(1) => "1 connection that has a binding now breaks".to_owned(),
            Some(count) => format!("{count} connections that have a binding now break"),
            None => "open connections break; their number is not known, since these modes keep no \
                     table of connections"
                .to_owned(),
        };
        format!("listener {listener}: {cause}: {count}")
    }
}

/// Listeners whose open connections a change from one configuration to another breaks.
#[must_use]
pub fn broken_listeners(before: &Config, after: &Config) -> Vec<BrokenListener> {
    let place = |one: &Listener| (one.address, one.ports, one.protocol.number());
    let known: HashMap<_, &Listener> =
        before.listeners.iter().map(|one| (place(one), &**one)).collect();
    let [had, has] = [before, after].map(|config| {
        let groups = config.target_groups.iter();
        groups.map(|group| (&*group.name, &**group)).collect::<HashMap<&str, &TargetGroup>>()
    });
    let broken = |listener: &Listener| {
        let previous = known.get(&place(listener))?;
        let before = *had.get(previous.target_group.as_str())?;
        let after = *has.get(listener.target_group.as_str())?;
        broken(listener, before, after)
    };
    after.listeners.iter().filter_map(|listener| broken(listener)).collect()
}

fn broken(
    listener: &Listener,
    before: &TargetGroup,
    after: &TargetGroup,
) -> Option<BrokenListener> {
    let translated =
        [before, after].map(|group| matches!(group.forwarding, Mode::Nat | Mode::Fullnat));
    let broken = |cause, bindings_of| {
        Some(BrokenListener { listener: listener.name.clone(), cause, bindings_of })
    };
    match translated {
        [true, true] => None,
        [from, _] if translated[0] != translated[1] => {
            let cause = format!(
                "`forwarding` goes from {} (target group {}) to {} (target group {}), where \
                 servers see other addresses of clients",
                before.forwarding.name(),
                before.name,
                after.forwarding.name(),
                after.name
            );
            broken(cause, from.then(|| before.name.to_string()))
        }
        _ => {
            let [from, to] = [before, after].map(|group| group.life.stickiness);
            // Datagrams that belong to nothing cannot break.
            let flows =
                listener.protocol != Protocol::Udp || listener.udp_flows == UdpFlows::Tracked;
            if from == to || !flows || same_server(before, after) {
                return None;
            }
            let cause = format!(
                "`stickiness` goes from {} (target group {}) to {} (target group {}), which \
                 chooses another target for most flows",
                stickiness_name(from),
                before.name,
                stickiness_name(to),
                after.name
            );
            broken(cause, None)
        }
    }
}

/// Whether both have one server only, and the same.
fn same_server(before: &TargetGroup, after: &TargetGroup) -> bool {
    let only = |group: &TargetGroup| -> Option<(IpAddr, u16)> {
        match group.targets.as_slice() {
            [target] => Some((target.address, target.port)),
            _ => None,
        }
    };
    only(before).is_some_and(|server| only(after) == Some(server))
}

const fn stickiness_name(stickiness: Stickiness) -> &'static str {
    match stickiness {
        Stickiness::None => "none",
        Stickiness::SourceIp => "source_ip",
    }
}

#[cfg(test)]
mod tests {
    use lb_config::parse;

    use super::*;

    /// A configuration whose listener goes to a group with this mode, stickiness and these targets.
    fn config(group: &str, mode: &str, stickiness: &str, targets: &[u8], protocol: &str) -> Config {
        let targets: Vec<String> =
            targets.iter().map(|one| format!("{{ address: 10.0.1.{one} }}")).collect();
        let text = format!(
            "interfaces: [eth0]\nsource_nat: {{ addresses: [10.0.1.3] }}\ntarget_groups:\n  - {{ name: \
             {group}, protocol: {protocol}, port: 80, forwarding: {mode}, targets: [{}], attributes: {{ \
             stickiness: {stickiness} }} }}\nlisteners:\n  - {{ name: web, address: 203.0.113.1, port: \
             80, protocol: {protocol}, default_action: {{ forward: {{ target_group: {group} }} }} }}\n",
            targets.join(", ")
        );
        parse(&text, "x.yaml").unwrap_or_else(|error| panic!("{error}\n{text}")).1
    }

    fn said(before: &Config, after: &Config) -> Vec<String> {
        let broken = broken_listeners(before, after);
        broken.iter().map(|one| one.text(one.bindings_of.as_ref().map(|_| 12))).collect()
    }

    #[test]
    fn connections_break_if_flows_are_looked_up_differently() {
        let blue = |mode| config("blue", mode, "none", &[1, 2], "tcp");
        let green = |mode| config("green", mode, "none", &[1, 2], "tcp");
        for (from, to, breaks) in [
            ("ipip", "l2dsr", false),
            ("nat", "fullnat", false),
            ("fullnat", "nat", false),
            ("gue", "nat", true),
            ("fullnat", "ipip", true),
        ] {
            assert_eq!(said(&blue(from), &green(to)).len(), usize::from(breaks), "{from} {to}");
            assert_eq!(
                said(&blue(from), &blue(to)).len(),
                usize::from(breaks),
                "{from} {to}, in place"
            );
        }
        assert_eq!(
            said(&blue("ipip"), &green("nat")),
            ["listener web: `forwarding` goes from ipip (target group blue) to nat (target \
                 group green), where servers see other addresses of clients: open connections \
                 break; their number is not known, since these modes keep no table of connections"]
        );
        let back = said(&green("nat"), &blue("ipip"));
        assert!(
            back[0].ends_with("clients: 12 connections that have a binding now break"),
            "{back:?}"
        );
    }

    #[test]
    fn stickiness_finds_other_targets() {
        let of =
            |mode, stickiness, targets: &[u8]| config("blue", mode, stickiness, targets, "tcp");
        let both = &[1, 2];
        let broken = said(&of("ipip", "none", both), &of("ipip", "source_ip", both));
        assert!(
            broken[0].starts_with(
                "listener web: `stickiness` goes from none (target group blue) to source_ip"
            ),
            "{broken:?}"
        );
        for (before, after) in [
            (of("ipip", "source_ip", both), of("ipip", "source_ip", both)),
            // Bindings name their targets.
            (of("nat", "none", both), of("nat", "source_ip", both)),
            (of("ipip", "none", &[1]), of("ipip", "source_ip", &[1])),
        ] {
            assert_eq!(said(&before, &after), [""; 0]);
        }
        assert_eq!(said(&of("ipip", "none", &[1]), &of("ipip", "source_ip", &[2])).len(), 1);
    }
}
