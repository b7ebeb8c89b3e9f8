//! What frames may look like: VLAN tags, and more than 1,500 bytes.

use std::net::{IpAddr, SocketAddr};

use anyhow::{Context as _, ensure};
use etherparse::{PacketBuilder, SingleVlanHeader, VlanHeader, VlanId};
use lb_tests::{
    Lab,
    capture::Capture,
    raw,
    topology::{LB_INTERFACE, VIPS, client_for},
    udp, wait,
};

use crate::{
    scene::{Mode, NOTICE_LIMIT, in_every_mode},
    transfer::{download, upload},
};

/// Jumbo frames of clients, and room for outer headers.
const CLIENT_JUMBO: u16 = 9000;
const LAN_JUMBO: u16 = 9100;

/// MAC address of an interface of the balancer.
fn balancer_mac(lab: &Lab) -> anyhow::Result<[u8; 6]> {
    let text = lab.lb().ip(&format!("-br link show {LB_INTERFACE}"))?;
    let text = text.split_whitespace().nth(2).with_context(|| format!("a MAC in {text}"))?;
    let bytes: Result<Vec<u8>, _> =
        text.split(':').map(|byte| u8::from_str_radix(byte, 16)).collect();
    bytes?.try_into().ok().with_context(|| format!("six bytes in {text}"))
}

/// A datagram of client1 for the UDP service at `vip`, with `tags` VLAN tags.
fn tagged(mac: [u8; 6], vip: IpAddr, port: u16, tags: usize) -> anyhow::Result<Vec<u8>> {
    let ethernet = PacketBuilder::ethernet2([2, 0, 0, 0, 0x55, 1], mac);
    let (inner, outer) = (VlanId::try_new(5)?, VlanId::try_new(7)?);
    let link = match tags {
        1 => ethernet
            .vlan(VlanHeader::Single(SingleVlanHeader { vlan_id: inner, ..Default::default() })),
        _ => ethernet.double_vlan(outer, inner),
    };
    let ip = match (client_for(1, vip), vip) {
        (IpAddr::V4(client), IpAddr::V4(vip)) => link.ipv4(client.octets(), vip.octets(), 64),
        (IpAddr::V6(client), IpAddr::V6(vip)) => link.ipv6(client.octets(), vip.octets(), 64),
        _ => anyhow::bail!("a client has addresses of both families"),
    };
    let mut frame = Vec::new();
    ip.udp(port, udp::PORT).write(&mut frame, b"who?")?;
    Ok(frame)
}

/// The kernel of the lab may have no VLAN devices: frames get their tags by hand, on the last wire
/// before the balancer.
#[test]
fn tagged_frames_come_in_and_leave_without_tags() -> anyhow::Result<()> {
    in_every_mode(1, |_, lab, _| {
        let mac = balancer_mac(lab)?;
        let capture = Capture::start(lab, lab.switch(), "t1", "vlan")?;
        for (vip, tags) in VIPS.into_iter().flat_map(|vip| [(vip, 1), (vip, 2)]) {
            let port = 40_000 + u16::try_from(tags)?;
            raw::send(lab.switch(), "lb", &tagged(mac, vip, port, tags)?)?;
            let expected = (SocketAddr::from((client_for(1, vip), port)), vip);
            wait::until("the target has the datagram", NOTICE_LIMIT, || {
                let seen = lab.responder(1).seen();
                if seen.contains(&expected) { Ok(()) } else { Err(format!("{seen:?}")) }
            })
            .with_context(|| format!("{vip}, {tags} tags"))?;
        }
        let tagged = capture.finish()?;
        ensure!(tagged.is_empty(), "to the target: {tagged:?}");
        Ok(())
    })
}

/// A switch floods what it does not know: another balancer, or the target itself, takes that.
#[test]
fn frames_for_other_hosts_are_left_alone() -> anyhow::Result<()> {
    in_every_mode(1, |_, lab, scene| {
        let untagged = |mac, vip, port| {
            let mut frame = tagged(mac, vip, port, 1)?;
            frame.drain(12..16);
            anyhow::Ok(frame)
        };
        let reaches = |mac, port, wanted: bool| {
            for vip in VIPS {
                raw::send(lab.switch(), "lb", &untagged(mac, vip, port)?)?;
                let expected = (SocketAddr::from((client_for(1, vip), port)), vip);
                let seen = || {
                    let seen = lab.responder(1).seen();
                    if seen.contains(&expected) == wanted {
                        Ok(())
                    } else {
                        Err(format!("{expected:?}: {seen:?}"))
                    }
                };
                wait::until("the target has it or not", NOTICE_LIMIT, seen)?;
            }
            anyhow::Ok(())
        };
        let other = [2, 0, 0, 0, 0x55, 9];
        reaches(balancer_mac(lab)?, 40_001, true)?;
        reaches(other, 40_002, false)?;
        wait::until("they are counted", NOTICE_LIMIT, || {
            match scene.xelb.counter(lab, "other_host_passed") {
                Ok(2) => Ok(()),
                other => Err(format!("{other:?}")),
            }
        })?;
        // The interface gets another address, and continues to work.
        lab.lb().ip(&format!("link set {LB_INTERFACE} address 02:00:00:00:55:09"))?;
        for vip in VIPS {
            let expected = (SocketAddr::from((client_for(1, vip), 40_003)), vip);
            // What comes before the agent has followed is lost.
            wait::until("the new address is taken", NOTICE_LIMIT, || {
                let frame = untagged(other, vip, 40_003).map_err(|error| error.to_string())?;
                raw::send(lab.switch(), "lb", &frame).map_err(|error| error.to_string())?;
                let seen = lab.responder(1).seen();
                if seen.contains(&expected) { Ok(()) } else { Err(format!("{seen:?}")) }
            })?;
        }
        Ok(())
    })
}

#[test]
fn jumbo_frames_pass() -> anyhow::Result<()> {
    in_every_mode(1, |mode: Mode, lab, scene| {
        lab.set_lan_mtu(LAN_JUMBO)?;
        lab.set_client_mtu(CLIENT_JUMBO)?;
        for vip in VIPS {
            let family = if vip.is_ipv4() == mode.crossed { "ip6" } else { "ip" };
            let filter = format!("greater 8900 and {family}");
            let capture = Capture::start(lab, lab.switch(), "t1", &filter)?;
            upload(lab, vip).with_context(|| format!("upload to {vip}"))?;
            // Ten megabytes in full packets are about 1,120; not every one is full.
            capture.finish_with(500).with_context(|| format!("frames to {vip}"))?;
            download(lab, vip).with_context(|| format!("download from {vip}"))?;
        }
        let dropped = scene.xelb.counter(lab, "packet_too_big")?;
        ensure!(dropped == 0, "{dropped} packets did not fit");
        Ok(())
    })
}
