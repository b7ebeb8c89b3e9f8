//! Modes nat and fullnat with real stacks: both directions, ports translated, state that outlives
//! the agent, errors that come back.

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    io::ErrorKind,
    net::{IpAddr, SocketAddr, UdpSocket},
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use lb_tests::{
    Lab, Process, Xelb,
    agent::{PIN_DIR, SOCKET, configuration_path},
    http,
    load::{Load, Pace},
    process::Task,
    topology::{VIPS, client_for, target_v4, target_v6},
    udp, wait,
    web::{self, RANDOM_BYTES, digest, random_file},
    xdp_pass::XdpPass,
};
use nix::sys::signal::Signal;

use crate::interfaces::connect_beside;
use crate::scene::{IPERF_PORT, NOTICE_LIMIT, REQUEST_LIMIT, expect_no_failure, in_lab};

pub(crate) const TARGETS: u8 = 2;
const LIMIT: Duration = Duration::from_secs(20);

/// Ports of the listeners: others than those of the targets.
const WEB: u16 = 8080;
const ECHO: u16 = 53;
/// A port at which targets do not listen.
const CLOSED: u16 = 9;

/// The balancer's addresses in mode fullnat.
const LOCAL_V4: &str = "10.0.0.3";
const LOCAL_V6: &str = "fd00::3";

fn target_address(number: u8, vip: IpAddr) -> IpAddr {
    match vip {
        IpAddr::V4(_) => target_v4(number).into(),
        IpAddr::V6(_) => target_v6(number).into(),
    }
}

fn configuration(mode: &str) -> String {
    let mut text = String::from("interfaces: [eth0]\n");
    if mode == "fullnat" {
        writeln!(text, "source_nat: {{ addresses: [{LOCAL_V4}, \"{LOCAL_V6}\"] }}").unwrap();
    }
    let services = [
        ("web", "tcp", WEB, web::PORT),
        ("echo", "udp", ECHO, udp::PORT),
        ("shut", "udp", 9, CLOSED),
    ];
    let (mut groups, mut listeners) = (String::new(), String::new());
    for vip in VIPS {
        let family = if vip.is_ipv4() { "v4" } else { "v6" };
        for (name, protocol, port, target_port) in services {
            writeln!(
                groups,
                "  - name: {name}-{family}\n    protocol: {protocol}\n    port: {target_port}\n    \
                 forwarding: {mode}\n    targets:"
            )
            .unwrap();
            for number in 1..=TARGETS {
                let address = target_address(number, vip);
                writeln!(groups, "      - {{ address: \"{address}\" }}").unwrap();
            }
            writeln!(
                groups,
                "    health_check: {{ protocol: http, path: /healthz, port: {}, interval: 200ms, \
                 timeout: 150ms, healthy_threshold: 2 }}",
                web::PORT
            )
            .unwrap();
            writeln!(
                listeners,
                "  - {{ name: {name}-{family}, address: \"{vip}\", port: {port}, protocol: \
                 {protocol}, default_action: {{ forward: {{ target_group: {name}-{family} }} }} }}"
            )
            .unwrap();
        }
    }
    // iperf3 needs all its connections at one target.
    let target = target_v4(1);
    for protocol in ["tcp", "udp"] {
        writeln!(
            groups,
            "  - name: iperf-{protocol}\n    protocol: {protocol}\n    port: {port}\n    forwarding: \
             {mode}\n    targets: [{{ address: {target} }}]\n    health_check: {{ protocol: http, \
             path: /healthz, port: {}, interval: 200ms, timeout: 150ms, healthy_threshold: 2 }}",
            web::PORT,
            port = IPERF_PORT,
        )
        .unwrap();
        writeln!(
            listeners,
            "  - {{ name: iperf-{protocol}, address: {}, port: {}, protocol: {protocol}, \
             default_action: {{ forward: {{ target_group: iperf-{protocol} }} }} }}",
            VIPS[0], IPERF_PORT,
        )
        .unwrap();
    }
    format!("{text}target_groups:\n{groups}listeners:\n{listeners}")
}

/// Clients at one interface of the balancer, the target at another: both directions change over.
#[test]
fn answers_come_back_by_another_interface() -> anyhow::Result<()> {
    for mode in ["nat", "fullnat"] {
        in_lab(1, move |lab| {
            let [v4, v6] = connect_beside(lab, 1)?;
            let target = lab.target(1);
            // A veth needs a program at the far end of a redirect.
            let _pass = XdpPass::attach(target, "eth1")?;
            target.ip("address flush dev lo scope global")?;
            target.ip("link set eth0 down")?;
            target.ip("route replace default via 10.0.9.1")?;
            target.ip("-6 route replace default via fd00:9::1")?;
            lab.lb().ip(&format!("address add {LOCAL_V4}/32 dev eth0"))?;
            lab.lb().ip(&format!("address add {LOCAL_V6}/128 dev eth0 nodad"))?;
            let mut text = String::from("interfaces: [eth0, eth1]\n");
            if mode == "fullnat" {
                writeln!(text, "source_nat: {{ addresses: [{LOCAL_V4}, \"{LOCAL_V6}\"] }}")?;
            }
            writeln!(text, "target_groups:")?;
            for (name, address) in [("web-v4", v4), ("web-v6", v6)] {
                writeln!(
                    text,
                    "  - {{ name: {name}, protocol: tcp, port: {}, forwarding: {mode}, targets: [{{ \
                     address: \"{address}\" }}], health_check: {{ protocol: http, path: /healthz, \
                     interval: 200ms, timeout: 150ms }} }}",
                    web::PORT
                )?;
            }
            writeln!(text, "listeners:")?;
            for (name, vip) in [("web-v4", VIPS[0]), ("web-v6", VIPS[1])] {
                writeln!(
                    text,
                    "  - {{ name: {name}, address: \"{vip}\", port: {WEB}, protocol: tcp, \
                     default_action: {{ forward: {{ target_group: {name} }} }} }}"
                )?;
            }
            std::fs::write(configuration_path(lab), text)?;
            let xelb = Xelb::find(None)?;
            let _agent = xelb.agent(lab)?;
            xelb.wait_healthy(lab, 2, NOTICE_LIMIT)?;
            let expected = digest(&random_file(lab.directory()))?;
            for vip in VIPS {
                let page = format!("http://{}/random", SocketAddr::new(vip, WEB));
                let received = lab.directory().join("received").display().to_string();
                let arguments = ["-sSgf", "--max-time", "15", "-o", &received, &page];
                lab.client(1).command("curl", &arguments, LIMIT)?;
                ensure!(digest(received.as_ref())? == expected, "{mode} {vip}: changed");
            }
            Ok(())
        })
        .with_context(|| format!("in mode {mode}"))?;
    }
    Ok(())
}

/// What runs in the lab.
pub(crate) struct Running {
    xelb: Xelb,
    agent: Process,
    _responders: Vec<udp::Responder>,
}

/// Prepares a lab for a mode and starts the agent.
pub(crate) fn start(lab: &Lab, mode: &str) -> anyhow::Result<Running> {
    let mut responders = Vec::new();
    for (number, target) in (1..).zip(lab.targets()) {
        let addresses: [SocketAddr; 2] =
            [(target_v4(number), udp::PORT).into(), (target_v6(number), udp::PORT).into()];
        responders.push(udp::Responder::start_at(target, &addresses)?);
        // No VIP on targets, and no decapsulator: they know nothing of the balancer.
        target.ip("address flush dev lo scope global")?;
        if mode == "nat" {
            target.ip("route replace default via 10.0.0.2")?;
            target.ip("-6 route replace default via fd00::2")?;
        }
    }
    lab.lb().ip(&format!("address add {LOCAL_V4}/32 dev eth0"))?;
    lab.lb().ip(&format!("address add {LOCAL_V6}/128 dev eth0 nodad"))?;
    std::fs::write(configuration_path(lab), configuration(mode))?;
    let xelb = Xelb::find(None)?;
    let agent = xelb.agent(lab)?;
    xelb.wait_healthy(lab, 6 * usize::from(TARGETS) + 2, NOTICE_LIMIT)?;
    Ok(Running { xelb, agent, _responders: responders })
}

pub(crate) const MODES: [&str; 2] = ["nat", "fullnat"];

fn in_both_modes(body: fn(&str, &Lab, &mut Running) -> anyhow::Result<()>) -> anyhow::Result<()> {
    for mode in MODES {
        in_lab(TARGETS, move |lab| {
            let mut running = start(lab, mode)?;
            body(mode, lab, &mut running)
        })
        .with_context(|| format!("in mode {mode}"))?;
    }
    Ok(())
}

#[test]
fn requests_reach_every_target_and_answers_come_back() -> anyhow::Result<()> {
    in_both_modes(|mode, lab, running| {
        for vip in VIPS {
            let (web, echo) = (SocketAddr::new(vip, WEB), SocketAddr::new(vip, ECHO));
            let answers = lab.client(1).run(move || -> std::io::Result<BTreeSet<String>> {
                let mut targets = BTreeSet::new();
                for number in 0..60 {
                    targets.insert(http::get(web, "/translated", REQUEST_LIMIT)?.target);
                    targets.insert(udp::ask(echo, &format!("question {number}"), REQUEST_LIMIT)?);
                }
                Ok(targets)
            })?;
            ensure!(answers.len() >= usize::from(TARGETS), "{mode} {vip}: {answers:?}");
            let expected = match (mode, vip) {
                ("nat", _) => client_for(1, vip),
                (_, IpAddr::V4(_)) => LOCAL_V4.parse()?,
                (_, IpAddr::V6(_)) => LOCAL_V6.parse()?,
            };
            for number in 1..=TARGETS {
                let server = lab.web_server(number).context("the server runs")?;
                let all = server.accesses()?;
                let mut seen = all.iter().filter(|access| {
                    access.path == "/translated" && access.server == target_address(number, vip)
                });
                ensure!(
                    seen.clone().count() > 0 && seen.all(|access| access.client == expected),
                    "{mode} {vip}: t{number} saw {all:?}, expected {expected}"
                );
            }
        }
        let stats = running.xelb.command(lab, &["stats", "-o", "json"])?.success()?;
        ensure!(stats.contains("reply_forwarded"), "{stats}");
        Ok(())
    })
}

#[test]
fn ten_megabytes_arrive_unchanged_through_translation() -> anyhow::Result<()> {
    in_both_modes(|mode, lab, _| {
        let sent = random_file(lab.directory());
        let expected = digest(&sent)?;
        for (number, vip) in VIPS.into_iter().enumerate() {
            let base = format!("http://{}", SocketAddr::new(vip, WEB));
            let received = lab.directory().join(format!("received-{number}"));
            let (path, page) = (received.display().to_string(), format!("{base}/random"));
            let client = lab.client(1);
            client.command("curl", &["-sSgf", "--max-time", "15", "-o", &path, &page], LIMIT)?;
            ensure!(std::fs::metadata(&received)?.len() == RANDOM_BYTES, "{mode} {vip}: length");
            ensure!(digest(&received)? == expected, "{mode} {vip}: download changed");
            let name = format!("big-{number}");
            let (path, page) = (sent.display().to_string(), format!("{base}/upload/{name}"));
            client.command("curl", &["-sSgf", "--max-time", "15", "-T", &path, &page], LIMIT)?;
            let mut holders = 0;
            for target in 1..=TARGETS {
                let server = lab.web_server(target).context("the server runs")?;
                if let Some(digest) = server.upload_digest(&name)? {
                    ensure!(digest == expected, "{mode} {vip}: upload changed");
                    holders += 1;
                }
            }
            ensure!(holders == 1, "{mode} {vip}: {holders} targets have the upload");
        }
        Ok(())
    })
}

/// The agent is killed and started again: open connections continue, and new ones are opened
/// meanwhile.
#[test]
fn flows_outlive_the_agent() -> anyhow::Result<()> {
    in_both_modes(|mode, lab, running| {
        let url = format!("http://{}/random", SocketAddr::new(VIPS[0], WEB));
        // Five seconds at least, whatever the machine.
        let slow = ["-sSgf", "--limit-rate", "2M", "--max-time", "30", "-o", "/dev/null", &url];
        let task = Task::new("curl", &slow).log_to(&lab.log("slow"))?;
        let mut download = lab.client(2).spawn(task)?;
        let web = SocketAddr::new(VIPS[0], WEB);
        let load = Load::start(&[(lab.client(1), web)], Pace::default())?;
        std::thread::sleep(Duration::from_secs(1));
        running.agent.signal(Signal::SIGKILL)?;
        running.agent.wait(LIMIT)?;
        std::thread::sleep(Duration::from_secs(1));
        let _successor = running.xelb.agent(lab)?;
        std::thread::sleep(Duration::from_secs(1));
        expect_no_failure(&load.finish(), 100);
        let status = download.wait(LIMIT)?;
        ensure!(status.success(), "{mode}: the download ended with {status}");
        Ok(())
    })
}

/// Another agent has more bindings, then fewer: open connections continue.
#[test]
fn another_number_of_bindings_breaks_no_connection() -> anyhow::Result<()> {
    in_both_modes(|mode, lab, running| {
        let path = configuration_path(lab).display().to_string();
        let spawn = |vip: IpAddr| -> anyhow::Result<Process> {
            let url = format!("http://{}/random", SocketAddr::new(vip, WEB));
            let slow = ["-sSgf", "--limit-rate", "1M", "--max-time", "30", "-o", "/dev/null", &url];
            let task = Task::new("curl", &slow).log_to(&lab.log(&format!("slow-{vip}")))?;
            Ok(lab.client(1).spawn(task)?)
        };
        let mut downloads = VIPS.into_iter().map(spawn).collect::<anyhow::Result<Vec<_>>>()?;
        std::thread::sleep(Duration::from_secs(1));
        running.agent.signal(Signal::SIGTERM)?;
        running.agent.wait(LIMIT)?;
        for bindings in ["1000000", "65536"] {
            let arguments = ["agent", "--config", &path, "--bpffs", PIN_DIR, "--socket", SOCKET];
            let arguments = [&arguments[..], &["--nat-bindings", bindings]].concat();
            let task = Task::new(running.xelb.program(), &arguments).log_to(&lab.log("agent"))?;
            let mut agent = lab.lb().spawn(task)?;
            let most = bindings.parse::<u64>()?.next_power_of_two();
            wait::until("the agent has that many bindings", LIMIT, || {
                let stats = running.xelb.command(lab, &["stats", "-o", "json"]);
                let stats = stats
                    .and_then(lb_tests::process::Finished::success)
                    .map_err(|error| error.to_string())?;
                let stats: serde_json::Value =
                    serde_json::from_str(&stats).map_err(|error| error.to_string())?;
                let has = stats["translated_flows_max"] == most;
                let keeps = stats["translated_flows"].as_u64() >= Some(2);
                if has && keeps { Ok(()) } else { Err(stats.to_string()) }
            })?;
            std::thread::sleep(Duration::from_millis(500));
            agent.signal(Signal::SIGTERM)?;
            agent.wait(LIMIT)?;
        }
        for download in &mut downloads {
            let status = download.wait(LIMIT)?;
            ensure!(status.success(), "{mode}: a download ended with {status}");
        }
        Ok(())
    })
}

/// A target without a listening server sends an ICMP error, which quotes the flow as the target
/// knows it; the client must understand it.
#[test]
fn errors_of_targets_reach_clients() -> anyhow::Result<()> {
    in_both_modes(|mode, lab, _| {
        for vip in VIPS {
            let took = lab.client(1).run(move || -> std::io::Result<Duration> {
                let any: SocketAddr = if vip.is_ipv4() {
                    "0.0.0.0:0".parse().unwrap_or_else(|_| unreachable!())
                } else {
                    "[::]:0".parse().unwrap_or_else(|_| unreachable!())
                };
                let socket = UdpSocket::bind(any)?;
                socket.set_read_timeout(Some(Duration::from_secs(3)))?;
                socket.connect((vip, CLOSED))?;
                socket.send(b"anybody?")?;
                let started = Instant::now();
                match socket.recv(&mut [0; 16]) {
                    Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
                        Ok(started.elapsed())
                    }
                    Err(error) => Err(error),
                    Ok(_) => Err(std::io::Error::other("an answer from a closed port")),
                }
            });
            let took = took.with_context(|| format!("{mode} {vip}"))?;
            ensure!(took < Duration::from_secs(1), "{mode} {vip}: refused after {took:?}");
        }
        Ok(())
    })
}
