//! Packets of one second, as the kernel counts them and as the program does.

use std::{collections::BTreeMap, io, time::Duration};

use lb_dataplane::{count_runs, driver_statistics, program_runs};
use lb_netlink::XdpOnLink;

use super::Host;
use crate::Arrivals;

/// How long packets are counted.
const WHILE: Duration = Duration::from_secs(1);

/// By name of an interface; those without a program are left out.
pub(super) async fn arrivals(
    host: &mut Host,
    names: &[String],
) -> io::Result<BTreeMap<String, Arrivals>> {
    let attached = |name: &String| host.named(name).is_ok_and(|link| link.xdp.is_some());
    if !names.iter().any(attached) {
        return Ok(BTreeMap::new());
    }
    let counting = count_runs();
    let before = sample(host, names, counting.is_some()).await?;
    tokio::time::sleep(WHILE).await;
    let after = sample(host, names, counting.is_some()).await?;
    Ok(after
        .into_iter()
        .filter_map(|(name, after)| {
            let before = before.get(&name)?;
            let received = after.received.saturating_sub(before.received);
            let seen = after.seen.saturating_sub(before.seen);
            Some((name, Arrivals { received, seen }))
        })
        .collect())
}

async fn sample(
    host: &mut Host,
    names: &[String],
    counted: bool,
) -> io::Result<BTreeMap<String, Arrivals>> {
    let links = host.inquiry.links().await?;
    let one = |name: &String| {
        let link = links.iter().find(|link| link.name == *name)?;
        let seen = seen(name, link.xdp?, counted)?;
        Some((name.clone(), Arrivals { received: link.rx_packets, seen }))
    };
    Ok(names.iter().filter_map(one).collect())
}

/// The driver counts for each interface, but not all do; the kernel counts all runs of the program.
fn seen(name: &str, xdp: XdpOnLink, counted: bool) -> Option<u64> {
    let driver = if xdp.generic {
        None
    } else {
        driver_statistics(name).ok().and_then(|counters| of_driver(&counters))
    };
    driver.or_else(|| program_runs(xdp.program).filter(|_| counted))
}

/// PURE: packets that a driver's counters say were given to the program.
fn of_driver(counters: &BTreeMap<String, u64>) -> Option<u64> {
    let given = |name: &&String| name.starts_with("rx") && name.ends_with("xdp_packets");
    let found: Vec<u64> =
        counters.iter().filter(|(name, _)| given(name)).map(|(_, count)| *count).collect();
    (!found.is_empty()).then(|| found.iter().sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_of_all_queues_are_one_number() {
        let counters = |names: &[(&str, u64)]| {
            of_driver(&names.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect())
        };
        let virtio = [("rx0_packets", 9), ("rx0_xdp_packets", 3), ("rx1_xdp_packets", 4)];
        assert_eq!(counters(&virtio), Some(7));
        assert_eq!(counters(&[("rx_queue_0_xdp_packets", 5), ("tx_queue_0_xdp_xmit", 1)]), Some(5));
        assert_eq!(counters(&[("rx_packets", 9)]), None);
    }
}
