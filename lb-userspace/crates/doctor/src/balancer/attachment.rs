//! The interface, the program on it, and what its driver needs to run one.

use lb_common::abi::program;
use lb_netlink::{self as next_hop, FAR_END_REMEDY, FarEnd};

use crate::{BalancerFacts, Finding, InterfaceFacts, link};

const MODE: &str = "xdp_mode";
const DRIVER: &str = "xdp_driver";
/// No driver says how much it leaves; drops tell (`headroom_exhausted`).
const HEADROOM: &str = "it must reserve headroom before a packet: 20 bytes for an IPv4 outer \
                        header, up to 48 for IPv6";

pub(super) fn check(interface: &InterfaceFacts, facts: &BalancerFacts) -> Vec<Finding> {
    let attached = facts.agent.as_ref().is_ok_and(|agent| agent.attached.contains(&interface.name));
    vec![
        link::check(interface),
        mode(interface, attached),
        driver(interface, facts.host.cpus_possible),
    ]
}

/// `attached`: an agent says that its program runs here.
fn mode(interface: &InterfaceFacts, attached: bool) -> Finding {
    let name = &interface.name;
    let Some(xdp) = &interface.xdp else {
        return if attached {
            Finding::error(
                MODE,
                name,
                "the agent attached its program here, but the program has been removed",
                "the agent attaches it again within a second; otherwise `xelb status` says why not",
            )
        } else {
            Finding::ok(MODE, name, "no XDP program: an agent can attach here")
        };
    };
    if let Some(other) = xdp.program.as_deref().filter(|name| *name != program::BALANCE) {
        return Finding::error(
            MODE,
            name,
            format!("the XDP program {other} is attached: an interface can have only one"),
            format!(
                "stop the process that loaded it (see `bpftool net` and `bpftool link`); if it \
                 has no BPF link: `ip link set dev {name} xdp off`"
            ),
        );
    }
    if xdp.generic {
        return Finding::warning(
            MODE,
            name,
            format!("XDP runs in generic mode, which is slow: driver {}", driver_name(interface)),
            "use an interface whose driver supports XDP; if this driver does, `xelb agent \
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
    match (driver, interface.far_end) {
        ("virtio_net", _) => virtio(interface, cpus),
        ("veth", Some(end)) => veth(interface, end),
        _ => Finding::ok(DRIVER, name, format!("driver {driver}; {HEADROOM}")),
    }
}

/// drivers/net/virtio_net.c, virtnet_xdp_set: a queue pair for each possible CPU in addition to the
/// ordinary ones; if there are fewer, none.
fn virtio(interface: &InterfaceFacts, cpus: u32) -> Finding {
    let InterfaceFacts { name, queues, .. } = interface;
    // While a program is attached the kernel counts its pairs among those in use.
    let attached = interface.xdp.as_ref().is_some_and(|xdp| !xdp.generic);
    let in_use = if attached && queues.used > cpus { queues.used - cpus } else { queues.used };
    let needed = in_use + cpus;
    if needed <= queues.max {
        return Finding::ok(DRIVER, name, format!("driver virtio_net; {HEADROOM}"));
    }
    Finding::warning(
        DRIVER,
        name,
        format!(
            "virtio_net needs {needed} queue pairs for XDP ({in_use} in use and one for each of \
             {cpus} CPUs) and has {}: CPUs share transmit queues, behind locks",
            queues.max
        ),
        format!(
            "give the virtual machine more queues (QEMU: queues={needed} at the netdev, vectors={} \
             at the device)",
            2 * needed + 2
        ),
    )
}

/// Generic mode sends by the ordinary stack: it needs nothing of the other end.
fn veth(interface: &InterfaceFacts, end: FarEnd) -> Finding {
    let name = &interface.name;
    if interface.xdp.as_ref().is_some_and(|xdp| xdp.generic) {
        return Finding::ok(DRIVER, name, "driver veth; generic mode needs no program at its peer");
    }
    if let Some(message) = next_hop::far_end_without_program(name, end) {
        // Before there is a program nothing is lost, and an agent would choose generic mode.
        return match interface.xdp {
            Some(_) => Finding::error(DRIVER, name, message, FAR_END_REMEDY),
            None => Finding::warning(DRIVER, name, message, FAR_END_REMEDY),
        };
    }
    if end == FarEnd::Unseen {
        return Finding::warning(
            DRIVER,
            name,
            "the peer of the veth is in another network namespace; it needs an XDP program, GRO \
             alone is not enough",
            FAR_END_REMEDY,
        );
    }
    Finding::ok(DRIVER, name, format!("driver veth, with a program at its peer; {HEADROOM}"))
}

#[cfg(test)]
mod tests {
    use lb_dataplane::Queues;
    use lb_netlink::FarEnd;

    use super::super::sound::{agent_of, found};
    use crate::{
        Severity::{Error, Ok, Warning},
        XdpFacts,
    };

    #[test]
    fn the_program_must_be_ours_and_there() {
        let gone = found("xdp_mode", |facts| facts.interfaces[0].xdp = None);
        assert_eq!(gone.severity, Error);
        assert!(gone.message.contains("removed"), "{gone:?}");
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
        // Queue pairs that there are, in use, and whether the program is attached; 4 CPUs.
        for (max, used, attached, severity, needed) in [
            (1, 1, false, Warning, "queues=5"),
            (7, 4, false, Warning, "queues=8"),
            (8, 4, false, Ok, ""),
            // The pairs of the program are among those in use.
            (8, 8, true, Ok, ""),
            (8, 5, true, Ok, ""),
            (2, 2, true, Warning, "queues=6"),
        ] {
            let finding = found("xdp_driver", |facts| {
                let interface = &mut facts.interfaces[0];
                "virtio_net".clone_into(&mut interface.driver);
                interface.queues = Queues { used, max, combined: true };
                interface.xdp = interface.xdp.take().filter(|_| attached);
            });
            assert_eq!(finding.severity, severity, "{finding:?}");
            assert!(finding.remedy.unwrap_or_default().contains(needed));
        }
    }

    #[test]
    fn veth_needs_a_program_at_the_other_end() {
        // What the other end has, whether this one's program is generic, if there is one.
        for (end, generic, severity) in [
            (FarEnd::Program, Some(false), Ok),
            (FarEnd::Nothing, Some(false), Error),
            (FarEnd::Gro, Some(false), Error),
            (FarEnd::Unseen, Some(false), Warning),
            (FarEnd::Nothing, Some(true), Ok),
            (FarEnd::Nothing, None, Warning),
        ] {
            let finding = found("xdp_driver", |facts| {
                let interface = &mut facts.interfaces[0];
                "veth".clone_into(&mut interface.driver);
                interface.far_end = Some(end);
                let xdp = |generic| XdpFacts { generic, program: None };
                interface.xdp = generic.map(xdp);
                agent_of(facts).attached.clear();
            });
            assert_eq!(finding.severity, severity, "{finding:?}");
            let remedy = finding.remedy.unwrap_or_default();
            assert!(severity == Ok || remedy.contains("xelb pass"), "{remedy}");
            assert!(!remedy.contains("gro on"), "{remedy}");
        }
    }
}
