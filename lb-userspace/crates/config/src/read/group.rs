//! One target group: its targets and attributes.

use std::sync::Arc;

use lb_common::target::Mode;

use super::{
    health_check::{Checked, health_check},
    http_group_attributes,
    life::life,
    scaling::{Reached, scaling, take_reports},
    tags::tags,
    targets::{Either, ReadTarget, TargetList},
    weight::WEIGHT,
};
use crate::{
    model::{GroupTags, Gue, Life, NamedTarget, Protocol, Target, TargetAddress, TargetGroup},
    positions::GroupPositions,
    section::Section,
    values,
};

/// Groups that get requests.
const OF_REQUESTS: &str = "http, https and grpc";
/// Groups that the proxy reaches.
const OF_PROXY: &str = "http, https and grpc, and of tcp without `forwarding`";
/// What every IPv4 host takes (RFC 9293: 576 bytes less two headers).
const TCP_MSS_MIN: u16 = 536;
/// Jumbo frames of 9,000 bytes less two headers.
const TCP_MSS_MAX: u16 = 8960;

pub(super) fn target_group(
    section: Section<'_>,
    index: usize,
    default_weight: Option<u32>,
) -> Option<(TargetGroup, GroupPositions)> {
    let name = section.require("name", "name: web", values::name);
    let protocol = section.require("protocol", "protocol: tcp", values::group_protocol);
    let port = section.require("port", "port: 80", values::port);
    let forwarding = section.require("forwarding", "forwarding: ipip", values::mode);
    let forwarding_at = section.entry("forwarding").map(|entry| entry.at);
    let port_at = section.entry("port").map(|entry| entry.at);
    let at = section.at.clone();
    if let Some(protocol) = protocol {
        for (key, groups) in [("protocol_version", OF_REQUESTS), ("tls", OF_PROXY)] {
            section.refuse(key, format!("belongs to groups of {groups}; this one is {protocol}"));
        }
    }
    let mut all_tags = GroupTags { own: tags(&section), ..GroupTags::default() };
    let TargetList { targets, places, names, name_places } = TargetList::read(
        &section,
        ("flows", name.as_deref(), default_weight),
        &mut all_tags,
        |section| target(section, port, default_weight),
    );
    let mut health_check = health_check(&section, Checked::Packets { protocol, mode: forwarding });
    let attributes =
        section.section("attributes").map(|section| attributes(section, protocol, forwarding));
    let scaling = scaling(&section, port, Reached::ByPackets);
    take_reports(&section, health_check.as_mut(), scaling.as_ref());
    section.finish();
    let Attributes { life, gue, tcp_mss } = attributes?;
    Some((
        TargetGroup {
            name: name?.into(),
            protocol: protocol?,
            port: port?,
            forwarding: forwarding?,
            targets,
            names,
            health_check: health_check?,
            life,
            gue,
            tcp_mss,
            scaling: scaling.map(Box::new),
        },
        GroupPositions {
            index,
            at,
            port: port_at?,
            forwarding: forwarding_at?,
            targets: places,
            names: name_places,
            tags: Arc::new(all_tags),
        },
    ))
}

/// A target, or the name of some.
fn target(
    section: Section<'_>,
    group_port: Option<u16>,
    default_weight: Option<u32>,
) -> Option<ReadTarget<Target>> {
    let address = section
        .require("address", "address: 10.0.1.11", |node| values::target_address(node, false));
    let port = section.read("port", values::port).or(group_port);
    let own = section.read("weight", values::weight);
    let weight = own.or(default_weight).unwrap_or(WEIGHT);
    let backup = section.read("backup", values::truth).unwrap_or_default();
    let tags = tags(&section);
    section.finish();
    let (address, port) = (address?, port?);
    let target = match address {
        TargetAddress::Ip(address) => {
            Either::Address((address, port), Target { address, port, weight, backup })
        }
        TargetAddress::Name(name) => Either::Name(NamedTarget { name, port, weight, backup }),
    };
    Some(ReadTarget { target, own, is_backup: backup, tags })
}

struct Attributes {
    life: Life,
    gue: Gue,
    tcp_mss: Option<u16>,
}

fn attributes(
    section: Section<'_>,
    protocol: Option<Protocol>,
    forwarding: Option<Mode>,
) -> Attributes {
    if let Some(protocol) = protocol {
        for key in http_group_attributes::KEYS {
            section.refuse(key, format!("belongs to groups of {OF_PROXY}; this one is {protocol}"));
        }
    }
    let gue = gue(&section, forwarding);
    let tcp_mss = tcp_mss(&section, protocol);
    let life = life(&section, protocol, forwarding);
    section.finish();
    Attributes { life, gue, tcp_mss }
}

fn gue(section: &Section<'_>, forwarding: Option<Mode>) -> Gue {
    let default = Gue::default();
    let port = section.read("gue_port", values::port).unwrap_or(default.port);
    let variant = section.read("gue_variant", |node| values::small_number(node, 0..=1));
    if let Some(mode) = forwarding
        && mode != Mode::Gue
    {
        for key in ["gue_port", "gue_variant"] {
            if let Some(entry) = section.entry(key) {
                let message =
                    format!("belongs to `forwarding: gue`; this group is {}", mode.name());
                section.findings.error(&entry.at, message);
            }
        }
    }
    Gue { port, variant: variant.map_or(default.variant, |variant| u8::from(variant == 1)) }
}

fn tcp_mss(section: &Section<'_>, protocol: Option<Protocol>) -> Option<u16> {
    let entry = section.entry("tcp_mss")?;
    if let Some(protocol @ (Protocol::Udp | Protocol::Quic)) = protocol {
        let message = format!("belongs to `protocol: tcp`; this group is {protocol}");
        section.findings.error(&entry.at, message);
    }
    section.read("tcp_mss", |node| values::small_number(node, TCP_MSS_MIN..=TCP_MSS_MAX))
}
