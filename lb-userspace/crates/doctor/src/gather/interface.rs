//! Everything about one interface.

use lb_dataplane::{Driver, Queues, program_name};
use lb_netlink::{Veth, XdpOnLink};

use super::{GatherError, Host, procfs};
use crate::{InterfaceFacts, XdpFacts};

/// What netlink, the driver and procfs say of the interface with this name.
pub(super) fn interface(host: &Host, name: &str) -> Result<InterfaceFacts, GatherError> {
    let link = host.named(name)?.clone();
    let veth = Veth::inspect(link.index).map_err(GatherError::kernel("the other end of a veth"))?;
    let driver = Driver::read(name).unwrap_or_default();
    let made = Queues { used: link.rx_queues, max: link.rx_queues, combined: false };
    let queues = driver.queues.filter(|queues| queues.used > 0).unwrap_or(made);
    let xdp = link
        .xdp
        .map(|XdpOnLink { generic, program }| XdpFacts { generic, program: program_name(program) });
    let feature = |name: &str| driver.features.get(name).copied();
    Ok(InterfaceFacts {
        name: link.name,
        up: link.up,
        running: link.running,
        mtu: link.mtu,
        xdp,
        far_end: veth.map(|veth| veth.far_end),
        queues,
        lro: feature("rx-lro"),
        gro_hw: feature("rx-gro-hw"),
        interrupt_cpus: procfs::interrupt_cpus(&driver.bus),
        indirection: driver.indirection,
        driver: if driver.name.is_empty() { link.kind } else { driver.name },
        rx_dropped: link.rx_dropped,
        rx_missed: link.rx_missed,
        arrivals: None,
        rx_vlan: feature("rx-vlan-hw-parse"),
        vlans: host
            .links
            .iter()
            .filter(|other| other.vlan_of == Some(link.index))
            .map(|other| other.name.clone())
            .collect(),
        rp_filter: procfs::setting(name, "rp_filter"),
    })
}
