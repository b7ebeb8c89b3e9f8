//! Files of procfs and sysfs: reading them, and PURE functions for their content.

use std::{fs, net::Ipv6Addr, path::Path};

use crate::Setting;

/// Flags of IPv6 addresses (linux/if_addr.h).
const DAD_FAILED: u32 = 0x08;
const TENTATIVE: u32 = 0x40;

/// An IPv6 address with the flags of duplicate address detection.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Ipv6Entry {
    pub(super) address: Ipv6Addr,
    pub(super) interface: String,
    pub(super) tentative: bool,
    pub(super) dad_failed: bool,
}

/// A text, or nothing where it cannot be read.
fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// A number, where there is one.
pub(super) fn number(path: &str) -> Option<u32> {
    read(path).trim().parse().ok()
}

/// An IPv4 sysctl of an interface.
pub(super) fn setting(interface: &str, name: &str) -> Setting {
    let of = |place: &str| number(&format!("/proc/sys/net/ipv4/conf/{place}/{name}")).unwrap_or(0);
    Setting { all: of("all"), own: of(interface) }
}

/// CPUs that are `online`, or `possible`.
pub(super) fn cpus(which: &str) -> u32 {
    let cpus = numbers(&read(format!("/sys/devices/system/cpu/{which}")));
    u32::try_from(cpus.len()).unwrap_or(u32::MAX).max(1)
}

/// Where file systems of type bpf are mounted.
pub(super) fn bpffs() -> Vec<String> {
    mounts_of("bpf", &read("/proc/self/mounts"))
}

/// IPv6 addresses of the host.
pub(super) fn ipv6_addresses() -> Vec<Ipv6Entry> {
    read("/proc/net/if_inet6").lines().filter_map(ipv6_entry).collect()
}

/// For each interrupt of a PCI device's receive queues the CPUs that handle it.
pub(super) fn interrupt_cpus(bus: &str) -> Vec<Vec<u32>> {
    let Ok(entries) = fs::read_dir(format!("/sys/bus/pci/devices/{bus}/msi_irqs")) else {
        return Vec::new();
    };
    let interrupts = read("/proc/interrupts");
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|number| receives(*number, &interrupts))
        .map(|number| numbers(&read(format!("/proc/irq/{number}/effective_affinity_list"))))
        .filter(|cpus| !cpus.is_empty())
        .collect()
}

/// PURE: numbers of a list such as `0-3,8`.
fn numbers(list: &str) -> Vec<u32> {
    list.trim()
        .split(',')
        .filter_map(|part| {
            let (start, end) = part.split_once('-').unwrap_or((part, part));
            Some(start.parse().ok()?..=end.parse().ok()?)
        })
        .flatten()
        .collect()
}

/// PURE: mount points of file systems of a type.
fn mounts_of(kind: &str, mounts: &str) -> Vec<String> {
    let mut places: Vec<String> = mounts
        .lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace().skip(1);
            let place = words.next()?;
            (words.next()? == kind).then(|| place.to_owned())
        })
        .collect();
    places.sort_unstable();
    places.dedup();
    places
}

/// PURE: a line of /proc/net/if_inet6.
fn ipv6_entry(line: &str) -> Option<Ipv6Entry> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [address, _, _, _, flags, interface] = words.as_slice() else { return None };
    let flags = u32::from_str_radix(flags, 16).ok()?;
    Some(Ipv6Entry {
        address: u128::from_str_radix(address, 16).ok()?.into(),
        interface: (*interface).to_owned(),
        tentative: flags & TENTATIVE != 0,
        dad_failed: flags & DAD_FAILED != 0,
    })
}

/// PURE: whether an interrupt is one of a receive queue, by its name in /proc/interrupts.
fn receives(number: u32, interrupts: &str) -> bool {
    const OTHERS: [&str; 8] =
        ["config", "async", "output", "ctrl", "mbox", "misc", "event", "fdir"];
    let prefix = format!("{number}:");
    let Some(line) = interrupts.lines().find(|line| line.trim_start().starts_with(&prefix)) else {
        return false;
    };
    let name = line.split_whitespace().last().unwrap_or_default().to_ascii_lowercase();
    let transmits_only = name.contains("tx") && !name.contains("rx");
    !transmits_only && !OTHERS.iter().any(|other| name.contains(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_numbers_are_read() {
        assert_eq!(numbers("0-3,8\n"), [0, 1, 2, 3, 8]);
        assert_eq!(numbers("5"), [5]);
        assert_eq!(numbers(""), [0; 0]);
    }

    #[test]
    fn mounts_are_found_by_type() {
        let mounts = "bpf /sys/fs/bpf bpf rw 0 0\nnone /run/b bpf rw 0 0\nbpf /x tmpfs rw 0 0\n";
        assert_eq!(mounts_of("bpf", mounts), ["/run/b", "/sys/fs/bpf"]);
    }

    #[test]
    fn flags_of_ipv6_addresses_are_read() {
        let line = "20010db8000000000000000000000010 01 80 00 c8       lo";
        let entry = ipv6_entry(line).unwrap();
        assert_eq!(entry.address, "2001:db8::10".parse::<Ipv6Addr>().unwrap());
        assert_eq!(
            (entry.interface.as_str(), entry.tentative, entry.dad_failed),
            ("lo", true, true)
        );
        let fine = ipv6_entry("fe800000000000000000000000000001 02 40 20 80     eth0").unwrap();
        assert!(!fine.tentative && !fine.dad_failed);
    }

    #[test]
    fn interrupts_of_receive_queues_are_recognised() {
        let text = "      CPU0  CPU1\n 37:  0  0  PCI-MSIX-0000:00:03.0  0-edge  virtio2-config\n \
                    38:  0  1  PCI-MSIX-0000:00:03.0  1-edge  virtio2-input.0\n 39:  0  1  \
                    PCI-MSIX-0000:00:03.0  2-edge  virtio2-output.0\n140:  0  1  PCI-MSI  \
                    eth0-TxRx-0\n141:  0  1  PCI-MSI  eth0-tx-0\n";
        let seen: Vec<u32> = (0..200).filter(|number| receives(*number, text)).collect();
        assert_eq!(seen, [38, 140]);
    }
}
