//! PURE: whether answers of modes nat and fullnat can come back through this host, as they must: what its
//! routes, interfaces and addresses say of it. Asked by the agent all the time, by `xelb validate` once.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use ipnet::IpNet;
use lb_common::Mode;
use lb_config::{Config, TargetGroup};
use lb_plan::warning::{Warning, WarningKind};

/// How this host reaches a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reached {
    /// Index of the interface towards it.
    pub interface: u32,
    /// Whether it is on the link itself, not behind a router.
    pub on_link: bool,
}

/// Whether packets to a group are translated.
#[must_use]
pub const fn translates(group: &TargetGroup) -> bool {
    matches!(group.forwarding, Mode::Nat | Mode::Fullnat)
}

/// Groups with targets that are reached by other interfaces than those with the program (`attached`, by
/// index), one warning each. `reached` says how this host reaches a target, `name` how an interface is called.
pub fn unattached_interfaces(
    config: &Config,
    attached: &BTreeSet<u32>,
    reached: impl Fn(&IpAddr) -> Option<Reached>,
    name: impl Fn(u32) -> Option<String>,
) -> Vec<Warning> {
    let groups = config.target_groups.iter().filter(|group| translates(group));
    groups.filter_map(|group| unseen_of(group, attached, &reached, &name)).collect()
}

fn unseen_of(
    group: &TargetGroup,
    attached: &BTreeSet<u32>,
    reached: impl Fn(&IpAddr) -> Option<Reached>,
    name: impl Fn(u32) -> Option<String>,
) -> Option<Warning> {
    let mut interfaces: BTreeMap<u32, usize> = BTreeMap::new();
    let ways = group.targets.iter().filter_map(|target| reached(&target.address));
    for Reached { interface, .. } in ways.filter(|way| !attached.contains(&way.interface)) {
        *interfaces.entry(interface).or_default() += 1;
    }
    let count: usize = interfaces.values().sum();
    let name = |index| name(index).unwrap_or_else(|| format!("interface number {index}"));
    let named: Vec<String> = interfaces.into_keys().map(name).collect();
    let (name, named) = (&group.name, named.join(", "));
    let text = format!(
        "target group {name}: answers of {count} of {} targets come in by {named}, which is not \
         in `interfaces`: the answers are not translated back",
        group.targets.len()
    );
    (count > 0).then(|| Warning::new(WarningKind::AnswersUnseen, &**name, text))
}

/// Source addresses of fullnat that targets resolve on their own link, and that no interface has
/// among its `addresses`, so that no host answers ARP for them. An address that is routed here
/// needs no interface.
pub fn missing_sources(
    config: &Config,
    addresses: &[IpNet],
    reached: impl Fn(&IpAddr) -> Option<Reached>,
) -> Vec<Warning> {
    let Some(source_nat) = &config.source_nat else {
        return Vec::new();
    };
    let groups = config.target_groups.iter().filter(|one| one.forwarding == Mode::Fullnat);
    let targets: Vec<IpAddr> =
        groups.flat_map(|group| &group.targets).map(|target| target.address).collect();
    let on_link = |address: &IpAddr| reached(address).is_some_and(|way| way.on_link);
    let missing = |source: &&IpAddr| {
        let has = addresses.iter().any(|own| own.addr() == **source);
        let mut links = addresses.iter().filter(|own| own.contains(*source));
        !has && links
            .any(|own| targets.iter().any(|target| own.contains(target) && on_link(target)))
    };
    let warn = |source: &IpAddr| {
        let text = format!(
            "source_nat: no interface of this host has {source}: targets on the same link cannot \
             resolve this address, and their answers do not come back"
        );
        Warning::new(WarningKind::SourceAddressMissing, source.to_string(), text)
    };
    source_nat.addresses.iter().filter(missing).map(warn).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use lb_config::parse;

    use super::*;

    pub(crate) fn config(mode: &str) -> Config {
        let text = format!(
            "interfaces: [eth0]\nsource_nat: {{ addresses: [10.0.1.3] }}\ntarget_groups:\n  - {{ name: \
             web, protocol: tcp, port: 80, forwarding: {mode}, targets: [{{ address: 10.0.1.11 }}, \
             {{ address: 10.0.1.12 }}] }}\nlisteners:\n  - {{ name: web, address: 203.0.113.1, port: \
             80, protocol: tcp, default_action: {{ forward: {{ target_group: web }} }} }}\n"
        );
        parse(&text, "x.yaml").unwrap_or_else(|error| panic!("{error}")).1
    }

    #[test]
    fn answers_need_the_program_at_their_interface() {
        for (mode, interface, expected) in
            [("nat", 7, 0), ("nat", 8, 1), ("fullnat", 8, 1), ("ipip", 8, 0)]
        {
            let reached = |_: &IpAddr| Some(Reached { interface, on_link: true });
            let warnings = unattached_interfaces(&config(mode), &[7].into(), reached, |_| None);
            assert_eq!(warnings.len(), expected, "{mode} {interface}");
        }
        let reached = |address: &IpAddr| {
            let interface = if address.to_string() == "10.0.1.11" { 8 } else { 7 };
            Some(Reached { interface, on_link: true })
        };
        let warnings = unattached_interfaces(&config("nat"), &[7].into(), reached, |_| {
            Some("eth1".to_owned())
        });
        assert_eq!(
            warnings,
            ["target group web: answers of 1 of 2 targets come in by eth1, which is not in \
              `interfaces`: the answers are not translated back"]
        );
        assert!(
            unattached_interfaces(&config("nat"), &[7].into(), |_| None, |_| None).is_empty(),
            "nothing known"
        );
    }

    #[test]
    fn a_source_on_the_targets_link_must_be_the_hosts() {
        for (addresses, mode, on_link, expected) in [
            (vec!["10.0.1.2/24"], "fullnat", true, 1),
            (vec!["10.0.1.2/24", "10.0.1.3/32"], "fullnat", true, 0),
            (vec!["10.0.1.2/24"], "nat", true, 0),
            // Behind a router, which may have a route.
            (vec!["10.0.1.2/24"], "fullnat", false, 0),
            (vec!["10.0.0.2/24"], "fullnat", true, 0),
        ] {
            let addresses: Vec<IpNet> = addresses.iter().map(|one| one.parse().unwrap()).collect();
            let reached = |_: &IpAddr| Some(Reached { interface: 7, on_link });
            let warnings = missing_sources(&config(mode), &addresses, reached);
            assert_eq!(warnings.len(), expected, "{mode} {on_link} {addresses:?}");
        }
    }
}
