//! How received packets are spread over CPUs: queues, the receive hash, interrupts.

use std::collections::BTreeSet;

use lb_dataplane::Queues;

use crate::{Finding, InterfaceFacts};

pub(super) fn check(interface: &InterfaceFacts, cpus: u32) -> Vec<Finding> {
    let mut findings = vec![queues(interface, cpus)];
    findings.extend(spread(interface));
    findings.extend(interrupts(interface, cpus));
    findings
}

fn queues(interface: &InterfaceFacts, cpus: u32) -> Finding {
    let InterfaceFacts { name, queues: Queues { used, max, combined }, .. } = interface;
    let message = format!("{} for {cpus} CPUs", counted(*used, "receive queue"));
    let wanted = cpus.min(*max);
    if *used < wanted {
        let word = if *combined { "combined" } else { "rx" };
        let remedy = format!("ethtool -L {name} {word} {wanted}");
        return Finding::warning(
            "rx_queues",
            name,
            format!("{message}: the other CPUs are idle"),
            remedy,
        );
    }
    if *used == 1 && cpus > 1 {
        return Finding::warning(
            "rx_queues",
            name,
            format!("{message}, and the device supports no more: one CPU does all the work"),
            "use a device with more queues (for a virtual machine, configure more; for a veth, \
             set numrxqueues)",
        );
    }
    Finding::ok("rx_queues", name, message)
}

fn spread(interface: &InterfaceFacts) -> Option<Finding> {
    let InterfaceFacts { name, queues: Queues { used: queues, .. }, indirection, .. } = interface;
    if indirection.is_empty() || *queues < 2 {
        return None;
    }
    let used: BTreeSet<&u32> = indirection.iter().collect();
    let used = u32::try_from(used.len()).unwrap_or(u32::MAX);
    if used < *queues {
        let message = format!("the receive hash uses only {used} of {queues} queues");
        let remedy = format!("ethtool -X {name} equal {queues}");
        return Some(Finding::warning("rss_spread", name, message, remedy));
    }
    let message = format!("the receive hash uses all {queues} queues");
    Some(Finding::ok("rss_spread", name, message))
}

fn interrupts(interface: &InterfaceFacts, cpus: u32) -> Option<Finding> {
    let InterfaceFacts { name, queues: Queues { used: queues, .. }, interrupt_cpus, .. } =
        interface;
    if interrupt_cpus.is_empty() || *queues < 2 {
        return None;
    }
    let used: BTreeSet<u32> = interrupt_cpus.iter().flatten().copied().collect();
    let used = u32::try_from(used.len()).unwrap_or(u32::MAX);
    let message = format!("interrupts of {queues} queues go to {}", counted(used, "CPU"));
    if used < cpus.min(*queues) {
        return Some(Finding::warning(
            "irq_affinity",
            name,
            format!("{message} of {cpus}: the the other CPUs are idle"),
            "run irqbalance, or write a CPU for each queue to /proc/irq/NUMBER/smp_affinity_list \
             (numbers: /proc/interrupts)",
        ));
    }
    Some(Finding::ok("irq_affinity", name, message))
}

fn counted(number: u32, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
}

#[cfg(test)]
mod tests {
    use super::{super::sound::found, *};
    use crate::Severity::{Ok, Warning};

    #[test]
    fn idle_cpus_are_found() {
        for (used, max, combined, severity, remedy) in [
            (4, 8, true, Ok, ""),
            (8, 8, true, Ok, ""),
            (2, 2, true, Ok, ""),
            (2, 8, true, Warning, "ethtool -L eth0 combined 4"),
            (1, 2, false, Warning, "ethtool -L eth0 rx 2"),
            (1, 1, true, Warning, "use a device with more queues"),
        ] {
            let finding = found("rx_queues", |facts| {
                facts.interfaces[0].queues = Queues { used, max, combined };
            });
            assert_eq!(finding.severity, severity, "{finding:?}");
            assert!(finding.remedy.unwrap_or_default().starts_with(remedy), "{used} of {max}");
        }
    }

    #[test]
    fn a_hash_that_leaves_queues_out_is_found() {
        let finding = found("rss_spread", |facts| {
            facts.interfaces[0].indirection = vec![0, 1, 0, 1];
        });
        assert_eq!(finding.severity, Warning);
        assert!(finding.message.contains("2 of 4 queues"), "{finding:?}");
        assert_eq!(finding.remedy.as_deref(), Some("ethtool -X eth0 equal 4"));
    }

    #[test]
    fn interrupts_on_one_cpu_are_found() {
        let finding = found("irq_affinity", |facts| {
            facts.interfaces[0].interrupt_cpus = vec![vec![0]; 4];
        });
        assert_eq!(finding.severity, Warning);
        assert!(finding.message.contains("1 CPU of 4"), "{finding:?}");
    }
}
