//! Datagrams in fragments arrive whole: all parts come to the same target.

use std::{collections::BTreeMap, net::IpAddr, time::Duration};

use anyhow::{Context as _, ensure};
use lb_tests::{Configuration, Host, topology::VIPS, udp};

use crate::scene::{MODES, REQUEST_LIMIT, Scene, in_every_mode, in_lab};

const TARGETS: u8 = 3;
/// In six parts, on clients' links.
const LENGTH: usize = 8000;
const PARTS: u64 = 6;
/// Each from a port of its own, and so to a target of its own choice.
const DATAGRAMS: usize = 60;
/// The longest wait for an answer that does not come.
const SILENCE: Duration = Duration::from_millis(300);

#[test]
fn fragments_of_a_datagram_go_to_one_target() -> anyhow::Result<()> {
    in_every_mode(TARGETS, |_, lab, scene| {
        for target in lab.targets() {
            // The LAN is wider than the way to clients: the first answer over IPv6 would be lost.
            target.ip("-6 route change default via fd00::1 mtu 1500")?;
        }
        for vip in VIPS {
            let before = scene.xelb.counter(lab, "fragment_forwarded")?;
            let answers = ask(lab.client(1), vip).with_context(|| vip.to_string())?;
            ensure!(answers.len() == usize::from(TARGETS), "answers by target: {answers:?}");
            let parts = scene.xelb.counter(lab, "fragment_forwarded")? - before;
            ensure!(parts == PARTS * DATAGRAMS as u64, "{vip}: {parts} parts were forwarded");
        }
        let unmatched = scene.xelb.counter(lab, "fragment_unmatched")?;
        ensure!(unmatched == 0, "{unmatched} parts came to nobody");
        Ok(())
    })
}

/// Without space for an outer header, the client gets an ICMP error for its first datagram, and
/// sends smaller fragments from then on.
#[test]
fn clients_send_smaller_fragments_when_the_tunnel_mtu_is_too_small() -> anyhow::Result<()> {
    for mode in MODES.into_iter().filter(|mode| mode.forwarding.is_tunnel()) {
        in_lab(3, move |lab| {
            lab.set_lan_mtu(1500)?;
            let all = Configuration::everything(mode.forwarding, mode.crossed, &[1, 2, 3]);
            let scene = Scene::start(lab, &all)?;
            for vip in VIPS {
                let first = "x".repeat(LENGTH);
                let first =
                    lab.client(1).run(move || udp::ask((vip, udp::PORT).into(), &first, SILENCE));
                ensure!(first.is_err(), "{vip}: the first datagram has arrived: {first:?}");
                let dropped = scene.xelb.counter(lab, "packet_too_big")?;
                let answers = ask(lab.client(1), vip).with_context(|| vip.to_string())?;
                ensure!(answers.len() == usize::from(TARGETS), "answers by target: {answers:?}");
                let more = scene.xelb.counter(lab, "packet_too_big")? - dropped;
                ensure!(more == 0, "{vip}: {more} parts did not fit");
            }
            Ok(())
        })
        .with_context(|| format!("in mode {}", mode.name))?;
    }
    Ok(())
}

/// Sends all datagrams; they come back with the name of the target that had the whole of them.
fn ask(client: &Host, vip: IpAddr) -> anyhow::Result<BTreeMap<String, usize>> {
    let digits = b"0123456789abcdef".iter().cycle().take(LENGTH).copied().collect();
    let question = String::from_utf8(digits)?;
    client.run(move || {
        let mut answers = BTreeMap::new();
        for number in 0..DATAGRAMS {
            let target = udp::ask((vip, udp::PORT).into(), &question, REQUEST_LIMIT)
                .with_context(|| format!("datagram {number}"))?;
            *answers.entry(target).or_default() += 1;
        }
        Ok(answers)
    })
}
