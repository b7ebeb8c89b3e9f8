//! A target group that the proxy reaches: of `http`, `https` or `grpc`, or of `tcp` without `forwarding`.

use std::sync::Arc;

use super::{
    certificates::{ca, certificate_files},
    health_check::{Checked, health_check},
    http_group_attributes::{Attributes, attributes},
    probe::ProbeDefaults,
    scaling::{Reached, scaling, take_reports},
    tags::tags,
    targets::{Either, ReadTarget, TargetList},
    weight::WEIGHT,
};
use crate::{
    model::{
        GroupTags, HealthCheck, HealthProtocol, HttpGroupProtocol, HttpTarget, HttpTargetGroup,
        HttpVersion, NamedTarget, TargetAddress, TargetTls, TlsCheck, Verify,
    },
    positions::HttpGroupPositions,
    section::Section,
    values,
};

pub(super) fn http_target_group(
    section: Section<'_>,
    protocol: HttpGroupProtocol,
    index: usize,
    default_weight: Option<u32>,
) -> Option<(HttpTargetGroup, HttpGroupPositions)> {
    let at = section.at.clone();
    // It is known already.
    let _protocol = section.entry("protocol");
    let name = section.require("name", "name: order", values::name);
    let port = section.require("port", "port: 8080", values::port);
    refuse_keys_of_packets(&section, protocol);
    let version = version(&section, protocol);
    let tls = tls(&section, protocol);
    let mut all_tags = GroupTags { own: tags(&section), ..GroupTags::default() };
    let TargetList { targets, places, names, name_places } = TargetList::read(
        &section,
        ("requests", name.as_deref(), default_weight),
        &mut all_tags,
        |section| target(section, port, default_weight),
    );
    let mut health_check =
        health_check(&section, Checked::Requests(check_defaults(protocol, tls.as_ref())));
    // A target that speaks HTTP/2 with prior knowledge often speaks nothing else.
    if let (HttpVersion::Http2, Some(HealthCheck { protocol: HealthProtocol::Http(check), .. })) =
        (version, &mut health_check)
    {
        check.http2 = true;
    }
    let attributes = section.section("attributes").map(|one| attributes(one, protocol, version));
    let scaling = match protocol {
        HttpGroupProtocol::Tcp => None,
        _ => scaling(&section, port, Reached::ByRequests),
    };
    take_reports(&section, health_check.as_mut(), scaling.as_ref());
    section.finish();
    let Attributes {
        deregistration_delay,
        minimum_healthy,
        algorithm,
        stickiness,
        slow_start,
        anomaly_mitigation,
        retries,
        max_connections,
        proxy_protocol,
    } = attributes?;
    let group = HttpTargetGroup {
        name: name?.into(),
        protocol,
        version,
        tls,
        port: port?,
        targets,
        names,
        health_check: health_check?,
        deregistration_delay,
        minimum_healthy,
        algorithm,
        stickiness,
        slow_start,
        anomaly_mitigation,
        retries,
        max_connections,
        proxy_protocol,
        scaling: scaling.map(Box::new),
    };
    let tags = Arc::new(all_tags);
    Some((group, HttpGroupPositions { index, at, targets: places, names: name_places, tags }))
}

fn refuse_keys_of_packets(section: &Section<'_>, protocol: HttpGroupProtocol) {
    if protocol == HttpGroupProtocol::Tcp {
        // It would make it a group of packets.
        let _none = section.entry("forwarding");
        section.refuse(
            "scaling",
            "needs `forwarding` in this version: the proxy connects to the targets of this group; \
             declare them",
        );
        section.refuse(
            "protocol_version",
            "belongs to groups of http, https and grpc; this one is tcp",
        );
        return;
    }
    let message = format!(
        "belongs to groups of tcp, udp and quic; this one is {protocol}, whose requests go through \
         the proxy; remove it"
    );
    section.refuse("forwarding", message);
}

fn version(section: &Section<'_>, protocol: HttpGroupProtocol) -> HttpVersion {
    if protocol == HttpGroupProtocol::Tcp {
        return HttpVersion::Http1;
    }
    let words = [("http1", HttpVersion::Http1), ("http2", HttpVersion::Http2)];
    let read =
        section.read("protocol_version", |node| values::word(node, &words, "http1 or http2"));
    if protocol != HttpGroupProtocol::Grpc {
        return read.unwrap_or_default();
    }
    if let (Some(HttpVersion::Http1), Some(entry)) = (read, section.entry("protocol_version")) {
        let message = "contradicts `protocol: grpc`, which needs HTTP/2; remove it";
        section.findings.error(&entry.at, message);
    }
    HttpVersion::Http2
}

/// TLS towards targets: always with `https`; with `grpc` and `tcp` if the key is there.
fn tls(group: &Section<'_>, protocol: HttpGroupProtocol) -> Option<TargetTls> {
    match protocol {
        HttpGroupProtocol::Http => {
            group.refuse("tls", "belongs to groups of https, grpc and tcp; this one is http");
            return None;
        }
        HttpGroupProtocol::Https => {}
        HttpGroupProtocol::Grpc | HttpGroupProtocol::Tcp => {
            group.entry("tls")?;
        }
    }
    let section = group.section("tls")?;
    let server_name = section.read("server_name", values::server_name);
    let authorities = ca(&section);
    let words = [("full", true), ("none", false)];
    let verify = section.read("verify", |node| values::word(node, &words, "full or none"));
    if let (Some(false), Some(entry)) = (verify, section.entry("ca")) {
        section.findings.error(&entry.at, "contradicts `verify: none`; remove one of the two");
    }
    let client_certificate = certificate_files(&section, false);
    section.finish();
    let verify = match (verify, authorities) {
        (Some(false), _) => Verify::None,
        (_, Some(file)) => Verify::File(file),
        (_, None) => Verify::System,
    };
    Some(TargetTls { server_name, verify, client_certificate })
}

/// Checks do what requests do, unless they say otherwise.
fn check_defaults(protocol: HttpGroupProtocol, tls: Option<&TargetTls>) -> ProbeDefaults {
    let tls = tls.map(|TargetTls { server_name, verify, .. }| TlsCheck {
        server_name: server_name.clone(),
        verify: verify.clone(),
    });
    let kind = match protocol {
        HttpGroupProtocol::Http => values::ProbeKind::Http,
        HttpGroupProtocol::Https => values::ProbeKind::Https,
        HttpGroupProtocol::Grpc => values::ProbeKind::Grpc,
        HttpGroupProtocol::Tcp => values::ProbeKind::Tcp,
    };
    ProbeDefaults { kind, tls }
}

/// A target, or the name of some.
fn target(
    section: Section<'_>,
    group_port: Option<u16>,
    default_weight: Option<u32>,
) -> Option<ReadTarget<HttpTarget>> {
    let address =
        section.require("address", "address: 10.0.1.11", |node| values::target_address(node, true));
    let port = section.read("port", values::port).or(group_port);
    let own = section.read("weight", values::weight);
    let weight = own.or(default_weight).unwrap_or(WEIGHT);
    section.refuse("backup", "belongs to targets of groups with `forwarding`");
    let tags = tags(&section);
    section.finish();
    let (address, port) = (address?, port?);
    let target = match address {
        TargetAddress::Ip(address) => {
            Either::Address((address, port), HttpTarget { address, port, weight })
        }
        TargetAddress::Name(name) => {
            Either::Name(NamedTarget { name, port, weight, backup: false })
        }
    };
    Some(ReadTarget { target, own, is_backup: false, tags })
}
