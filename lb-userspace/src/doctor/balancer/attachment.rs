//! The interface, the program on it, and what its driver needs to run one.

use lb_common::abi::program;

use crate::doctor::{BalancerFacts, Finding, InterfaceFacts, link};

const MODE: &str = "xdp_mode";
const DRIVER: &str = "xdp_driver";
/// No driver says how much it leaves; drops tell (`headroom_exhausted`).
const HEADROOM: &str = "it has to leave 20 bytes before a packet for an IPv4 outer header, up to \
                        48 for an IPv6 one";

pub(super) fn check(interface: &InterfaceFacts, facts: &BalancerFacts) -> Vec<Finding> {
    let attached = facts.agent.as_ref().is_ok_and(|agent| agent.attached.contains(&interface.name));
    vec![link::check(interface), mode(interface, attached), driver(interface, facts.host.cpus)]
}

/// `attached`: an agent says that its program runs here.
fn mode(interface: &InterfaceFacts, attached: bool) -> Finding {
    let name = &interface.name;
    let Some(xdp) = &interface.xdp else {
        return if attached {
            Finding::error(
                MODE,
                name,
                "the agent attached its program here, and it is gone: somebody removed it",
                "the agent attaches it again within a second; if it does not, its warnings say why",
            )
        } else {
            Finding::ok(MODE, name, "no XDP program: free for an agent")
        };
    };
    if let Some(other) = xdp.program.as_deref().filter(|name| *name != program::BALANCE) {
        return Finding::error(
            MODE,
            name,
            format!("the XDP program {other} is attached: an interface can have one only"),
            format!(
                "stop what loaded it; `bpftool net` and `bpftool link` say more, and what is \
                 attached without a link goes with `ip link set dev {name} xdp off`"
            ),
        );
    }
    if xdp.generic {
        return Finding::warning(
            MODE,
            name,
            format!("XDP runs in generic mode, slowly: driver {}", driver_name(interface)),
            "use an interface whose driver runs XDP; or, where this driver does, `xelb agent \
             --xdp-mode native` says why it refused",
        );
    }
    Finding::ok(MODE, name, "XDP runs in the driver")
}

fn driver_name(interface: &InterfaceFacts) -> &str {
    if interface.driver.is_empty() { "unknown" } else { &interface.driver }
}

fn driver(interface: &InterfaceFacts, cpus: u32) -> Finding {
    let name = &interface.name;
    let driver = driver_name(interface);
    match driver {
        // drivers/net/virtio_net.c: one transmit queue for each CPU beside the ordinary ones.
        "virtio_net" if interface.queues.used + cpus > interface.queues.max => {
            let needed = interface.queues.used + cpus;
            Finding::warning(
                DRIVER,
                name,
                format!(
                    "virtio_net needs {needed} queue pairs for XDP ({} in use and one for each of \
                     {cpus} CPUs) and has {}: CPUs share transmit queues, behind locks",
                    interface.queues.used, interface.queues.max
                ),
                format!(
                    "give the virtual machine more queues (QEMU: queues={needed} at the netdev, \
                     vectors={} at the device)",
                    2 * needed + 2
                ),
            )
        }
        "veth" if interface.peer_has_xdp == Some(false) => Finding::warning(
            DRIVER,
            name,
            "the other end of the veth pair has no XDP program: what is sent from XDP is dropped \
             or waits there",
            "attach a program that passes everything to the other end; GRO on there (`ethtool -K \
             PEER gro on`) is the second best",
        ),
        "veth" if interface.peer_has_xdp.is_none() => Finding::warning(
            DRIVER,
            name,
            "the other end of the veth pair cannot be seen from here; it needs an XDP program",
            "attach a program that passes everything to the other end, or turn GRO on there",
        ),
        _ => Finding::ok(DRIVER, name, format!("driver {driver}; {HEADROOM}")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::sound::{agent_of, found};
    use crate::doctor::Severity::{Error, Ok, Warning};

    #[test]
    fn the_program_must_be_ours_and_there() {
        let gone = found("xdp_mode", |facts| facts.interfaces[0].xdp = None);
        assert_eq!(gone.severity, Error);
        assert!(gone.message.contains("gone"), "{gone:?}");
        let free = found("xdp_mode", |facts| {
            facts.interfaces[0].xdp = None;
            agent_of(facts).attached.clear();
        });
        assert_eq!(free.severity, Ok);
        let other = found("xdp_mode", |facts| {
            let xdp = facts.interfaces[0].xdp.as_mut().unwrap();
            xdp.program = Some("cilium".to_owned());
        });
        assert_eq!(other.severity, Error);
        assert!(other.message.contains("cilium"), "{other:?}");
        let unknown = found("xdp_mode", |facts| {
            facts.interfaces[0].xdp.as_mut().unwrap().program = None;
        });
        assert_eq!(unknown.severity, Ok);
        let generic = found("xdp_mode", |facts| {
            facts.interfaces[0].xdp.as_mut().unwrap().generic = true;
        });
        assert_eq!(generic.severity, Warning);
        assert!(generic.message.contains("ixgbe"), "{generic:?}");
    }

    #[test]
    fn virtio_needs_queues_for_every_cpu() {
        for (max, severity) in [(1, Warning), (7, Warning), (8, Ok)] {
            let finding = found("xdp_driver", |facts| {
                "virtio_net".clone_into(&mut facts.interfaces[0].driver);
                facts.interfaces[0].queues.max = max;
            });
            assert_eq!(finding.severity, severity, "{finding:?}");
            if severity == Warning {
                assert!(finding.remedy.unwrap().contains("queues=8"));
            }
        }
    }

    #[test]
    fn veth_needs_a_program_at_the_other_end() {
        for (peer, severity) in [(Some(true), Ok), (Some(false), Warning), (None, Warning)] {
            let finding = found("xdp_driver", |facts| {
                "veth".clone_into(&mut facts.interfaces[0].driver);
                facts.interfaces[0].peer_has_xdp = peer;
            });
            assert_eq!(finding.severity, severity, "{finding:?}");
        }
    }
}
