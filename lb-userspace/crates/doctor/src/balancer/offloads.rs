//! Offloads that glue packets together: XDP sees packets as they were on the wire, or not at all.

use lb_agent as agent;

use crate::{Finding, InterfaceFacts};

const RX_VLAN: &str = "rxvlan";

pub(super) fn check(interface: &InterfaceFacts) -> Vec<Finding> {
    let name = &interface.name;
    let mut findings = Vec::new();
    if interface.lro == Some(true) {
        findings.push(Finding::error(
            "lro",
            name,
            "LRO is on: the driver refuses XDP programs, or passes packets to them that are too \
             large",
            format!("ethtool -K {name} lro off"),
        ));
    }
    // virtio_net turns it off by itself while a program is attached, and then refuses the setting
    // (virtnet_xdp_set, virtnet_set_features).
    if interface.gro_hw == Some(true) && interface.driver != "virtio_net" {
        findings.push(Finding::warning(
            "gro_hw",
            name,
            "GRO in hardware is on: many drivers refuse XDP programs with it, and coalesced \
             packets do not fit the MTU towards targets",
            format!("ethtool -K {name} rx-gro-hw off"),
        ));
    }
    if findings.is_empty() {
        findings.push(Finding::ok("lro", name, "LRO and GRO in hardware are off"));
    }
    findings.extend(tags(interface));
    findings
}

/// Tags that the device removes stay in the packet's metadata, which XDP does not see. Reported
/// only if there are VLANs.
fn tags(interface: &InterfaceFacts) -> Option<Finding> {
    let InterfaceFacts { name, driver, xdp, rx_vlan, vlans, .. } = interface;
    if *rx_vlan != Some(true) || vlans.is_empty() {
        return None;
    }
    let remedy = agent::vlan_tags_remedy(name, driver);
    let vlans = vlans.join(", ");
    Some(if xdp.as_ref().is_some_and(|xdp| xdp.generic) {
        let message = format!(
            "VLAN tags are removed before the program runs ({vlans}), and {}",
            agent::GENERIC_VLAN_TAGS
        );
        Finding::error(RX_VLAN, name, message, remedy)
    } else {
        let message = format!(
            "VLAN tags are removed before the program runs ({vlans}): packets that xelb sends \
             itself, and answers in modes nat and fullnat, leave without a tag"
        );
        Finding::warning(RX_VLAN, name, message, remedy)
    })
}

#[cfg(test)]
mod tests {
    use super::super::sound::found;
    use crate::Severity::{Error, Ok, Warning};

    #[test]
    fn stripped_tags_are_found_where_there_are_vlans() {
        for (generic, severity) in [(true, Error), (false, Warning)] {
            let finding = found("rxvlan", |facts| {
                let interface = &mut facts.interfaces[0];
                interface.rx_vlan = Some(true);
                interface.vlans = vec!["eth0.5".to_owned()];
                interface.xdp.as_mut().unwrap().generic = generic;
            });
            assert_eq!(finding.severity, severity, "{finding:?}");
            assert!(finding.message.contains("eth0.5"));
            assert_eq!(finding.remedy.as_deref(), Some("ethtool -K eth0 rxvlan off"));
        }
    }

    #[test]
    fn glued_packets_are_found() {
        let lro = found("lro", |facts| facts.interfaces[0].lro = Some(true));
        assert_eq!(lro.severity, Error);
        assert_eq!(lro.remedy.as_deref(), Some("ethtool -K eth0 lro off"));
        let gro = found("gro_hw", |facts| facts.interfaces[0].gro_hw = Some(true));
        assert_eq!(gro.severity, Warning);
        assert_eq!(gro.remedy.as_deref(), Some("ethtool -K eth0 rx-gro-hw off"));
        let virtio = found("lro", |facts| {
            facts.interfaces[0].gro_hw = Some(true);
            "virtio_net".clone_into(&mut facts.interfaces[0].driver);
        });
        assert_eq!(virtio.severity, Ok);
        let silent = found("lro", |facts| {
            facts.interfaces[0].lro = None;
            facts.interfaces[0].gro_hw = None;
        });
        assert_eq!(silent.severity, Ok);
    }
}
