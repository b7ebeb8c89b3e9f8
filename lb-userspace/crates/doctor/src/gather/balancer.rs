//! Facts of a balancer.

use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr},
    path::Path,
};

use lb_agent::{AttachedInterface, Snapshot, TargetView, WarningDetail, network_namespace};
use lb_api::{Client, StatsView};
use lb_dataplane as dataplane;
use lb_netlink::Ingress;
use lb_plan::{
    NextHopState,
    warning::{Warning, WarningKind},
};

use super::{GatherError, Host, arrivals::arrivals, interface::interface, procfs};
use crate::{
    AgentFacts, BalancerFacts, DropCount, Forwarding, HostFacts, TargetNextHop, TargetProblem,
};

/// Where the kernel describes its types.
const BTF: &str = "/sys/kernel/btf/vmlinux";
const JIT: &str = "/proc/sys/net/core/bpf_jit_enable";
/// The agent's state of targets that no listener uses: their next hops are not needed.
const UNUSED: &str = "unused";
/// The agent's state of targets that fail their health checks.
const UNHEALTHY: &str = "unhealthy";
/// The agent's reason for targets that it cannot reach.
const UNUSABLE: &str = "Target.IpUnusable";

/// Looks at this host, at these interfaces (without any: the agent's), and asks the agent.
pub async fn balancer(
    client: &Client,
    interfaces: &[String],
) -> Result<BalancerFacts, GatherError> {
    let (answer, asked) = (ask(client).await, interfaces.is_empty());
    if let Ok((snapshot, _)) = &answer {
        same_namespace(snapshot.network_namespace, network_namespace(), snapshot.pid)?;
    }
    let names: Vec<String> = match (&answer, interfaces) {
        (Ok((snapshot, _)), []) => snapshot.interfaces.iter().map(current_name).collect(),
        (Err(reason), []) => return Err(GatherError::NoInterfaces { reason: reason.clone() }),
        (_, named) => named.to_vec(),
    };
    if names.is_empty() {
        let reason = "the agent has no interface, since it has no configuration yet".to_owned();
        return Err(GatherError::NoInterfaces { reason });
    }
    let mut host = Host::inspect().await?;
    let mut interfaces = Vec::new();
    for name in &names {
        match interface(&host, name) {
            // The agent warns of what is gone.
            Err(GatherError::UnknownInterface { .. }) if asked && answer.is_ok() => {}
            facts => interfaces.push(facts?),
        }
    }
    let there: Vec<String> = interfaces.iter().map(|facts| facts.name.clone()).collect();
    let mut counted = arrivals(&mut host, &there).await.map_err(GatherError::kernel("packets"))?;
    for interface in &mut interfaces {
        interface.arrivals = counted.remove(&interface.name);
    }
    let agent = match answer {
        Ok((snapshot, stats)) => Ok(agent(&mut host, snapshot, stats).await?),
        Err(reason) => Err(reason),
    };
    Ok(BalancerFacts { host: host_facts(), interfaces, agent })
}

/// Refuses to look at interfaces, routes and neighbours of another network namespace than that of the
/// agent: all of them would be wrong. 0 is not known.
fn same_namespace(agents: u64, own: u64, pid: u32) -> Result<(), GatherError> {
    if agents == own || agents == 0 || own == 0 {
        return Ok(());
    }
    Err(GatherError::OtherNamespace { pid })
}

/// The name that an interface of the agent has now.
fn current_name(interface: &AttachedInterface) -> String {
    let AttachedInterface { name, current_name, .. } = interface;
    if current_name.is_empty() { name.clone() } else { current_name.clone() }
}

async fn ask(client: &Client) -> Result<(Snapshot, StatsView), String> {
    let snapshot = client.status().await.map_err(|error| error.to_string())?;
    let stats = client.stats().await.map_err(|error| error.to_string())?;
    Ok((snapshot, stats))
}

fn host_facts() -> HostFacts {
    HostFacts {
        // What cannot be read counts as missing.
        preflight: dataplane::Facts::read().unwrap_or_else(|_| dataplane::Facts {
            kernel_release: String::new(),
            capabilities: 0,
            btf: false,
            jit: None,
        }),
        btf: Path::new(BTF).exists(),
        jit: procfs::number(JIT),
        bpffs: procfs::bpffs(),
        cpus: procfs::cpus("online"),
        cpus_possible: procfs::cpus("possible"),
    }
}

fn name_of(target: &TargetView, address: IpAddr) -> String {
    format!("{}/{}", target.group, SocketAddr::new(address, target.port))
}

/// Targets that fail their health checks. Those that packets cannot reach are another finding.
fn unhealthy(targets: &[TargetView]) -> Vec<TargetProblem> {
    let targets =
        targets.iter().filter(|target| target.state == UNHEALTHY && target.reason != UNUSABLE);
    targets
        .filter_map(|target| {
            let address = target.address?;
            let problem = format!("{}: {}", target.reason, target.detail);
            Some(TargetProblem { name: name_of(target, address), address, problem })
        })
        .collect()
}

/// Targets that somebody drained and left so: their deregistration delay is over.
fn forgotten(targets: &[TargetView]) -> Vec<String> {
    let targets = targets
        .iter()
        .filter(|target| target.drained && !target.leaving && target.keeps_flows_for.is_none());
    targets.filter_map(|target| Some(name_of(target, target.address?))).collect()
}

/// A warning of the agent; those of a newer one may have kinds that are not known here.
fn warning(detail: WarningDetail) -> Option<Warning> {
    let WarningDetail { kind, subject, text } = detail;
    Some(Warning::new(WarningKind::named(&kind)?, subject, text))
}

/// Where the agent's program runs.
fn ingress(snapshot: &Snapshot) -> Ingress {
    let indices = |mode: &str| {
        let wanted = snapshot.interfaces.iter().filter(|one| one.mode == mode);
        wanted.map(|interface| interface.index).collect()
    };
    Ingress { native: indices("native"), generic: indices("generic") }
}

async fn agent(
    host: &mut Host,
    snapshot: Snapshot,
    stats: StatsView,
) -> Result<AgentFacts, GatherError> {
    let addresses: BTreeSet<IpAddr> =
        snapshot.targets.iter().filter(|one| !one.proxied).filter_map(|one| one.address).collect();
    let addresses: Vec<IpAddr> = addresses.into_iter().collect();
    let next_hops = host
        .inquiry
        .next_hops(&addresses, ingress(&snapshot))
        .await
        .map_err(GatherError::kernel("routes and neighbours"))?;
    let mode = |group: &str| {
        let group = snapshot.target_groups.iter().find(|one| one.name == group)?;
        Forwarding::named(&group.forwarding)
    };
    let targets = snapshot
        .targets
        .iter()
        .filter(|target| target.state != UNUSED && !target.proxied)
        .filter_map(|target| {
            let address = target.address?;
            let next_hop = next_hops.get(&address)?.clone();
            let link = match &next_hop {
                NextHopState::Resolved(hop) => host.numbered(hop.interface),
                NextHopState::Asking(_) | NextHopState::Unresolved(_) => None,
            };
            let unusable = target.reason == UNUSABLE;
            Some(TargetNextHop {
                name: name_of(target, address),
                address,
                forwarding: mode(&target.group),
                next_hop,
                interface: link.map(|link| link.name.clone()).unwrap_or_default(),
                unusable: if unusable { target.detail.clone() } else { String::new() },
            })
        })
        .collect();
    let drops = stats.drops.into_iter().map(|drop| DropCount {
        reason: drop.reason,
        packets: drop.packets,
        last_seconds_ago: drop.last_seconds_ago,
        help: drop.help,
    });
    let (unhealthy, drained) = (unhealthy(&snapshot.targets), forgotten(&snapshot.targets));
    let (known, unknown): (Vec<_>, Vec<_>) = snapshot
        .warning_details
        .into_iter()
        .partition(|detail| WarningKind::named(&detail.kind).is_some());
    Ok(AgentFacts {
        version: snapshot.version,
        last_error: snapshot.last_error,
        warnings: known.into_iter().filter_map(warning).collect(),
        unknown_warnings: unknown.into_iter().map(|detail| detail.text).collect(),
        unhealthy,
        drained,
        attached: snapshot.interfaces.iter().map(current_name).collect(),
        targets,
        drops: drops.collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_network_namespace_is_named() {
        assert!(same_namespace(7, 7, 1).is_ok() && same_namespace(0, 7, 1).is_ok());
        let refused = same_namespace(7, 8, 4711).unwrap_err();
        assert!(refused.is_usage());
        let says = refused.to_string();
        assert!(says.contains("nsenter --target 4711 --net xelb doctor"), "{says}");
    }

    fn target(state: &str, reason: &str) -> TargetView {
        TargetView {
            group: "web".to_owned(),
            address: Some([10, 0, 0, 1].into()),
            port: 80,
            state: state.to_owned(),
            reason: reason.to_owned(),
            detail: "no answer".to_owned(),
            ..TargetView::default()
        }
    }

    #[test]
    fn targets_that_need_somebody_are_found() {
        let all = [
            target("healthy", ""),
            target("unhealthy", "Target.Timeout"),
            target("unhealthy", UNUSABLE),
        ];
        let found = unhealthy(&all);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].problem, "Target.Timeout: no answer");
        let drained = |keeps_flows_for, leaving| TargetView {
            drained: true,
            leaving,
            keeps_flows_for,
            ..target("draining", "")
        };
        let all = [drained(Some(10), false), drained(None, true), drained(None, false)];
        assert_eq!(forgotten(&all), ["web/10.0.0.1:80"], "its delay is over");
    }
}
