//! Checks periodically, with interfaces, addresses and bindings, whether answers of modes nat and
//! fullnat come back through this host, as they must.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use ipnet::IpNet;
use lb_config::{Config, HostAddresses, Protocol, own_address_taken, own_address_text};
use lb_dataplane::{self as dataplane, Answered, StatsSource, StoreError};
use lb_plan::{
    NextHopState, NextHops, Reports,
    warning::{Warning, WarningKind},
};
use tokio::task::{JoinHandle, spawn_blocking};

use super::{
    answers::{self, Reached, translates},
    host,
};

/// How often the host's addresses are read, and how often the bindings.
const INTERVAL: Duration = Duration::from_secs(5);

/// So many connections without any answer of a group, for so long, are no accident.
const UNANSWERED_MIN: usize = 10;
const UNANSWERED_TIME_MIN: Duration = Duration::from_secs(10);

/// What was seen last.
#[derive(Debug, Default)]
pub(super) struct HostWatch {
    addresses: Vec<IpNet>,
    own: HostAddresses,
    read_at: Option<Instant>,
    /// A read of the bindings in progress: with millions of them it takes a while.
    looking: Option<JoinHandle<Result<BTreeMap<u16, Answered>, StoreError>>>,
    looked_at: Option<Instant>,
    /// Groups whose targets answer nothing: how many connections wait, and since when some do.
    silent: BTreeMap<Arc<str>, (usize, Instant)>,
}

impl HostWatch {
    /// Reads the host's addresses, where they are old.
    pub(super) fn poll(&mut self, config: &Config, now: Instant) {
        if !is_due(self.read_at, now) {
            return;
        }
        match host::addresses() {
            Ok(addresses) => {
                self.own = host::own_addresses(config, &addresses);
                self.addresses = addresses;
            }
            Err(error) => tracing::debug!(%error, "cannot read the host's addresses"),
        }
        self.read_at = Some(now);
    }

    /// Starts to read the bindings outside of the loop when that is due, and takes the result of
    /// the previous read.
    pub(super) async fn check_bindings(
        &mut self,
        config: &Config,
        targets: &Reports,
        stats: &StatsSource,
        now: Instant,
    ) {
        if let Some(ended) = self.looking.take_if(|looking| looking.is_finished()) {
            match ended.await {
                Ok(Ok(answered)) => self.compare(config, targets, &answered, now),
                Ok(Err(error)) => tracing::debug!(%error, "cannot check whether answers come back"),
                Err(error) => tracing::debug!(%error, "cannot check whether answers come back"),
            }
        }
        if self.looking.is_none() && is_due(self.looked_at, now) {
            let stats = stats.clone();
            self.looking = Some(spawn_blocking(move || stats.answered()));
            self.looked_at = Some(now);
        }
    }

    /// Takes over which connections of which targets, by id, have been answered.
    fn compare(
        &mut self,
        config: &Config,
        targets: &Reports,
        answered: &BTreeMap<u16, Answered>,
        now: Instant,
    ) {
        // Datagrams need no answer.
        let asked = |group: &&Arc<_>| translates(group) && group.protocol == Protocol::Tcp;
        let groups = config.target_groups.iter().filter(asked);
        let mut counts: BTreeMap<&str, Answered> =
            groups.map(|group| (&*group.name, Answered::default())).collect();
        for report in targets.iter() {
            if let Some(count) = counts.get_mut(&*report.key.group)
                && let Some(more) = answered.get(&report.id)
            {
                count.yes += more.yes;
                count.no += more.no;
            }
        }
        let before = std::mem::take(&mut self.silent);
        let silent = counts.into_iter().filter(|(_, count)| count.yes == 0 && count.no > 0);
        self.silent = silent
            .map(|(group, count)| {
                let since = before.get(group).map_or(now, |(_, since)| *since);
                (group.into(), (count.no, since))
            })
            .collect();
    }

    /// Forgets the state of answers, since no group needs them any more.
    pub(super) fn forget_answers(&mut self) {
        self.silent.clear();
        self.looking = None;
    }

    /// What is wrong; `attached` are the interfaces with the program.
    pub(super) fn warnings(
        &self,
        config: &Config,
        next_hops: &NextHops,
        attached: &BTreeSet<u32>,
        now: Instant,
    ) -> Vec<Warning> {
        let reached = |address: &IpAddr| match next_hops.get(address)? {
            NextHopState::Resolved(hop) => {
                Some(Reached { interface: hop.interface, on_link: hop.on_link })
            }
            NextHopState::Asking(_) | NextHopState::Unresolved(_) => None,
        };
        let mut warnings = self.own_addresses(config);
        warnings.extend(answers::unattached_interfaces(
            config,
            attached,
            reached,
            dataplane::interface_name,
        ));
        warnings.extend(answers::missing_sources(config, &self.addresses, reached));
        warnings.extend(self.unanswered(now));
        warnings
    }

    fn unanswered(&self, now: Instant) -> impl Iterator<Item = Warning> + '_ {
        let long = move |since| now.duration_since(since) >= UNANSWERED_TIME_MIN;
        let silent = self.silent.iter();
        silent.filter(move |(_, (count, since))| *count >= UNANSWERED_MIN && long(*since)).map(
            |(group, (count, _))| {
                let text = format!(
                    "target group {group}: {count} TCP connections wait for their first answer, \
                     and no answer of any target has come back through this host for at least {} \
                     s",
                    UNANSWERED_TIME_MIN.as_secs()
                );
                Warning::new(WarningKind::AnswersMissing, &**group, text)
            },
        )
    }

    fn own_addresses(&self, config: &Config) -> Vec<Warning> {
        let warn = |(listener, address): (&lb_config::Listener, _)| {
            let text = own_address_text(listener, address);
            Warning::new(WarningKind::OwnAddressTaken, &listener.name, text)
        };
        own_address_taken(config, &self.own).into_iter().map(warn).collect()
    }
}

fn is_due(last: Option<Instant>, now: Instant) -> bool {
    last.is_none_or(|at| now.duration_since(at) >= INTERVAL)
}

#[cfg(test)]
mod tests {
    use lb_common::target::TargetState;
    use lb_config::TargetKey;
    use lb_plan::TargetReport;

    use super::{super::answers::tests::config, *};

    fn report(group: &str, id: u16) -> TargetReport {
        let address = IpAddr::from([10, 0, 1, 11]);
        TargetReport {
            key: TargetKey { group: group.into(), address, port: 80 },
            id,
            weight: 1,
            state: TargetState::Healthy,
            reason: None,
            detail: String::new(),
            in_ring: true,
            leaving: false,
            until: None,
            share: 0.0,
        }
    }

    #[test]
    fn connections_without_any_answer_are_seen_group_by_group() {
        let mut config = config("nat");
        let web = Arc::clone(&config.target_groups[0]);
        for (name, protocol) in [("dns", Protocol::Udp), ("mail", Protocol::Tcp)] {
            let mut group = (*web).clone();
            (group.name, group.protocol) = (name.into(), protocol);
            config.target_groups.push(Arc::new(group));
        }
        let targets: Reports =
            [report("web", 1), report("web", 2), report("dns", 3), report("mail", 4)]
                .into_iter()
                .collect();
        let (start, mut watch) = (Instant::now(), HostWatch::default());
        let mut at = |seconds, counts: &[(u16, usize, usize)]| {
            let now = start + Duration::from_secs(seconds);
            let answered = counts
                .iter()
                .map(|(id, yes, no)| (*id, Answered { yes: *yes, no: *no, bindings: 0 }))
                .collect();
            watch.compare(&config, &targets, &answered, now);
            let groups: Vec<String> =
                watch.unanswered(now).map(|warning| warning.subject).collect();
            groups.join(" ")
        };
        // Neither the datagrams' group nor one that answers hides another's silence.
        let silent = [(1, 0, 6), (2, 0, 6), (3, 5, 0), (4, 9, 9)];
        assert_eq!(at(0, &silent), "", "it may take a while");
        assert_eq!(at(5, &silent), "");
        assert_eq!(at(10, &silent), "web");
        assert_eq!(at(15, &[(1, 0, 12), (2, 1, 0)]), "", "an answer of one target");
        assert_eq!(at(20, &[(1, 0, 9)]), "");
        assert_eq!(at(40, &[(1, 0, 9)]), "", "too few");
        assert_eq!(at(45, &[(1, 0, 10), (4, 0, 10)]), "web");
        assert_eq!(at(55, &[(1, 0, 10), (4, 0, 10)]), "mail web");
        assert_eq!(at(60, &[(3, 0, 100)]), "", "datagrams need no answer");
        assert_eq!(at(70, &[(1, 0, 10)]), "", "it begins anew");
        watch.forget_answers();
        assert!(watch.silent.is_empty(), "nobody translates any more");
    }
}
