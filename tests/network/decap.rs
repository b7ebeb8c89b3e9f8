//! `xelb decap --allow`: tunnel packets from anybody else are dropped, and counted.

use std::{fs, net::IpAddr};

use anyhow::{Context as _, ensure};
use lb_tests::{Configuration, Host, Xelb, agent::decap_log, topology::VIPS, udp};

use crate::scene::{MODES, NOTICE_LIMIT, Scene, in_lab};

/// Each is one packet.
const QUESTIONS: usize = 24;
/// The longest wait for an answer that does not come.
const SILENCE: std::time::Duration = std::time::Duration::from_millis(100);
/// Where balancers send from by default.
const BALANCERS: [&str; 4] = ["--allow", "172.16.0.0/16", "--allow", "100::/64"];
const SOMEBODY_ELSE: [&str; 4] = ["--allow", "192.0.2.0/24", "--allow", "2001:db8:ee::/48"];

/// How many questions were answered by this target, and how many not at all.
fn ask(client: &Host, vip: IpAddr, target: &'static str) -> (usize, usize) {
    client.run(move || {
        let answers: Vec<_> = (0..QUESTIONS)
            .map(|_| udp::ask((vip, udp::PORT).into(), "who?", SILENCE).ok())
            .collect();
        let by_target = answers.iter().filter(|one| one.as_deref() == Some(target)).count();
        (by_target, answers.iter().filter(|one| one.is_none()).count())
    })
}

#[test]
fn tunnel_packets_of_others_are_dropped_and_counted() -> anyhow::Result<()> {
    for mode in MODES.into_iter().filter(|mode| mode.forwarding.is_tunnel()) {
        in_lab(2, move |lab| {
            let xelb = Xelb::find(None)?;
            let mut strict = xelb.decap_at(lab, lab.target(1), "eth0", &SOMEBODY_ELSE)?;
            let open = xelb.decap_at(lab, lab.target(2), "eth0", &BALANCERS)?;
            let everything = Configuration::everything(mode.forwarding, mode.crossed, &[1, 2]);
            let _scene = Scene::start_with(lab, &everything, vec![open])?;
            let mut refused = 0;
            for vip in VIPS {
                let (answered, silent) = ask(lab.client(1), vip, "t2");
                ensure!(answered > 0 && silent > 0, "{vip}: {answered} answers, {silent} missing");
                ensure!(answered + silent == QUESTIONS, "{vip}: t1 has answered");
                refused += silent;
            }
            strict.stop(NOTICE_LIMIT)?;
            let log = fs::read_to_string(decap_log(lab, lab.target(1), "eth0"))?;
            let counted = format!("counted: outer_source_refused {refused}\n");
            ensure!(log.ends_with(&counted), "not {counted:?}: {log}");
            Ok(())
        })
        .with_context(|| format!("in mode {}", mode.name))?;
    }
    Ok(())
}
