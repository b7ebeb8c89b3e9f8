//! Whether the program runs at all: a driver may attach it and never call it.

use crate::{Arrivals, Finding, InterfaceFacts};

const CHECK: &str = "xdp_runs";
/// Fewer packets say nothing: some may have arrived before the count began.
const PACKETS_MIN: u64 = 10;

pub(super) fn check(interface: &InterfaceFacts) -> Option<Finding> {
    let InterfaceFacts { name, driver, arrivals, .. } = interface;
    let Arrivals { received, seen } = (*arrivals)?;
    if received < PACKETS_MIN || seen > 0 {
        let message = format!("{received} packets arrived within a second, the program saw {seen}");
        return Some(Finding::ok(CHECK, name, message));
    }
    // drivers/net/virtio_net.c: receive_big() knows no XDP.
    let remedy = if driver == "virtio_net" {
        "give the device mergeable receive buffers (QEMU: mrg_rxbuf=on at the device), or run the agent \
         with --xdp-mode generic"
    } else {
        "run the agent with --xdp-mode generic, and report this to the maintainers of the driver"
    };
    let message = format!(
        "{received} packets arrived within a second, but the program received none of them: the \
         driver does not run it"
    );
    Some(Finding::error(CHECK, name, message, remedy))
}

#[cfg(test)]
mod tests {
    use super::super::sound::found;
    use crate::{
        Arrivals,
        Severity::{Error, Ok},
    };

    #[test]
    fn a_program_that_never_runs_is_found() {
        for (received, seen, severity) in [(500, 0, Error), (500, 498, Ok), (3, 0, Ok), (0, 0, Ok)]
        {
            let finding = found("xdp_runs", |facts| {
                let interface = &mut facts.interfaces[0];
                interface.arrivals = Some(Arrivals { received, seen });
                "virtio_net".clone_into(&mut interface.driver);
                interface.queues.max = 8;
            });
            assert_eq!(finding.severity, severity, "{finding:?}");
            let remedy = finding.remedy.unwrap_or_default();
            assert_eq!(remedy.contains("mrg_rxbuf"), severity == Error);
        }
    }
}
