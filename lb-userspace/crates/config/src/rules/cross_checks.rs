//! A listener and the group that it forwards to.

use lb_common::{Family, target::Mode};

use crate::{
    error::At,
    model::{Listener, TargetGroup},
    positions::GroupPositions,
    section::Findings,
};

/// A listener and the group that it forwards to.
pub(super) fn together(
    listener: &Listener,
    at: &At,
    group: &TargetGroup,
    place: &GroupPositions,
    findings: &Findings,
) {
    if listener.protocol != group.protocol {
        let message = format!(
            "listener {} is {}, its target group {} is {}",
            listener.name, listener.protocol, group.name, group.protocol
        );
        findings.error(at, message);
    }
    let mode = group.forwarding;
    let mut inherited = false;
    for (target, target_at) in group.targets.iter().zip(&place.targets) {
        // A port that comes from the group is one mistake, however many targets have it.
        if !translates_ports(mode) && !listener.ports.contains(target.port) {
            if target.port == group.port {
                inherited = true;
            } else {
                findings.error(target_at, other_port(target.port, listener, mode));
            }
        }
        if let Some(reason) = same_family(mode)
            && Family::from(&target.address) != Family::from(&listener.address.addr())
        {
            let message = format!(
                "{} is of another family than {} of listener {}: {} {reason}",
                target.address,
                listener.shown_address(),
                listener.name,
                mode.name()
            );
            findings.error(target_at, message);
        }
    }
    let names = group.names.iter().zip(&place.names);
    for (named, at) in names.filter(|_| !translates_ports(mode)) {
        if !listener.ports.contains(named.port) {
            if named.port == group.port {
                inherited = true;
            } else {
                findings.error(at, other_port(named.port, listener, mode));
            }
        }
    }
    if inherited {
        findings.error(&place.port, other_port(group.port, listener, mode));
    }
}

const fn translates_ports(mode: Mode) -> bool {
    match mode {
        Mode::Ipip | Mode::Gue | Mode::L2dsr => false,
        Mode::Nat | Mode::Fullnat => true,
    }
}

/// Why targets of this mode must have the family of the listener; `None` when they need not.
const fn same_family(mode: Mode) -> Option<&'static str> {
    match mode {
        Mode::Ipip | Mode::Gue => None,
        Mode::L2dsr => Some("does not change packets"),
        Mode::Nat | Mode::Fullnat => {
            Some("does not translate between families; ipip and gue carry both")
        }
    }
}

fn other_port(port: u16, listener: &Listener, mode: Mode) -> String {
    let ports = match listener.ports.single() {
        Some(port) => format!("port {port}"),
        None => format!("among ports {}", listener.ports),
    };
    let (name, mode) = (&listener.name, mode.name());
    format!(
        "port {port} is not {ports} of listener {name}: forwarding {mode} cannot translate ports; \
         nat and fullnat can"
    )
}
