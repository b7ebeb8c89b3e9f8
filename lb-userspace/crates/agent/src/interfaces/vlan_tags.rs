//! Interfaces in generic mode whose device removes VLAN tags: the program does not see the tag,
//! which stays in the packet's metadata, and forwarded packets leave with it. Looked for from time
//! to time, since `ethtool` and `ip link` change it without an event.

use std::{
    collections::BTreeMap,
    fs,
    time::{Duration, Instant},
};

use lb_dataplane::{Attached, Driver};
use lb_plan::warning::{Warning, WarningKind};

/// Between two looks.
const INTERVAL: Duration = Duration::from_secs(5);
/// The feature of a device that takes tags off; `ethtool -K` calls it `rxvlan`.
const FEATURE: &str = "rx-vlan-hw-parse";
/// VLAN interfaces of this process's network namespace; missing where there are none.
const VLANS: &str = "/proc/thread-self/net/vlan/config";

/// Text of the same finding of `xelb doctor`.
pub const GENERIC: &str = "generic mode forwards packets with their original tag, to the wrong \
                           VLAN";

/// The remedy.
#[must_use]
pub fn remedy(interface: &str, driver: &str) -> String {
    if driver == "veth" {
        "in the network namespace of the veth peer: ethtool -K PEER txvlan off".to_owned()
    } else {
        format!("ethtool -K {interface} rxvlan off")
    }
}

/// What is wrong with each interface, by its configured name.
#[derive(Debug, Default)]
pub(super) struct VlanTags {
    looked_at: Option<Instant>,
    warnings: BTreeMap<String, Warning>,
}

impl VlanTags {
    pub(super) fn poll(&mut self, attached: &[Attached], now: Instant) {
        if self.looked_at.is_some_and(|at| now.duration_since(at) < INTERVAL) {
            return;
        }
        self.looked_at = Some(now);
        let generic = attached.iter().filter(|one| !one.native);
        let mut generic = generic.peekable();
        self.warnings.clear();
        if generic.peek().is_none() {
            return;
        }
        let table = fs::read_to_string(VLANS).unwrap_or_default();
        for one in generic {
            let current = one.current_name();
            let driver = Driver::read(current).unwrap_or_default();
            let warning = judge(&one.name, current, &driver, &vlans(&table, current));
            self.warnings.extend(warning.map(|warning| (one.name.clone(), warning)));
        }
    }

    pub(super) fn warnings(&self) -> impl Iterator<Item = Warning> + '_ {
        self.warnings.values().cloned()
    }
}

/// The warning of an interface in generic mode. Said only where there are VLANs: nearly every device takes
/// tags off, and most networks have none.
fn judge(name: &str, current: &str, driver: &Driver, vlans: &[&str]) -> Option<Warning> {
    if driver.features.get(FEATURE) != Some(&true) || vlans.is_empty() {
        return None;
    }
    let text = format!(
        "interface {name}: VLAN tags are removed before the program runs ({}), and {GENERIC}; {}",
        vlans.join(", "),
        remedy(current, &driver.name)
    );
    Some(Warning::new(WarningKind::VlanTagsStripped, name, text))
}

/// Names of the VLAN interfaces on one, from the kernel's table: `NAME | NUMBER | INTERFACE`.
fn vlans<'table>(table: &'table str, interface: &str) -> Vec<&'table str> {
    let on = |line: &'table str| {
        let mut fields = line.split('|').map(str::trim);
        let name = fields.next()?;
        (fields.nth(1)? == interface).then_some(name)
    };
    table.lines().filter_map(on).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "VLAN Dev name    | VLAN ID\nName-Type: VLAN_NAME_TYPE_RAW_PLUS_VID_NO_PAD\n\
                         eth0.5         | 5  | eth0\neth0.7         | 7  | eth0\nblue | 9  | eth1\n";

    #[test]
    fn vlans_are_found_in_the_kernels_table() {
        for (interface, expected) in
            [("eth0", vec!["eth0.5", "eth0.7"]), ("eth1", vec!["blue"]), ("eth", vec![])]
        {
            assert_eq!(vlans(TABLE, interface), expected);
        }
        assert!(vlans("", "eth0").is_empty());
    }

    #[test]
    fn stripped_tags_are_named_where_there_are_vlans() {
        let said = |on: Option<bool>, driver: &str, vlans: &[&str]| {
            let features = on.map(|on| (FEATURE.to_owned(), on)).into_iter().collect();
            let driver = Driver { name: driver.to_owned(), features, ..Driver::default() };
            judge("lan", "eth0", &driver, vlans).map(|warning| warning.text)
        };
        assert_eq!(
            said(Some(true), "ixgbe", &["eth0.5"]).unwrap(),
            "interface lan: VLAN tags are removed before the program runs (eth0.5), and generic \
             mode forwards packets with their original tag, to the wrong VLAN; ethtool -K eth0 \
             rxvlan off"
        );
        assert!(
            said(Some(true), "veth", &["eth0.5"]).unwrap().ends_with("ethtool -K PEER txvlan off")
        );
        for (on, vlans) in [(Some(false), &["eth0.5"][..]), (None, &["eth0.5"]), (Some(true), &[])]
        {
            assert_eq!(said(on, "ixgbe", vlans), None, "{on:?} {vlans:?}");
        }
    }

    /// The name of the feature in ethtool that says whether a device removes tags.
    #[test]
    fn only_generic_mode_is_asked_for() {
        let mut tags = VlanTags::default();
        let attached = Attached { name: "lo".to_owned(), native: true, ..Attached::default() };
        tags.poll(&[attached], Instant::now());
        assert_eq!(tags.warnings().count(), 0);
    }
}
