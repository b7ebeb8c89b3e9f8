//! Answers what is known of one target.

use lb_config::{TargetAddress, TargetKey};
use nix::net::if_::if_indextoname;

use super::{
    Refusal, TargetDescription,
    description::{CheckView, ProbeView, next_hop},
    http_view, names,
    run::Agent,
    view,
};

/// Events of a description.
const HISTORY_MAX: usize = 10;

impl Agent {
    /// The one target of a group with this address, and this port if one is given; it may have left
    /// the configuration.
    pub(super) fn describe_target(
        &self,
        group: &str,
        target: &TargetAddress,
        port: Option<u16>,
    ) -> Result<TargetDescription, Refusal> {
        let absent = || {
            let place = port.map_or_else(|| target.to_string(), |port| target.with_port(port));
            Refusal::Absent(format!(
                "there is no target {group}/{place}; `xelb get targets` lists all"
            ))
        };
        let balancer = self.balancer.as_ref().ok_or_else(absent)?;
        let address = names::only_address(group, target, balancer.origins())?;
        let is_it = |key: &TargetKey| {
            *key.group == *group
                && key.address == address
                && port.is_none_or(|port| port == key.port)
        };
        let mut found = balancer
            .plan
            .targets
            .iter()
            .chain(&balancer.http.reports)
            .filter(|report| is_it(&report.key));
        let report = found.next().ok_or_else(absent)?;
        if found.next().is_some() {
            return Err(Refusal::Invalid(format!(
                "target group {group} has {address} on several ports; name one as ADDRESS:PORT"
            )));
        }
        let key = &report.key;
        let backups = view::backups(&balancer.config);
        let target = view::target_of(balancer, &backups, report, &self.scheduler);
        let history = self.events.of_target(key, HISTORY_MAX);
        let since_ms =
            history.first().filter(|event| event.to == target.state).map(|event| event.at_ms);
        let config = &balancer.config;
        let packets = config.target_groups.iter().find(|one| *one.name == *group);
        let requests = config.http_target_groups.iter().find(|one| *one.name == *group);
        let check = packets.map(|one| &one.health_check);
        let check = check.or_else(|| requests.map(|one| &one.health_check));
        let name = |index| {
            let name = if_indextoname(index).ok().and_then(|name| name.into_string().ok());
            name.unwrap_or_else(|| format!("number {index}"))
        };
        let (next_hop, next_hop_problem) =
            next_hop(balancer.next_hops.current().get(&address), name);
        Ok(TargetDescription {
            target,
            since_ms,
            listeners: view::listeners(balancer)
                .chain(http_view::listeners(config))
                .filter(|listener| listener.target_group == group)
                .collect(),
            health_check: check.map(|check| CheckView::new(check, key.port)),
            probes: self.scheduler.recent(key).into_iter().map(ProbeView::from).collect(),
            next_hop,
            next_hop_problem,
            history,
        })
    }
}
