//! Offloads that glue packets together: XDP sees packets as they were on the wire, or not at all.

use crate::doctor::{Finding, InterfaceFacts};

pub(super) fn check(interface: &InterfaceFacts) -> Vec<Finding> {
    let name = &interface.name;
    let mut findings = Vec::new();
    if interface.lro == Some(true) {
        findings.push(Finding::error(
            "lro",
            name,
            "LRO is on: the driver refuses XDP programs, or hands them packets that are too large",
            format!("ethtool -K {name} lro off"),
        ));
    }
    if interface.gro_hw == Some(true) {
        findings.push(Finding::warning(
            "gro_hw",
            name,
            "GRO in hardware is on: many drivers refuse XDP programs with it, and glued packets \
             do not fit the MTU towards targets",
            format!("ethtool -K {name} rx-gro-hw off"),
        ));
    }
    if findings.is_empty() {
        findings.push(Finding::ok("lro", name, "LRO and GRO in hardware are off"));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::sound::found;
    use crate::doctor::Severity::{Error, Ok, Warning};

    #[test]
    fn glued_packets_are_found() {
        let lro = found("lro", |facts| facts.interfaces[0].lro = Some(true));
        assert_eq!(lro.severity, Error);
        assert_eq!(lro.remedy.as_deref(), Some("ethtool -K eth0 lro off"));
        let gro = found("gro_hw", |facts| facts.interfaces[0].gro_hw = Some(true));
        assert_eq!(gro.severity, Warning);
        assert_eq!(gro.remedy.as_deref(), Some("ethtool -K eth0 rx-gro-hw off"));
        let silent = found("lro", |facts| {
            facts.interfaces[0].lro = None;
            facts.interfaces[0].gro_hw = None;
        });
        assert_eq!(silent.severity, Ok);
    }
}
