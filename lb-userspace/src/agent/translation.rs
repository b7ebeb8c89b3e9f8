//! Whether answers of modes nat and fullnat come back through this host, as they must: what its
//! interfaces, addresses and counters say of it. PURE, but for the look at the host's addresses.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    time::{Duration, Instant},
};

use ipnet::IpNet;
use lb_common::{Counter, Mode};

use super::host;
use crate::{
    config::{Config, Protocol, TargetGroup, own_address_taken, own_address_text},
    dataplane::{self, Stats},
    next_hop::{NextHopState, NextHops},
    warning::{Warning, WarningKind},
};

/// How often the host's addresses are read.
const ADDRESSES_INTERVAL: Duration = Duration::from_secs(5);

/// So many new flows without any answer, for so long, are no accident.
const UNANSWERED_FLOWS_MIN: u64 = 10;
const UNANSWERED_TIME_MIN: Duration = Duration::from_secs(10);

/// What was seen last.
#[derive(Debug, Default)]
pub(super) struct HostWatch {
    addresses: Vec<IpNet>,
    read_at: Option<Instant>,
    unanswered: Option<Unanswered>,
}

/// New flows since the last answer.
#[derive(Clone, Copy, Debug)]
struct Unanswered {
    since: Instant,
    created: u64,
    replies: u64,
    flows: u64,
}

pub(super) const fn translates(group: &TargetGroup) -> bool {
    matches!(group.forwarding, Mode::Nat | Mode::Fullnat)
}

impl HostWatch {
    /// Reads the host's addresses, where they matter and are old.
    pub(super) fn look(&mut self, config: &Config, now: Instant) {
        let wide = config.listeners.iter().any(|listener| listener.exact().is_none());
        let matters = wide || config.source_nat.is_some();
        let fresh = self.read_at.is_some_and(|at| now.duration_since(at) < ADDRESSES_INTERVAL);
        if !matters || fresh {
            return;
        }
        match host::addresses() {
            Ok(addresses) => self.addresses = addresses,
            Err(error) => tracing::debug!(%error, "cannot read the host's addresses"),
        }
        self.read_at = Some(now);
    }

    /// Compares the counters of flows and answers with what they were.
    pub(super) fn compare(&mut self, config: &Config, stats: &Stats, now: Instant) {
        let value = |counter| {
            let found = stats.counters.iter().find(|(other, _)| *other == counter);
            found.map_or(0, |(_, value)| *value)
        };
        let (created, replies) = (value(Counter::FlowCreated), value(Counter::ReplyForwarded));
        // Datagrams need no answer.
        let mut groups = config.target_groups.iter().filter(|group| translates(group));
        let tcp = groups.all(|group| group.protocol == Protocol::Tcp);
        let silent = self.unanswered.filter(|last| last.replies == replies && tcp);
        let flows = silent.map_or(0, |last| last.flows + created.saturating_sub(last.created));
        // The time begins with the first flow.
        let since = silent.filter(|last| last.flows > 0).map_or(now, |last| last.since);
        self.unanswered = Some(Unanswered { since, created, replies, flows });
    }

    /// Forgets the counters, since there is nobody any more whose answers could be missed.
    pub(super) fn forget_flows(&mut self) {
        self.unanswered = None;
    }

    /// What is wrong; `attached` are the interfaces with the program.
    pub(super) fn warnings(
        &self,
        config: &Config,
        next_hops: &NextHops,
        attached: &BTreeSet<u32>,
        now: Instant,
    ) -> Vec<Warning> {
        let mut warnings = self.own_addresses(config);
        for group in config.target_groups.iter().filter(|group| translates(group)) {
            warnings.extend(unseen(group, next_hops, attached));
        }
        warnings.extend(self.sources(config, next_hops));
        let long = |silent: &Unanswered| now.duration_since(silent.since) >= UNANSWERED_TIME_MIN;
        let silent = self.unanswered.filter(|silent| silent.flows >= UNANSWERED_FLOWS_MIN);
        if let Some(Unanswered { flows, .. }) = silent.filter(long) {
            let text = format!(
                "modes nat and fullnat: {flows} new connections, and no answer of a target has come \
                 back through this host"
            );
            warnings.push(Warning::new(WarningKind::AnswersMissing, "", text));
        }
        warnings
    }

    fn own_addresses(&self, config: &Config) -> Vec<Warning> {
        let own = self.addresses.iter().map(IpNet::addr).collect();
        let warn = |(listener, address): (&crate::config::Listener, _)| {
            let text = own_address_text(listener, address);
            Warning::new(WarningKind::OwnAddressTaken, &listener.name, text)
        };
        own_address_taken(config, &own).into_iter().map(warn).collect()
    }

    /// Sources of fullnat that targets ask for on their own link, and that nobody answers for. What
    /// is routed here needs to be on no interface.
    fn sources(&self, config: &Config, next_hops: &NextHops) -> Vec<Warning> {
        let Some(source_nat) = &config.source_nat else {
            return Vec::new();
        };
        let groups = config.target_groups.iter().filter(|one| one.forwarding == Mode::Fullnat);
        let targets: Vec<IpAddr> =
            groups.flat_map(|group| &group.targets).map(|target| target.address).collect();
        let on_link = |address: &IpAddr| matches!(next_hops.get(address), Some(NextHopState::Resolved(hop)) if hop.on_link);
        let missing = |source: &&IpAddr| {
            let has = self.addresses.iter().any(|own| own.addr() == **source);
            let mut links = self.addresses.iter().filter(|own| own.contains(*source));
            !has && links
                .any(|own| targets.iter().any(|target| own.contains(target) && on_link(target)))
        };
        let warn = |source: &IpAddr| {
            let text = format!(
                "source_nat: no interface of this host has {source}: targets on the link get no answer \
                 when they ask for it, and theirs do not come back"
            );
            Warning::new(WarningKind::SourceAddressMissing, source.to_string(), text)
        };
        source_nat.addresses.iter().filter(missing).map(warn).collect()
    }
}

/// Targets of a group that are reached by interfaces without the program.
fn unseen(group: &TargetGroup, next_hops: &NextHops, attached: &BTreeSet<u32>) -> Option<Warning> {
    let mut interfaces: BTreeMap<u32, usize> = BTreeMap::new();
    for target in &group.targets {
        if let Some(NextHopState::Resolved(hop)) = next_hops.get(&target.address)
            && !attached.contains(&hop.interface)
        {
            *interfaces.entry(hop.interface).or_default() += 1;
        }
    }
    let count: usize = interfaces.values().sum();
    let name = |index| {
        dataplane::interface_name(index).unwrap_or_else(|| format!("interface number {index}"))
    };
    let named: Vec<String> = interfaces.into_keys().map(name).collect();
    let (name, named) = (&group.name, named.join(", "));
    let text = format!(
        "target group {name}: answers of {count} of {} targets come in by {named}, which is not among \
         `interfaces`: they are not translated back",
        group.targets.len()
    );
    (count > 0).then(|| Warning::new(WarningKind::AnswersUnseen, &**name, text))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{config::parse, next_hop::NextHop};

    fn config(mode: &str) -> Config {
        let text = format!(
            "interfaces: [eth0]\nsource_nat: {{ addresses: [10.0.1.3] }}\ntarget_groups:\n  - {{ name: \
             web, protocol: tcp, port: 80, forwarding: {mode}, targets: [{{ address: 10.0.1.11 }}, \
             {{ address: 10.0.1.12 }}] }}\nlisteners:\n  - {{ name: web, address: 203.0.113.1, port: \
             80, protocol: tcp, default_action: {{ forward: {{ target_group: web }} }} }}\n"
        );
        parse(&text, "x.yaml").unwrap_or_else(|error| panic!("{error}")).1
    }

    fn hops(interface: u32, on_link: bool) -> NextHops {
        let hop = NextHop {
            interface,
            vlan: 0,
            source_mac: [2; 6],
            destination_mac: [4; 6],
            mtu: 1500,
            on_link,
        };
        let targets: [IpAddr; 2] = ["10.0.1.11", "10.0.1.12"].map(|one| one.parse().unwrap());
        targets.map(|address| (address, NextHopState::Resolved(hop))).into()
    }

    fn kinds(watch: &HostWatch, mode: &str, hops: &NextHops, now: Instant) -> Vec<WarningKind> {
        let warnings = watch.warnings(&config(mode), hops, &[7].into(), now);
        warnings.iter().map(|warning| warning.kind).collect()
    }

    #[test]
    fn answers_need_the_program_at_their_interface() {
        let (watch, now) = (HostWatch::default(), Instant::now());
        for (mode, interface, expected) in [
            ("nat", 7, vec![]),
            ("nat", 8, vec![WarningKind::AnswersUnseen]),
            ("fullnat", 8, vec![WarningKind::AnswersUnseen]),
            ("ipip", 8, vec![]),
        ] {
            assert_eq!(kinds(&watch, mode, &hops(interface, true), now), expected, "{mode}");
        }
        let warnings = watch.warnings(&config("nat"), &hops(4_000_000, true), &[7].into(), now);
        assert_eq!(
            warnings[0],
            "target group web: answers of 2 of 2 targets come in by interface number 4000000, which is \
             not among `interfaces`: they are not translated back"
        );
    }

    #[test]
    fn a_source_on_the_targets_link_must_be_the_hosts() {
        let now = Instant::now();
        let missing = vec![WarningKind::SourceAddressMissing];
        for (addresses, mode, on_link, expected) in [
            (vec!["10.0.1.2/24"], "fullnat", true, missing.clone()),
            (vec!["10.0.1.2/24", "10.0.1.3/32"], "fullnat", true, vec![]),
            (vec!["10.0.1.2/24"], "nat", true, vec![]),
            // Behind a router, which may have a route.
            (vec!["10.0.1.2/24"], "fullnat", false, vec![]),
            (vec!["10.0.0.2/24"], "fullnat", true, vec![]),
        ] {
            let addresses = addresses.iter().map(|one| one.parse().unwrap()).collect();
            let watch = HostWatch { addresses, ..HostWatch::default() };
            assert_eq!(kinds(&watch, mode, &hops(7, on_link), now), expected, "{mode} {on_link}");
        }
    }

    #[test]
    fn connections_without_any_answer_are_seen() {
        let start = Instant::now();
        let mut watch = HostWatch::default();
        let mut at = |seconds, created, replies, config: &Config| {
            let now = start + Duration::from_secs(seconds);
            let counters =
                vec![(Counter::FlowCreated, created), (Counter::ReplyForwarded, replies)];
            watch.compare(config, &Stats { counters, ..Stats::default() }, now);
            let warnings = watch.warnings(config, &hops(7, true), &[7].into(), now);
            warnings.iter().any(|warning| warning.kind == WarningKind::AnswersMissing)
        };
        let tcp = config("nat");
        assert!(!at(0, 100, 50, &tcp), "what was before is not known");
        assert!(!at(1, 120, 50, &tcp), "it may take a while");
        assert!(!at(10, 120, 50, &tcp));
        assert!(at(11, 120, 50, &tcp));
        assert!(!at(12, 120, 51, &tcp), "an answer");
        assert!(!at(30, 125, 51, &tcp));
        assert!(!at(60, 129, 51, &tcp), "too few");
        assert!(at(61, 200, 51, &tcp));
        let mut udp = tcp.clone();
        Arc::make_mut(&mut udp.target_groups[0]).protocol = Protocol::Udp;
        assert!(!at(62, 300, 51, &udp), "datagrams need no answer");
        assert!(!at(63, 400, 51, &tcp));
        assert!(at(80, 400, 51, &tcp));
        watch.forget_flows();
        let later = start + Duration::from_secs(81);
        assert_eq!(kinds(&watch, "ipip", &hops(7, true), later), [], "nobody translates any more");
    }
}
