//! Two balancers on one link whose switch floods every frame, as a hub does: each sees what is for the
//! other. What clients send arrives once, and frames on the link are a bounded number.

use std::{fs, thread, time::Duration};

use anyhow::{Context as _, ensure};
use lb_tests::{
    Configuration, Forwarding, Lab, Process, Xelb,
    agent::{configuration_path, write_configuration},
    capture::Capture,
    process::Task,
    topology::{VIPS, address, plug},
    udp, wait,
    xdp_pass::XdpPass,
};

use crate::scene::{NOTICE_LIMIT, REQUEST_LIMIT, Scene, in_lab};

const DATAGRAMS: usize = 20;
/// On the port of a target: the frame for the balancer, and the one for a target. In mode ipip the
/// second one is not matched.
const COPIES: usize = 2;
/// A frame that goes round would do so thousands of times.
const WATCH: Duration = Duration::from_secs(1);

/// A second balancer with the same configuration, at the same switch.
fn second_balancer(lab: &Lab, xelb: &Xelb) -> anyhow::Result<(Process, XdpPass)> {
    const PINS: &str = "/sys/fs/bpf/xelb-second";
    let host = lab.host("lb2")?;
    plug(lab.switch(), &host, "eth0")?;
    let pass = XdpPass::attach(lab.switch(), "lb2")?;
    address(&host, "eth0", &["10.0.0.4/24", "fd00::4/64"])?;
    let socket = "/run/xelb-second/xelb.sock";
    fs::create_dir_all("/run/xelb-second")?;
    // A file of its own: an agent watches its folder.
    let folder = lab.directory().join("second");
    fs::create_dir_all(&folder)?;
    let file = folder.join("xelb.yaml");
    fs::copy(configuration_path(lab), &file)?;
    let file = file.display().to_string();
    let arguments =
        ["agent", "--config", &file, "--bpffs", PINS, "--socket", socket, "--xdp-mode", "native"];
    let agent = host.spawn(Task::new(xelb.program(), &arguments).log_to(&lab.log("agent2"))?)?;
    wait::until("the second balancer has healthy targets", NOTICE_LIMIT, || {
        let arguments = ["get", "targets", "-o", "json", "--socket", socket];
        let said = host
            .finish(Task::new(xelb.program(), &arguments), NOTICE_LIMIT)
            .and_then(lb_tests::process::Finished::success)
            .map_err(|error| error.to_string())?;
        // Two targets in each of four groups.
        if said.matches("\"healthy\"").count() == 8 { Ok(()) } else { Err(said) }
    })?;
    Ok((agent, pass))
}

#[test]
fn a_flooded_datagram_is_balanced_once() -> anyhow::Result<()> {
    for forwarding in [Forwarding::L2dsr, Forwarding::Ipip] {
        in_lab(2, move |lab| {
            let configuration = Configuration::everything(forwarding, false, &[1, 2]);
            write_configuration(lab, &configuration)?;
            let scene = Scene::start(lab, &configuration)?;
            let _second = second_balancer(lab, &scene.xelb)?;
            // Nothing is learnt any more.
            lab.switch().ip("link set br0 type bridge ageing_time 0")?;
            for vip in VIPS {
                let family = if vip.is_ipv4() { "ip" } else { "ip6" };
                let filter =
                    format!("{family} and udp and dst host {vip} and dst port {}", udp::PORT);
                let before: usize = seen(lab);
                let capture = Capture::start(lab, lab.switch(), "t1", &filter)?;
                for _ in 0..DATAGRAMS {
                    let server = (vip, udp::PORT).into();
                    lab.client(1).run(move || udp::ask(server, "who?", REQUEST_LIMIT))?;
                }
                thread::sleep(WATCH);
                let frames = capture.finish()?.len();
                let arrived = seen(lab) - before;
                ensure!(arrived == DATAGRAMS, "{vip}: {DATAGRAMS} sent, {arrived} arrived");
                ensure!(
                    (DATAGRAMS..=DATAGRAMS * COPIES).contains(&frames),
                    "{vip}: {frames} frames of {DATAGRAMS} datagrams at the port of a target"
                );
            }
            Ok(())
        })
        .with_context(|| format!("in mode {forwarding}"))?;
    }
    Ok(())
}

/// Datagrams that targets have got.
fn seen(lab: &Lab) -> usize {
    (1..=2).map(|number| lab.responder(number).seen().len()).sum()
}
