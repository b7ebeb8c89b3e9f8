//! From the target groups of a configuration to those of the proxy. Health is added later.

use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr},
};

use lb_config::{
    Algorithm, CookieStickiness, HttpGroupProtocol, HttpTargetGroup, HttpVersion, MinimumHealthy,
    ProxyProtocol, RetryReason, TargetKey,
};
use lb_health::CheckSpec;
use lb_proxy::{
    Group, GroupAttributes, Target, TargetProtocol, TargetStickiness,
    choice::{self, AnomalySettings, Health, Settings},
};

use crate::{certificates, unservable::Unservable};

/// A group whose targets are not checked yet, and how they are checked, in the same order.
#[derive(Clone, Debug)]
pub(crate) struct PreparedGroup {
    pub(crate) group: Group,
    pub(crate) checks: Vec<CheckSpec>,
}

/// What the proxy makes of a group; an error for each setting that it cannot serve.
pub(crate) fn prepare(group: &HttpTargetGroup) -> Result<PreparedGroup, Vec<Unservable>> {
    let mut reasons = Vec::new();
    let targets = group.targets.iter();
    let addresses: Vec<SocketAddr> =
        targets.map(|target| SocketAddr::new(target.address, target.port)).collect();
    let hosts: BTreeSet<IpAddr> = addresses.iter().map(SocketAddr::ip).collect();
    let protocol = protocol(group);
    let tls = group.tls.as_ref().map(|tls| certificates::of_targets(tls, &hosts, protocol));
    let tls = tls.transpose().map_err(|reason| reasons.push(reason));
    // The document of an agent has members and addresses of names as targets, and no `scaling`.
    if group.scaling.is_some() {
        reasons.push(
            "a group that scales needs an agent, which starts its members: give `--socket` or \
             `--server` instead of a file, or remove `scaling`"
                .to_owned(),
        );
    }
    if let Some(named) = group.names.first() {
        reasons.push(format!(
            "the DNS name {named} needs an agent, which resolves it: give `--socket` or `--server` \
             instead of a file, or write addresses"
        ));
    }
    let (Ok(tls), []) = (tls, reasons.as_slice()) else {
        let name = group.name.to_string();
        let named = |reason| Unservable::Group { name: name.clone(), reason };
        return Err(reasons.into_iter().map(named).collect());
    };
    let targets = addresses.iter().zip(&group.targets).map(|(address, target)| Target {
        address: *address,
        weight: target.weight,
        health: Health::Unhealthy,
    });
    let prepared = Group {
        name: group.name.to_string(),
        targets: targets.collect(),
        choice: Settings {
            algorithm: algorithm(group.algorithm),
            slow_start: group.slow_start,
            anomaly_mitigation: group.anomaly_mitigation.then(AnomalySettings::default),
            connections_max: group.max_connections.unwrap_or(0),
            healthy_min: healthy_min(group.minimum_healthy, group.targets.len()),
        },
        stickiness: stickiness(&group.stickiness),
        tls,
        attributes: attributes(group, protocol),
    };
    let checks = addresses.iter().map(|address| check(group, *address)).collect();
    Ok(PreparedGroup { group: prepared, checks })
}

fn check(group: &HttpTargetGroup, address: SocketAddr) -> CheckSpec {
    let (name, port) = (group.name.clone(), address.port());
    CheckSpec {
        target: TargetKey { group: name, address: address.ip(), port },
        check: group.health_check.clone(),
        resume: None,
    }
}

fn protocol(group: &HttpTargetGroup) -> TargetProtocol {
    match (group.protocol, group.version) {
        (HttpGroupProtocol::Grpc, _) => TargetProtocol::Grpc,
        (HttpGroupProtocol::Tcp, _) => TargetProtocol::Tcp,
        (_, HttpVersion::Http1) => TargetProtocol::Http1,
        (_, HttpVersion::Http2) => TargetProtocol::Http2,
    }
}

fn attributes(group: &HttpTargetGroup, protocol: TargetProtocol) -> GroupAttributes {
    let retries = &group.retries;
    let is_on = |reason| retries.attempts > 0 && retries.on.contains(&reason);
    let on_connect = is_on(RetryReason::ConnectFailure);
    GroupAttributes {
        protocol,
        connect_retries: if on_connect { retries.attempts } else { 0 },
        retry_reused: is_on(RetryReason::ReusedConnection),
        retry_statuses: retries.on.iter().copied().filter_map(status).collect(),
        status_retries: retries.attempts,
        retry_budget_percent: retries.budget_percent,
        deregistration_delay: group.deregistration_delay,
        proxy_protocol: proxy_protocol(group.proxy_protocol),
        ..GroupAttributes::default()
    }
}

fn status(reason: RetryReason) -> Option<u16> {
    match reason {
        RetryReason::Status(status) => Some(status),
        RetryReason::ConnectFailure | RetryReason::ReusedConnection => None,
    }
}

/// With fewer healthy targets than this, all are used.
fn healthy_min(minimum: MinimumHealthy, targets: usize) -> usize {
    (0..=targets).find(|healthy| minimum.is_met(*healthy, targets)).unwrap_or(targets + 1)
}

fn algorithm(algorithm: Algorithm) -> choice::Algorithm {
    match algorithm {
        Algorithm::RoundRobin => choice::Algorithm::RoundRobin,
        Algorithm::LeastOutstandingRequests => choice::Algorithm::LeastOutstanding,
        Algorithm::WeightedRandom => choice::Algorithm::WeightedRandom,
    }
}

fn stickiness(stickiness: &CookieStickiness) -> Option<TargetStickiness> {
    match stickiness {
        CookieStickiness::None => None,
        CookieStickiness::LbCookie(duration) => {
            Some(TargetStickiness { duration: *duration, app_cookie: None })
        }
        CookieStickiness::AppCookie { name, duration } => {
            Some(TargetStickiness { duration: *duration, app_cookie: Some(name.clone()) })
        }
    }
}

fn proxy_protocol(protocol: ProxyProtocol) -> lb_proxy::ProxyProtocol {
    match protocol {
        ProxyProtocol::None => lb_proxy::ProxyProtocol::None,
        ProxyProtocol::V1 => lb_proxy::ProxyProtocol::Version1,
        ProxyProtocol::V2 => lb_proxy::ProxyProtocol::Version2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_healthy_targets_satisfy_both_limits() {
        for (count, percentage, targets, expected) in [
            (1, None, 3, 1),
            (2, None, 1, 2),
            (1, Some(50), 4, 2),
            (1, Some(50), 3, 2),
            (3, Some(50), 4, 3),
            (1, Some(100), 3, 3),
            (1, None, 0, 1),
        ] {
            let minimum = MinimumHealthy { count, percentage };
            assert_eq!(healthy_min(minimum, targets), expected, "{minimum:?} of {targets}");
        }
    }

    /// A file alone has nobody who starts members; an agent's document has no `scaling`.
    #[test]
    fn a_group_that_scales_is_refused() {
        let text = |scaling: &str| {
            format!(
                "interfaces: [eth0]\ntarget_groups: [{{ name: web, protocol: http, port: 80, \
                 targets: [{{ address: 10.0.1.1 }}]{scaling} }}]\n"
            )
        };
        let prepared = |text: &str| {
            let (_, config, _) = lb_config::parse(text, "x.yaml").unwrap();
            prepare(&config.http_target_groups[0])
        };
        assert!(prepared(&text("")).is_ok());
        let scaling = ", scaling: { min: 1, max: 2, driver: { static: { targets: [{ address: \
                       10.0.1.2 }, { address: 10.0.1.3 }] } } }";
        let reasons = prepared(&text(scaling)).unwrap_err();
        let shown: Vec<String> = reasons.iter().map(ToString::to_string).collect();
        assert!(shown[0].contains("a group that scales needs an agent"), "{shown:?}");
        let named = text("").replace("10.0.1.1", "order.example.org");
        let reasons = prepared(&named).unwrap_err();
        assert!(
            reasons[0].to_string().contains("the DNS name order.example.org:80 needs an agent")
        );
    }
}
