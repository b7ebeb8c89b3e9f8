//! Reverse path filtering where clients' packets come in: strict, it drops those whose answers
//! would leave by another interface.

use super::{TargetFacts, decapsulator};
use crate::{Finding, Setting, sysctl};

const CHECK: &str = "rp_filter";
const STRICT: u32 = 1;

/// IPv6 has no such filter.
pub(super) fn check(facts: &TargetFacts) -> Vec<Finding> {
    if !facts.vips.iter().any(std::net::IpAddr::is_ipv4) {
        return Vec::new();
    }
    if facts.forwarding.is_tunnel() && !decapsulator::is_attached(facts) {
        let devices: Vec<Finding> = decapsulator::tunnels(facts)
            .map(|tunnel| arrival(&tunnel.name, tunnel.rp_filter, facts))
            .collect();
        if !devices.is_empty() {
            return devices;
        }
    }
    vec![arrival(&facts.interface.name, facts.interface.rp_filter, facts)]
}

/// The reverse path check of an interface.
fn arrival(name: &str, filter: Setting, facts: &TargetFacts) -> Finding {
    if filter.effective() != STRICT {
        return Finding::ok(CHECK, name, "not strict where clients' packets come in");
    }
    let remedy = sysctl::command(name, CHECK, 2);
    let strict = format!("strict (the larger of all, {}, and {name}, {})", filter.all, filter.own);
    match facts.route(false) {
        Some(route) if route.interface == name => Finding::warning(
            CHECK,
            name,
            format!(
                "{strict}: clients' packets come in here and are dropped if the answer to a client \
                 leaves by another interface; the default route leaves here, other routes may not"
            ),
            remedy,
        ),
        route => Finding::error(
            CHECK,
            name,
            format!(
                "{strict}: clients' packets come in here and their answers leave by {}, so the \
                 kernel silently drops the packets",
                route.map_or("no interface", |route| route.interface.as_str())
            ),
            remedy,
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{TunnelDevice, sound::all_found, sound::found},
        *,
    };
    use crate::{
        Forwarding,
        Severity::{Error, Ok, Warning},
    };

    #[test]
    fn strict_is_an_error_if_answers_leave_elsewhere() {
        for (all, own, route, severity) in
            [(0, 0, "eth0", Ok), (2, 1, "eth1", Ok), (1, 0, "eth0", Warning), (0, 1, "eth1", Error)]
        {
            for mode in [Forwarding::Ipip, Forwarding::L2dsr, Forwarding::Nat] {
                let finding = found(CHECK, mode, |facts| {
                    facts.interface.rp_filter = Setting { all, own };
                    route.clone_into(&mut facts.routes[0].interface);
                });
                assert_eq!(finding.severity, severity, "{mode}: {finding:?}");
                if severity != Ok {
                    let remedy = "sysctl -w net.ipv4.conf.eth0.rp_filter=2";
                    assert_eq!(finding.remedy.as_deref(), Some(remedy));
                }
            }
        }
    }

    #[test]
    fn tunnel_devices_are_where_packets_come_in() {
        let strict = Setting { all: 1, own: 1 };
        let findings = all_found(CHECK, Forwarding::Ipip, |facts| {
            facts.interface.xdp = None;
            facts.tunnels = vec![TunnelDevice {
                name: "tunl0".to_owned(),
                kind: "ipip".to_owned(),
                up: true,
                rp_filter: strict,
            }];
        });
        assert_eq!(findings.len(), 1);
        assert_eq!((findings[0].severity, findings[0].subject.as_str()), (Error, "tunl0"));
    }

    #[test]
    fn without_ipv4_there_is_no_filter() {
        let mut facts = super::super::sound::facts(Forwarding::Ipip);
        facts.vips.remove(0);
        assert!(check(&facts).is_empty());
    }
}
