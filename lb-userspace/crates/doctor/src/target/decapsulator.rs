//! Who unwraps packets: xelb's program, or a tunnel device of the kernel.

use lb_common::abi::program;

use super::{TargetFacts, TunnelDevice};
use crate::{Finding, Forwarding};

const CHECK: &str = "decapsulator";

/// Whether xelb's program unwraps packets at the interface.
pub(super) fn is_attached(facts: &TargetFacts) -> bool {
    let program = facts.interface.xdp.as_ref().and_then(|xdp| xdp.program.as_deref());
    program == Some(program::DECAP)
}

/// Tunnel devices that take packets.
pub(super) fn tunnels(facts: &TargetFacts) -> impl Iterator<Item = &TunnelDevice> {
    facts.tunnels.iter().filter(|tunnel| tunnel.up)
}

pub(super) fn check(facts: &TargetFacts) -> Finding {
    let name = &facts.interface.name;
    let remedy = format!("xelb decap --interface {name}");
    if is_attached(facts) {
        return Finding::ok(CHECK, name, "`xelb decap` unwraps packets");
    }
    if let Some(tunnel) = tunnels(facts).next() {
        let TunnelDevice { name: device, kind, .. } = tunnel;
        return if facts.forwarding == Forwarding::Gue {
            Finding::warning(
                CHECK,
                name,
                format!(
                    "tunnel device {device} ({kind}) exists; it is not known whether it gets GUE \
                     packets"
                ),
                "check that `ip fou show` has the port that the balancer sends to",
            )
        } else {
            Finding::ok(CHECK, name, format!("tunnel device {device} ({kind}) unwraps packets"))
        };
    }
    match &facts.interface.xdp {
        Some(xdp) => Finding::warning(
            CHECK,
            name,
            format!(
                "the XDP program {} is attached, and no tunnel device is up: it is not known \
                 whether that program unwraps packets",
                xdp.program.as_deref().unwrap_or("(name unknown)")
            ),
            format!("if it is not `xelb decap`: remove it, then {remedy}; run xelb doctor as root"),
        ),
        None => Finding::error(
            CHECK,
            name,
            "nothing unwraps packets: neither `xelb decap` nor a tunnel device that is up",
            remedy,
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::sound::found, *};
    use crate::{
        Setting,
        Severity::{Error, Ok, Warning},
    };

    fn tunnel(up: bool) -> TunnelDevice {
        let (name, kind) = ("tunl0".to_owned(), "ipip".to_owned());
        TunnelDevice { name, kind, up, rp_filter: Setting::default() }
    }

    #[test]
    fn a_missing_decapsulator_is_an_error() {
        let nobody = found(CHECK, Forwarding::Ipip, |facts| facts.interface.xdp = None);
        assert_eq!(nobody.severity, Error);
        assert_eq!(nobody.remedy.as_deref(), Some("xelb decap --interface eth0"));
        for (mode, up, severity) in [
            (Forwarding::Ipip, true, Ok),
            (Forwarding::Ipip, false, Error),
            (Forwarding::Gue, true, Warning),
        ] {
            let finding = found(CHECK, mode, |facts| {
                facts.interface.xdp = None;
                facts.tunnels = vec![tunnel(up)];
            });
            assert_eq!(finding.severity, severity, "{mode}: {finding:?}");
        }
        let other = found(CHECK, Forwarding::Ipip, |facts| {
            facts.interface.xdp.as_mut().unwrap().program = Some("firewall".to_owned());
        });
        assert_eq!(other.severity, Warning);
        assert!(other.message.contains("firewall"), "{other:?}");
    }
}
