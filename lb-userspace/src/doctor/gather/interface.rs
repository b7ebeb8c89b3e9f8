//! Everything about one interface.

use super::{GatherError, Host, procfs};
use crate::{
    dataplane::{Driver, Queues, program_name},
    doctor::{InterfaceFacts, XdpFacts},
    next_hop::XdpOnLink,
};

/// What netlink, the driver and procfs say of the interface with this name.
pub(super) async fn interface(host: &mut Host, name: &str) -> Result<InterfaceFacts, GatherError> {
    let link = host.named(name)?.clone();
    let peer_has_xdp = host.inquiry.peer_has_xdp(&link).await;
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
        peer_has_xdp,
        queues,
        lro: feature("rx-lro"),
        gro_hw: feature("rx-gro-hw"),
        interrupt_cpus: procfs::interrupt_cpus(&driver.bus),
        indirection: driver.indirection,
        driver: if driver.name.is_empty() { link.kind } else { driver.name },
        rx_dropped: link.rx_dropped,
        rx_missed: link.rx_missed,
        rp_filter: procfs::setting(name, "rp_filter"),
    })
}
