//! The largest packet of a client that fits the path to targets, with its outer header.

use std::collections::BTreeMap;

use lb_plan::NextHopState;

use crate::{CLIENT_PACKET, Finding, Forwarding, TargetNextHop};

const CHECK: &str = "mtu";
/// IPv6 packets of this size must get everywhere (RFC 8200, 5).
const IPV6_MIN: u32 = 1280;

/// One finding for targets that are reached alike: there may be thousands.
pub(super) fn check(targets: &[TargetNextHop]) -> Vec<Finding> {
    let mut routes: BTreeMap<(&str, Forwarding, u32, u32), Vec<&TargetNextHop>> = BTreeMap::new();
    for target in targets {
        if let (Some(mode), NextHopState::Resolved(hop)) = (target.forwarding, &target.next_hop) {
            let overhead = mode.overhead(target.address);
            let route = (target.interface.as_str(), mode, overhead, u32::from(hop.mtu));
            routes.entry(route).or_default().push(target);
        }
    }
    routes.into_iter().map(|(route, targets)| finding(route, &targets)).collect()
}

fn finding(
    (interface, mode, overhead, mtu): (&str, Forwarding, u32, u32),
    targets: &[&TargetNextHop],
) -> Finding {
    let room = mtu.saturating_sub(overhead);
    let first = targets.first().map(|target| target.name.as_str()).unwrap_or_default();
    let whom = match targets.len() {
        1 => first.to_owned(),
        number => format!("{number} targets ({first} and others)"),
    };
    let message = format!(
        "{mode} to {whom}: MTU {mtu} minus {overhead} bytes leaves packets of up to {room} bytes"
    );
    if room >= CLIENT_PACKET {
        return Finding::ok(CHECK, interface, message);
    }
    let wanted = CLIENT_PACKET + overhead;
    let remedy = format!(
        "ip link set dev {interface} mtu {wanted}, also on targets and on switches in between \
         (and `mtu` of the route, if it has one); or announce a smaller MSS on the targets: ip \
         route change default via ROUTER advmss {}",
        room.saturating_sub(60)
    );
    if room < IPV6_MIN {
        return Finding::error(
            CHECK,
            interface,
            format!("{message}: less than the minimum MTU of IPv6"),
            remedy,
        );
    }
    let message = format!("{message}: full packets of clients ({CLIENT_PACKET}) are dropped");
    Finding::warning(CHECK, interface, message, remedy)
}

#[cfg(test)]
mod tests {
    use super::{
        super::sound::{agent_of, found, target},
        *,
    };
    use crate::Severity::{Error, Ok, Warning};

    fn route(address: &str, mode: Forwarding, mtu: u16) -> TargetNextHop {
        let mut route = target(address, mode);
        if let NextHopState::Resolved(hop) = &mut route.next_hop {
            hop.mtu = mtu;
        }
        route
    }

    #[test]
    fn the_outer_header_must_fit() {
        for (address, mode, mtu, severity, room) in [
            ("10.0.0.1", Forwarding::Ipip, 1520, Ok, 1500),
            ("10.0.0.1", Forwarding::Ipip, 1519, Warning, 1499),
            ("fd00::1", Forwarding::Ipip, 1520, Warning, 1480),
            ("fd00::1", Forwarding::Gue, 1548, Ok, 1500),
            ("10.0.0.1", Forwarding::Gue, 1500, Warning, 1472),
            ("10.0.0.1", Forwarding::L2dsr, 1500, Ok, 1500),
            ("10.0.0.1", Forwarding::Ipip, 1280, Error, 1260),
        ] {
            let finding = found("mtu", |facts| {
                agent_of(facts).targets = vec![route(address, mode, mtu)];
            });
            assert_eq!(finding.severity, severity, "{finding:?}");
            assert!(finding.message.contains(&format!("up to {room}")), "{finding:?}");
        }
    }

    #[test]
    fn targets_that_are_alike_are_one_finding() {
        let finding = found("mtu", |facts| {
            let targets =
                ["10.0.0.1", "10.0.0.2"].map(|address| route(address, Forwarding::Ipip, 1500));
            agent_of(facts).targets = targets.to_vec();
        });
        assert!(finding.message.contains("2 targets (web/10.0.0.1 and others)"), "{finding:?}");
        assert!(finding.remedy.unwrap().contains("mtu 1520"));
    }
}
