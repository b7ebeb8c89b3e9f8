//! Two hosts, a wire and two cores: one for what is measured, one for everything else.

use std::{fs, net::Ipv4Addr};

use anyhow::{Context as _, Result};
use lb_tests::{Host, sandbox::Sandbox, topology};

/// The interface of both hosts.
pub(super) const INTERFACE: &str = "eth0";
/// What packets are for.
pub(super) const VIP: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 10);
pub(super) const CLIENT: &str = "10.8.0.1";
/// Where flows come from.
pub(super) const SOURCES: &str = "198.18.0.0/15";
/// Targets behind the client, as behind a router.
pub(super) const TARGETS_FAR: u16 = 1000;
/// Targets on the link itself, for cases that need it: each is a neighbour, and kernels keep 1,024
/// of them by default.
pub(super) const TARGETS_NEAR: u16 = 100;

/// The hosts.
pub(super) struct Scene {
    pub(super) client: Host,
    pub(super) balancer: Host,
    pub(super) sandbox: Sandbox,
    pub(super) core: Core,
}

/// The core that all measured work is done on; not the first, which others like.
#[derive(Clone, Copy, Debug)]
pub(super) struct Core {
    pub(super) number: usize,
    /// Process id of its ksoftirqd, which takes over when there is too much.
    pub(super) softirq_pid: u32,
}

/// Address of a target behind the client; they count from 0.
pub(super) fn far(number: u16) -> Ipv4Addr {
    let [high, low] = (number + 1).to_be_bytes();
    Ipv4Addr::new(10, 9, high, low)
}

/// Address of a target on the wire.
pub(super) fn near(number: u16) -> Ipv4Addr {
    let [_, low] = number.to_be_bytes();
    Ipv4Addr::new(10, 8, 1, low + 1)
}

impl Core {
    fn last() -> Result<Self> {
        let cpus = std::thread::available_parallelism()?.get();
        anyhow::ensure!(cpus > 1, "this needs two cores: one to measure on, one for the rest");
        let number = cpus - 1;
        let wanted = format!("ksoftirqd/{number}");
        for entry in fs::read_dir("/proc")? {
            let path = entry?.path();
            let name = fs::read_to_string(path.join("comm")).unwrap_or_default();
            if name.trim() == wanted {
                let pid = path.file_name().and_then(|pid| pid.to_str()).context("a process id")?;
                return Ok(Self { number, softirq_pid: pid.parse()? });
            }
        }
        anyhow::bail!("there is no {wanted}")
    }

    /// CPUs for everything else, as taskset wants them.
    pub(super) fn others(self) -> String {
        format!("0-{}", self.number - 1)
    }
}

impl Scene {
    pub(super) fn build(sandbox: Sandbox) -> Result<Self> {
        let client = Host::new(&sandbox, "client")?;
        let balancer = Host::new(&sandbox, "balancer")?;
        topology::connect(&client, INTERFACE, &balancer, INTERFACE, 1600)?;
        topology::address(&client, INTERFACE, &[&format!("{CLIENT}/16")])?;
        topology::address(&balancer, INTERFACE, &["10.8.0.2/16"])?;
        client.ip(&format!("route add {VIP}/32 via 10.8.0.2"))?;
        // All targets are the client: it answers their pings and takes their packets.
        client.ip("route add local 10.9.0.0/16 dev lo")?;
        client.ip("route add local 10.8.1.0/24 dev lo")?;
        balancer.ip(&format!("route add 10.9.0.0/16 via {CLIENT}"))?;
        // Where what is forwarded as it is goes, and answers of the balancer's own stack.
        balancer.ip(&format!("route add default via {CLIENT}"))?;
        balancer.set("net/ipv4/conf/all/send_redirects", "0")?;
        balancer.set(&format!("net/ipv4/conf/{INTERFACE}/send_redirects"), "0")?;
        Ok(Self { client, balancer, sandbox, core: Core::last()? })
    }
}
