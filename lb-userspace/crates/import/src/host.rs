//! What belongs to the balancer host: interfaces, and the source addresses of mode fullnat.

use std::net::IpAddr;

use lb_common::target::Mode;
use lb_config::TargetAddress;

use crate::{
    address::is_ipv6,
    document::{Document, Group},
    ledger::Ledger,
    placeholders::Placeholders,
    remark::{Kind, brief},
    service::Found,
    settings::Settings,
};

/// The interfaces of the program.
pub(crate) fn interfaces(
    found: &Found,
    settings: &Settings,
    document: &mut Document,
    ledger: &mut Ledger,
) {
    if !settings.interfaces.is_empty() {
        for name in &settings.interfaces {
            if !document.interfaces.contains(name) {
                document.interfaces.push(name.clone());
            }
        }
        return;
    }
    for (name, line) in &found.interfaces {
        if name.is_empty()
            || name.len() > 15
            || name.contains(|c: char| !c.is_ascii_graphic() || "/:".contains(c))
        {
            ledger.hand(*line, format!("`{}` is no name of an interface", brief(name)));
            continue;
        }
        document.lines.push(*line);
        if !document.interfaces.contains(name) {
            document.interfaces.push(name.clone());
        }
    }
    if document.interfaces.is_empty() {
        document.interfaces.push("eth0".to_owned());
        ledger.remark(
            Kind::Hand,
            [],
            "interfaces: eth0 is a placeholder, since the input names no interface where clients' \
             packets arrive; give --interface, or correct it",
        );
    }
}

/// The addresses of `source_nat`, when a group needs them.
pub(crate) fn sources(
    found: &Found,
    settings: &Settings,
    document: &mut Document,
    placeholders: &mut Placeholders,
    ledger: &mut Ledger,
) {
    let fullnat = document.groups.iter().filter(|group| group.forwarding == Mode::Fullnat);
    let targets: Vec<&TargetAddress> =
        fullnat.flat_map(|group| group.targets.iter().map(|target| &target.address)).collect();
    let has_fullnat = document.groups.iter().any(|group| group.forwarding == Mode::Fullnat);
    if !has_fullnat {
        return;
    }
    document.sources.clone_from(&settings.source_addresses);
    if document.sources.is_empty() {
        let vips: Vec<IpAddr> = document.listeners.iter().map(|one| one.address).collect();
        for (address, line) in &found.sources {
            let is_special =
                address.is_unspecified() || address.is_loopback() || address.is_multicast();
            if is_special
                || vips.contains(address)
                || targets.contains(&&TargetAddress::Ip(*address))
            {
                let message = format!(
                    "{address} cannot be an address of `source_nat`: it must belong to the balancer \
                     alone, and not be that of a listener or target"
                );
                ledger.hand(*line, message);
                continue;
            }
            document.lines.push(*line);
            if !document.sources.contains(address) {
                document.sources.push(*address);
            }
        }
    }
    for ipv6 in [false, true] {
        // What names have is not known: most have IPv4 addresses.
        let of_family = |target: &&TargetAddress| is_ipv6(target).unwrap_or(false) == ipv6;
        let is_needed = targets.iter().any(of_family) || (!ipv6 && targets.is_empty());
        if is_needed && !document.sources.iter().any(|source| source.is_ipv6() == ipv6) {
            let address = placeholders.next(ipv6);
            document.sources.push(address);
            ledger.remark(
                Kind::Hand,
                [],
                format!(
                    "source_nat: {address} is a placeholder; mode fullnat needs an address of the \
                     balancer that nothing else uses, to which targets have a route; give \
                     --source-address, or correct it"
                ),
            );
        }
    }
}

/// Answers pass the balancer in some modes: they must arrive where the program is attached.
pub(crate) fn answers(document: &Document, ledger: &mut Ledger) {
    let translates = |group: &Group| matches!(group.forwarding, Mode::Nat | Mode::Fullnat);
    if document.interfaces.len() == 1 && document.groups.iter().any(translates) {
        ledger.remark(
            Kind::Hand,
            [],
            "interfaces: with mode nat or fullnat, answers of targets must arrive at one of them; add \
             the interface towards the targets if it is another",
        );
    }
}
