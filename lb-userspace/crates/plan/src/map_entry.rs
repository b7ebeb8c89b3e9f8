//! The map entries of targets and listeners.

use std::net::{IpAddr, SocketAddr};

use lb_common::{
    Address, Be16, Family, ListenerKey, Mac, Target, head::HeadFields, listener::protocol::UDP,
    target::TargetState,
};
use lb_config::{self as config, TargetGroup, Tunnel};

use crate::NextHop;

/// The entry of a target; without a next hop it is not [`Target::RESOLVED`].
pub(super) fn target(
    config: &config::Target,
    group: &TargetGroup,
    group_id: u16,
    state: TargetState,
    next_hop: Option<&NextHop>,
    tunnel: &Tunnel,
) -> Target {
    let mut entry = Target {
        flags: Target::VALID,
        group: group_id,
        mss: group.tcp_mss.unwrap_or(0),
        port: Be16::new(config.port),
        state: state as u8,
        ..Target::default()
    };
    let mut fields = HeadFields {
        mode: group.forwarding,
        address: config.address,
        destination_mac: Mac::default(),
        source_mac: Mac::default(),
        vlan: Be16::default(),
        outer_source: outer_source(config.address, tunnel),
        gue_port: Be16::new(group.gue.port),
        gue_variant: group.gue.variant,
    };
    if let Some(next_hop) = next_hop {
        entry.flags |= Target::RESOLVED;
        entry.mtu = next_hop.mtu;
        entry.interface = next_hop.interface;
        fields.vlan = Be16::new(next_hop.vlan);
        fields.destination_mac = next_hop.destination_mac.into();
        fields.source_mac = next_hop.source_mac.into();
    }
    entry.by(&fields)
}

/// The outer source towards a target, the 16 bits that vary with the flow zero.
fn outer_source(target: IpAddr, tunnel: &Tunnel) -> Address {
    match target {
        IpAddr::V4(_) => {
            let [a, b, ..] = tunnel.source_ipv4.network().octets();
            Address::v4([a, b, 0, 0])
        }
        IpAddr::V6(_) => {
            let mut octets = tunnel.source_ipv6.network().octets();
            octets[14..].fill(0);
            Address::v6(octets)
        }
    }
}

/// A key, for people.
pub(super) fn shown(key: &ListenerKey) -> String {
    let address = match Family::try_from(key.family) {
        Ok(family) => SocketAddr::new(key.address.to_ip(family), key.port.get()).to_string(),
        Err(_) => "an address of no family".to_owned(),
    };
    let protocol = if key.protocol == UDP { "udp" } else { "tcp" };
    format!("{address}/{protocol}")
}
