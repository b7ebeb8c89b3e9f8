//! From the target groups of a configuration to those of the proxy. Health is added later.

use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr},
};

use lb_config::{
    Algorithm, CookieStickiness, HttpGroupProtocol, HttpTargetGroup, HttpVersion, MinimumHealthy,
    ProxyProtocol, RetryReason, TargetAddress, TargetKey,
};
use lb_health::CheckSpec;
use lb_proxy::{
    Group, GroupAttributes, Target, TargetStickiness,
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
pub(crate) fn prepare(
    group: &HttpTargetGroup,
    workers: usize,
) -> Result<PreparedGroup, Vec<Unservable>> {
    let mut reasons = Vec::new();
    if group.protocol == HttpGroupProtocol::Grpc || group.version == HttpVersion::Http2 {
        reasons.push(
            "this version speaks HTTP/1.1 with targets: use `protocol: http` or `https` with \
             `protocol_version: http1`"
                .to_owned(),
        );
    }
    let addresses = addresses(group).map_err(|reason| reasons.push(reason)).unwrap_or_default();
    let connect_retries = connect_retries(group).map_err(|reason| reasons.push(reason));
    let connections_max = connections_max(group, workers).map_err(|reason| reasons.push(reason));
    let hosts: BTreeSet<IpAddr> = addresses.iter().map(SocketAddr::ip).collect();
    let tls = group.tls.as_ref().map(|tls| certificates::of_targets(tls, &hosts));
    let tls = tls.transpose().map_err(|reason| reasons.push(reason));
    let (Ok(connect_retries), Ok(connections_max), Ok(tls), []) =
        (connect_retries, connections_max, tls, reasons.as_slice())
    else {
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
            connections_max,
            healthy_min: healthy_min(group.minimum_healthy, group.targets.len()),
        },
        stickiness: stickiness(&group.stickiness),
        tls,
        attributes: GroupAttributes {
            connect_retries,
            proxy_protocol: proxy_protocol(group.proxy_protocol),
            ..GroupAttributes::default()
        },
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

/// Addresses and ports of all targets.
fn addresses(group: &HttpTargetGroup) -> Result<Vec<SocketAddr>, String> {
    let targets = group.targets.iter().map(|target| match &target.address {
        TargetAddress::Ip(address) => Ok(SocketAddr::new(*address, target.port)),
        TargetAddress::Name(name) => Err(format!(
            "this version resolves no names of targets: write the address of {name} instead"
        )),
    });
    targets.collect()
}

/// How many other targets are tried after a failed connection.
fn connect_retries(group: &HttpTargetGroup) -> Result<u32, String> {
    let retries = &group.retries;
    if let Some(status) = retries.on.iter().find(|reason| matches!(reason, RetryReason::Status(_)))
    {
        return Err(format!(
            "this version sends no request again after a response: remove {status} from `retries.on`"
        ));
    }
    if retries.budget_percent != lb_config::Retries::default().budget_percent {
        return Err("this version has no budget of retries: remove `retries.budget`".to_owned());
    }
    if retries.attempts == 0 || !retries.on.contains(&RetryReason::ReusedConnection) {
        return Err("this version always sends a request again when a reused connection was \
                    closed: leave `reused_connection` in `retries.on`, and `retries.attempts` at 1 \
                    or more"
            .to_owned());
    }
    let on_connect = retries.on.contains(&RetryReason::ConnectFailure);
    Ok(if on_connect { retries.attempts } else { 0 })
}

/// The limit of one worker: each gets the same part of the host's.
fn connections_max(group: &HttpTargetGroup, workers: usize) -> Result<u32, String> {
    let Some(most) = group.max_connections else { return Ok(0) };
    let workers = u32::try_from(workers.max(1)).unwrap_or(u32::MAX);
    match most / workers {
        0 => Err(format!(
            "max_connections is {most}, and each of {workers} workers needs at least one \
             connection: raise it, or start with `--workers {most}`"
        )),
        each => Ok(each),
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
}
