//! PURE: whether an interface can carry packets at all.

use super::{Finding, InterfaceFacts};

pub(super) fn check(interface: &InterfaceFacts) -> Finding {
    let name = &interface.name;
    if !interface.up {
        return Finding::error("link", name, "it is down", format!("ip link set dev {name} up"));
    }
    if !interface.running {
        let remedy = "check the cable and the port of the switch";
        return Finding::error("link", name, "it has no carrier", remedy);
    }
    Finding::ok("link", name, format!("up, MTU {}", interface.mtu))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Severity::{Error, Ok};

    #[test]
    fn a_dead_link_is_an_error() {
        for (up, running, severity, says) in [
            (true, true, Ok, "MTU 1500"),
            (true, false, Error, "no carrier"),
            (false, false, Error, "down"),
        ] {
            let interface = InterfaceFacts {
                name: "eth0".to_owned(),
                mtu: 1500,
                up,
                running,
                ..InterfaceFacts::default()
            };
            let finding = check(&interface);
            assert_eq!(finding.severity, severity);
            assert!(finding.message.contains(says), "{finding:?}");
        }
    }
}
