//! ARP and neighbour discovery for the VIP on the link (l2dsr): only the balancer may answer.

use super::TargetFacts;
use crate::{Finding, sysctl};

pub(super) fn check(facts: &TargetFacts) -> Vec<Finding> {
    let interface = &facts.interface.name;
    let on_link: Vec<_> = facts
        .addresses
        .iter()
        .filter(|local| facts.vips.contains(&local.address) && !local.loopback)
        .collect();
    let mut findings = Vec::new();
    if let Some(local) = on_link.iter().find(|local| local.address.is_ipv6()) {
        // Neighbour discovery answers for the addresses of the asked interface only.
        findings.push(Finding::error(
            "neighbour_discovery",
            local.address.to_string(),
            format!("it is on {}: this host answers neighbour discovery for it", local.interface),
            format!(
                "ip -6 address delete {0}/128 dev {1}, then ip -6 address add {0}/128 dev lo nodad",
                local.address, local.interface
            ),
        ));
    }
    if !facts.vips.iter().any(std::net::IpAddr::is_ipv4) {
        return findings;
    }
    let ignore = facts.arp_ignore.effective();
    let vip_on_link = on_link.iter().find(|local| local.address.is_ipv4());
    findings.push(match (ignore, vip_on_link) {
        (8, _) | (1 | 2, None) => {
            Finding::ok("arp_ignore", interface, "ARP requests for the VIP are not answered")
        }
        (_, Some(local)) => Finding::error(
            "arp_ignore",
            interface,
            format!(
                "{} is on {}, not on lo: this host answers ARP for it and takes the balancer's \
                 packets",
                local.address, local.interface
            ),
            format!(
                "ip address delete {0}/32 dev {1}, then ip address add {0}/32 dev lo",
                local.address, local.interface
            ),
        ),
        (value, None) => Finding::error(
            "arp_ignore",
            interface,
            format!(
                "it is {value} (the larger of all and {interface}): this host answers ARP for the \
                 VIP and takes the balancer's packets"
            ),
            sysctl::command(interface, "arp_ignore", 1),
        ),
    });
    let announce = facts.arp_announce.effective();
    findings.push(if announce == 2 {
        Finding::ok("arp_announce", interface, "ARP requests do not have the VIP as source")
    } else {
        Finding::error(
            "arp_announce",
            interface,
            format!(
                "it is {announce} (the larger of all and {interface}): answers to clients make \
                 this host send ARP requests with the VIP as source, and then hosts send packets \
                 for the VIP here instead of to the balancer"
            ),
            sysctl::command(interface, "arp_announce", 2),
        )
    });
    findings
}

#[cfg(test)]
mod tests {
    use super::super::sound::found;
    use crate::{
        Forwarding::L2dsr,
        Setting,
        Severity::{Error, Ok},
    };

    #[test]
    fn only_the_balancer_answers_arp() {
        for (all, own, severity) in
            [(0, 0, Error), (0, 1, Ok), (2, 0, Ok), (8, 1, Ok), (3, 0, Error)]
        {
            let finding =
                found("arp_ignore", L2dsr, |facts| facts.arp_ignore = Setting { all, own });
            assert_eq!(finding.severity, severity, "{all} {own}: {finding:?}");
        }
        let finding = found("arp_ignore", L2dsr, |facts| facts.arp_ignore = Setting::default());
        assert_eq!(finding.remedy.unwrap(), "sysctl -w net.ipv4.conf.eth0.arp_ignore=1");
    }

    #[test]
    fn a_vip_on_the_link_is_answered_for() {
        let v4 = found("arp_ignore", L2dsr, |facts| {
            facts.addresses[0].loopback = false;
            "eth0".clone_into(&mut facts.addresses[0].interface);
        });
        assert_eq!(v4.severity, Error);
        assert!(v4.remedy.unwrap().contains("dev lo"));
        let v6 = found("neighbour_discovery", L2dsr, |facts| {
            facts.addresses[1].loopback = false;
            "eth0".clone_into(&mut facts.addresses[1].interface);
        });
        assert_eq!(v6.severity, Error);
    }

    #[test]
    fn arp_announce_must_hide_the_vip() {
        for (all, own, severity) in [(0, 0, Error), (1, 0, Error), (0, 2, Ok)] {
            let finding =
                found("arp_announce", L2dsr, |facts| facts.arp_announce = Setting { all, own });
            assert_eq!(finding.severity, severity, "{finding:?}");
        }
    }
}
