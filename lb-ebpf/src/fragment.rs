//! Fragments: the first one teaches the ports, later ones follow it (RFC 791, RFC 8200).
//!
//! A later fragment that comes before the first one is dropped and counted: nothing says which flow
//! it belongs to, and XDP cannot keep it. What is remembered is bounded; the oldest goes first.

use lb_common::{
    Counter, DropReason, FragmentFlow, FragmentKey, Switches, VipKey,
    listener::protocol::{TCP, UDP},
};

use crate::{
    Datagram, Packet, Tables, Wire as _,
    datagram::{Content, Transport},
    header::Tcp,
    ip_packet::IpPacket,
    link::Link,
    listener, parse,
    verdict::Stop,
};

/// The flow of a fragment.
#[inline(always)]
pub(crate) fn flow_of<P: Packet, T: Tables>(
    packet: &P,
    link: &Link,
    ip: &IpPacket,
    tables: &T,
) -> Result<Datagram, Stop> {
    let vip = VipKey::new(ip.family, ip.destination);
    let is_vip = listener::is_vip(&vip, tables);
    // It may be an answer of a target whose packets are translated.
    if !is_vip && !tables.switches().has(Switches::NAT) {
        return Err(Stop::Pass);
    }
    let identification = ip.fragment.identification;
    let key = FragmentKey::new(ip.family, ip.source, ip.destination, identification, ip.protocol);
    let flow = if ip.fragment.offset == 0 {
        first(packet, link, ip, &key, tables)
    } else {
        later(ip, &key, tables)
    };
    flow.map_err(|stop| if is_vip { stop } else { Stop::Pass })
}

/// Learns the ports of a first fragment.
#[inline(always)]
fn first<P: Packet, T: Tables>(
    packet: &P,
    link: &Link,
    ip: &IpPacket,
    key: &FragmentKey,
    tables: &T,
) -> Result<Datagram, Stop> {
    let transport = match ip.protocol {
        // RFC 1858: a first fragment that ends within the TCP header has no honest purpose.
        TCP | UDP => parse::transport(packet, link, ip).map_err(|fault| fault.judge(tables))?,
        _ => Transport::default(),
    };
    let flow = FragmentFlow {
        seen: tables.now() / 1_000_000_000,
        source_port: transport.source_port,
        destination_port: transport.destination_port,
        protocol: ip.protocol,
        reserved: [0; 3],
    };
    tables.learn_fragment(key, &flow);
    match ip.protocol {
        TCP | UDP => Ok(Datagram::new(ip, ip.protocol, transport, Content::FirstFragment)),
        _ => Err(Stop::PassCounted(Counter::FragmentPassed)),
    }
}

/// Finds the ports of a later fragment.
#[inline(always)]
fn later<T: Tables>(ip: &IpPacket, key: &FragmentKey, tables: &T) -> Result<Datagram, Stop> {
    let flow = tables
        .fragment(key)
        .filter(|flow| tables.now() / 1_000_000_000 <= flow.seen + FragmentFlow::LIFETIME)
        .ok_or(DropReason::FragmentUnmatched)?;
    match flow.protocol {
        TCP if usize::from(ip.fragment.offset) < Tcp::LEN => {
            return Err(DropReason::FragmentOverlap.into());
        }
        TCP | UDP => {}
        _ => return Err(Stop::PassCounted(Counter::FragmentPassed)),
    }
    let transport = Transport {
        source_port: flow.source_port,
        destination_port: flow.destination_port,
        ..Transport::default()
    };
    Ok(Datagram::new(ip, flow.protocol, transport, Content::LaterFragment))
}
