//! A balancer with which nothing is wrong, for the tests of the checks.

use lb_dataplane::{self as dataplane, Queues};
use lb_plan::{NextHop, NextHopState};

use crate::{
    AgentFacts, BalancerFacts, DropCount, Finding, Forwarding, HostFacts, InterfaceFacts, Setting,
    Severity, TargetNextHop, XdpFacts, balancer_findings,
};

/// The facts of it.
pub(super) fn facts() -> BalancerFacts {
    BalancerFacts {
        host: HostFacts {
            preflight: dataplane::Facts {
                kernel_release: "6.1.0-13-amd64".to_owned(),
                capabilities: u64::MAX,
                btf: true,
                jit: Some(1),
            },
            btf: true,
            jit: Some(1),
            bpffs: vec!["/sys/fs/bpf".to_owned()],
            cpus: 4,
            cpus_possible: 4,
        },
        interfaces: vec![interface()],
        agent: Ok(AgentFacts {
            version: "0.1.0".to_owned(),
            attached: vec!["eth0".to_owned()],
            targets: vec![target("10.0.1.11", Forwarding::Ipip)],
            drops: vec![DropCount {
                reason: "no_target".to_owned(),
                packets: 0,
                last_seconds_ago: None,
                help: "none".to_owned(),
            }],
            ..AgentFacts::default()
        }),
    }
}

pub(super) fn interface() -> InterfaceFacts {
    InterfaceFacts {
        name: "eth0".to_owned(),
        up: true,
        running: true,
        mtu: 1540,
        driver: "ixgbe".to_owned(),
        xdp: Some(XdpFacts { generic: false, program: Some("xelb_balance".to_owned()) }),
        queues: Queues { used: 4, max: 8, combined: true },
        lro: Some(false),
        gro_hw: Some(false),
        indirection: vec![0, 1, 2, 3],
        interrupt_cpus: vec![vec![0], vec![1], vec![2], vec![3]],
        rp_filter: Setting::default(),
        ..InterfaceFacts::default()
    }
}

pub(super) fn target(address: &str, forwarding: Forwarding) -> TargetNextHop {
    TargetNextHop {
        name: format!("web/{address}"),
        address: address.parse().unwrap(),
        forwarding: Some(forwarding),
        next_hop: NextHopState::Resolved(NextHop {
            vlan: 0,
            interface: 2,
            source_mac: [2; 6],
            destination_mac: [4; 6],
            mtu: 1540,
            on_link: true,
        }),
        interface: "eth0".to_owned(),
        unusable: String::new(),
    }
}

/// What a check says of facts that were changed; it must say something, and exactly once.
pub(super) fn found(check: &str, change: impl FnOnce(&mut BalancerFacts)) -> Finding {
    let mut facts = facts();
    change(&mut facts);
    let mut findings = balancer_findings(&facts);
    findings.retain(|finding| finding.check == check);
    assert_eq!(findings.len(), 1, "{check}: {findings:?}");
    findings.remove(0)
}

/// The same for an agent that runs.
pub(super) fn agent_of(facts: &mut BalancerFacts) -> &mut AgentFacts {
    facts.agent.as_mut().unwrap()
}

#[test]
fn a_healthy_balancer_has_no_findings() {
    let findings = balancer_findings(&facts());
    for finding in &findings {
        assert_eq!(finding.severity, Severity::Ok, "{finding:?}");
        assert_eq!(finding.remedy, None, "{finding:?}");
    }
    let checks: Vec<&str> = findings.iter().map(|finding| finding.check).collect();
    let wanted = [
        "kernel",
        "btf",
        "bpf_jit",
        "bpffs",
        "link",
        "xdp_mode",
        "xdp_driver",
        "lro",
        "rx_queues",
        "rss_spread",
        "irq_affinity",
        "rx_drops",
        "rp_filter",
        "agent",
        "next_hop",
        "mtu",
        "drops",
    ];
    assert_eq!(checks, wanted);
}
