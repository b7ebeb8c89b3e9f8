//! What is known of a balancer. Values only; `gather` fills them.

use std::net::IpAddr;

use lb_dataplane::{self as dataplane, Queues};
use lb_netlink::FarEnd;
use lb_plan::{NextHopState, warning::Warning};

use super::{Forwarding, Setting};

/// All of it.
#[derive(Clone, Debug)]
pub struct BalancerFacts {
    /// The kernel and what belongs to it.
    pub host: HostFacts,
    /// The interfaces that clients' packets arrive at.
    pub interfaces: Vec<InterfaceFacts>,
    /// What the agent says, or why it says nothing.
    pub agent: Result<AgentFacts, String>,
}

/// The kernel and what belongs to it.
#[derive(Clone, Debug)]
pub struct HostFacts {
    /// Release and capabilities.
    pub preflight: dataplane::Facts,
    /// Whether the kernel describes its types.
    pub btf: bool,
    /// `net.core.bpf_jit_enable`; network namespaces other than the first do not have it.
    pub jit: Option<u32>,
    /// Where a bpffs is mounted.
    pub bpffs: Vec<String>,
    /// CPUs that are online.
    pub cpus: u32,
    /// CPUs that there may be: drivers have queues for these.
    pub cpus_possible: u32,
}

/// An interface.
#[derive(Clone, Debug, Default)]
pub struct InterfaceFacts {
    /// Its name.
    pub name: String,
    /// Administratively up.
    pub up: bool,
    /// It has a carrier.
    pub running: bool,
    /// Largest IP packet, in bytes.
    pub mtu: u32,
    /// Name of its driver; empty if unknown.
    pub driver: String,
    /// The XDP program on it.
    pub xdp: Option<XdpFacts>,
    /// What the other end has for frames that XDP sends; of a veth only.
    pub far_end: Option<FarEnd>,
    /// Its receive queues.
    pub queues: Queues,
    /// Whether the driver glues received packets together (LRO), if it says.
    pub lro: Option<bool>,
    /// Whether the device does (GRO in hardware), if it says.
    pub gro_hw: Option<bool>,
    /// The queue of each bucket of the receive hash; empty if the driver does not say.
    pub indirection: Vec<u32>,
    /// For each interrupt of its queues the CPUs that handle it; empty if unknown.
    pub interrupt_cpus: Vec<Vec<u32>>,
    /// Packets that the kernel dropped on arrival.
    pub rx_dropped: u64,
    /// Packets that the device dropped since its ring was full.
    pub rx_missed: u64,
    /// Packets of a while, where a program is attached and this process may count.
    pub arrivals: Option<Arrivals>,
    /// Whether the device takes VLAN tags off packets, if it says.
    pub rx_vlan: Option<bool>,
    /// Names of VLAN interfaces on it.
    pub vlans: Vec<String>,
    /// Its `rp_filter`.
    pub rp_filter: Setting,
}

/// Packets that arrived at an interface within a second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Arrivals {
    /// By the kernel's count.
    pub received: u64,
    /// Those that its program saw.
    pub seen: u64,
}

/// An XDP program on an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct XdpFacts {
    /// Whether it runs in the kernel's stack instead of in the driver.
    pub generic: bool,
    /// Its name, if this process may know it.
    pub program: Option<String>,
}

/// What an agent says.
#[derive(Clone, Debug, Default)]
pub struct AgentFacts {
    /// Its version.
    pub version: String,
    /// Why it refused the last change of its configuration; empty if it did not.
    pub last_error: String,
    /// Its warnings.
    pub warnings: Vec<Warning>,
    /// Warnings of kinds that this version does not know.
    pub unknown_warnings: Vec<String>,
    /// Targets that are unhealthy: group, address and port, and why.
    pub unhealthy: Vec<TargetProblem>,
    /// Drained targets whose deregistration delay is over: they take no traffic until somebody
    /// undrains them.
    pub drained: Vec<String>,
    /// Names of the interfaces that it attached its program to.
    pub attached: Vec<String>,
    /// Its targets, and how the kernel would reach them.
    pub targets: Vec<TargetNextHop>,
    /// Packets that it dropped since the data path was loaded.
    pub drops: Vec<DropCount>,
}

/// An unhealthy target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetProblem {
    /// For people: group, address and port.
    pub name: String,
    /// Its address, which `problem` may have in it.
    pub address: IpAddr,
    /// Reason and detail.
    pub problem: String,
}

/// A target and how it is reached.
#[derive(Clone, Debug)]
pub struct TargetNextHop {
    /// For people: group, address and port.
    pub name: String,
    /// Its address.
    pub address: IpAddr,
    /// How packets reach it; `None` for a mode that this version does not know.
    pub forwarding: Option<Forwarding>,
    /// Its next hop as the kernel knows it now.
    pub next_hop: NextHopState,
    /// The interface towards it, if it is resolved.
    pub interface: String,
    /// What the agent says when it cannot use the address; empty otherwise.
    pub unusable: String,
}

/// Packets dropped for one reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DropCount {
    /// Its stable name.
    pub reason: String,
    /// Packets.
    pub packets: u64,
    /// Seconds since the last one; `None` if that was before the agent started.
    pub last_seconds_ago: Option<u64>,
    /// What it means.
    pub help: String,
}
