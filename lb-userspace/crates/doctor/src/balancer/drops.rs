//! What was dropped: by the device or the kernel before XDP, and by the program itself.

use lb_config::plural::{ago, counted};

use crate::{DropCount, Finding, InterfaceFacts};

/// Reasons that an operator can do something about, and what.
const REMEDIES: &[(&str, &str)] = &[
    (
        "headroom_exhausted",
        "the program needs 40 bytes in front of a packet (20 for an IPv4 outer header, up to 48 \
         with UDP in IPv6): use native mode (`--xdp-mode native`), another driver, or a forwarding \
         mode without an outer header",
    ),
    (
        "next_hop_unresolved",
        "see next_hop above, and DETAIL in `xelb get targets`: the target or its router did not \
         answer ARP or neighbour discovery",
    ),
    (
        "packet_too_big",
        "raise the MTU between balancer and targets by the outer header (20 bytes for IPv4 \
         targets, 40 for IPv6 ones), or announce a smaller MSS on the targets: ip route change \
         default via ROUTER advmss 1400",
    ),
    (
        "hairpin_refused",
        "a target connected to its own listener, and the ring chose the same target: add an \
         address to source_nat, or use fullnat for its group",
    ),
    ("ring_missing", "register targets: `xelb get target-groups` shows the group without targets"),
    (
        "no_target",
        "`xelb get targets` shows why no target takes traffic: they have weight 0, are draining, \
         or wait for their first health check",
    ),
];

/// Packets that never got to the program.
pub(super) fn ring(interface: &InterfaceFacts) -> Finding {
    let InterfaceFacts { name, rx_dropped, rx_missed, .. } = interface;
    if *rx_missed > 0 {
        return Finding::warning(
            "rx_drops",
            name,
            format!(
                "the device dropped {rx_missed} packets since the host started, since its \
                     receive ring was full"
            ),
            format!(
                "check whether the number grows; if so, enlarge the ring (`ethtool -g {name}` \
                 shows the maximum, `ethtool -G {name} rx N` sets it), or use more queues"
            ),
        );
    }
    if *rx_dropped > 0 {
        return Finding::warning(
            "rx_drops",
            name,
            format!("the kernel dropped {rx_dropped} received packets since the interface exists"),
            format!(
                "check whether the number grows; `ethtool -S {name}` may say why. It includes \
                 packets of protocols that this host does not use, which do no harm"
            ),
        );
    }
    Finding::ok("rx_drops", name, "no received packet was dropped before the program")
}

/// Packets that the program dropped.
pub(super) fn data_path(drops: &[DropCount]) -> Vec<Finding> {
    let subject = "data path";
    let mut findings = Vec::new();
    for (reason, remedy) in REMEDIES {
        let Some(drop) = drops.iter().find(|drop| drop.reason == *reason) else { continue };
        if drop.packets > 0 {
            let packets = counted(drop.packets, "packet");
            let last = match drop.last_seconds_ago {
                Some(seconds) => format!("the last {}", ago(seconds)),
                None => "the last before the agent started".to_owned(),
            };
            let message = format!("{packets} dropped since it was loaded, {last}: {}", drop.help);
            findings.push(Finding::warning(reason, subject, message, *remedy));
        }
    }
    if findings.is_empty() {
        let message = "no packet was dropped for a reason that has a remedy";
        findings.push(Finding::ok("drops", subject, message));
    }
    findings
}

#[cfg(test)]
mod tests {
    use lb_common::DropReason;

    use super::{
        super::sound::{agent_of, found},
        *,
    };
    use crate::Severity::Warning;

    #[test]
    fn drops_before_the_program_are_found() {
        let missed = found("rx_drops", |facts| facts.interfaces[0].rx_missed = 7);
        assert!(missed.message.contains("the device dropped 7 packets"), "{missed:?}");
        assert!(missed.remedy.unwrap().contains("ethtool -G eth0"));
        let dropped = found("rx_drops", |facts| facts.interfaces[0].rx_dropped = 3);
        assert_eq!((missed.severity, dropped.severity), (Warning, Warning));
        assert!(dropped.message.contains('3'), "{dropped:?}");
    }

    #[test]
    fn every_drop_reason_with_a_remedy_is_reported() {
        for (reason, remedy) in REMEDIES {
            let finding = found(reason, |facts| {
                agent_of(facts).drops = vec![DropCount {
                    reason: (*reason).to_owned(),
                    packets: 7,
                    last_seconds_ago: Some(300),
                    help: "why".to_owned(),
                }];
            });
            assert_eq!(finding.severity, Warning);
            let says = "7 packets dropped since it was loaded, the last 5 min ago: why";
            assert_eq!(finding.message, says);
            assert_eq!(finding.remedy.as_deref(), Some(*remedy));
        }
    }

    #[test]
    fn remedies_are_for_reasons_that_exist() {
        for (reason, _) in REMEDIES {
            assert!(DropReason::ALL.iter().any(|known| known.name() == *reason), "{reason}");
        }
    }
}
