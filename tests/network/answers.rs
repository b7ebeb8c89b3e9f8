//! Modes nat and fullnat whose answers cannot come back: silent outages that `status`, the metrics, `doctor`
//! and, where the host shows it, `validate` name.

use std::{
    fs,
    net::{SocketAddr, TcpStream},
    thread,
    time::Duration,
};

use anyhow::{Result, ensure};
use lb_tests::{
    Lab, Xelb,
    agent::configuration_path,
    process::Task,
    topology::{VIP_V4, target_v4},
    web,
    xdp_pass::XdpPass,
};

use crate::{
    interfaces::connect_beside,
    scene::{NOTICE_LIMIT, in_lab},
    warned,
};

/// Two looks at the bindings, ten seconds of silence, and a busy machine.
const SILENCE_LIMIT: Duration = Duration::from_secs(40);
const CONNECT_LIMIT: Duration = Duration::from_secs(45);

fn configuration(top: &str, mode: &str, target: &str) -> String {
    let check = format!(
        "health_check: {{ protocol: http, path: /healthz, port: {}, interval: 200ms, timeout: 150ms }}",
        web::PORT
    );
    format!(
        "interfaces: [eth0]\n{top}target_groups:
  - {{ name: web, protocol: tcp, port: {port}, forwarding: {mode}, targets: [{{ address: {target} }}], {check} }}
  - {{ name: dns, protocol: udp, port: 53, forwarding: {mode}, targets: [{{ address: {target} }}], {check} }}
listeners:
  - {{ name: web, address: {VIP_V4}, port: {port}, protocol: tcp, default_action: {{ forward: {{ \
         target_group: web }} }} }}
  - {{ name: dns, address: {VIP_V4}, port: 53, protocol: udp, default_action: {{ forward: {{ \
         target_group: dns }} }} }}
",
        port = web::PORT,
    )
}

/// What `xelb validate` on the balancer writes to its error output; `--strict` refuses it.
fn validate(lab: &Lab, xelb: &Xelb) -> Result<String> {
    let path = configuration_path(lab).display().to_string();
    let run = |more: &[&str]| {
        let arguments = [&["validate", "-f", &path], more].concat();
        lab.lb().finish(Task::new(xelb.program(), &arguments), NOTICE_LIMIT)
    };
    let (plain, strict) = (run(&[])?, run(&["--strict"])?);
    ensure!(plain.status.code() == Some(0), "{plain:?}");
    ensure!(
        strict.status.code() == Some(if plain.stderr.is_empty() { 0 } else { 2 }),
        "{strict:?}"
    );
    Ok(plain.stderr)
}

#[test]
fn targets_behind_an_interface_without_the_program_are_named() -> Result<()> {
    in_lab(1, |lab| {
        let xelb = &Xelb::find(None)?;
        let [v4, _] = connect_beside(lab, 1)?;
        let _pass = XdpPass::attach(lab.target(1), "eth1")?;
        fs::write(configuration_path(lab), configuration("", "nat", &v4.to_string()))?;
        let said = validate(lab, xelb)?;
        ensure!(
            said.contains(
                "target_groups[0]: target group web: answers of 1 of 1 targets come in by eth1"
            ),
            "{said}"
        );
        let _agent = warned::agent(lab, xelb, "native")?;
        let text = warned::expect(lab, xelb, ("answers_unseen", "web"), NOTICE_LIMIT)?;
        ensure!(text.contains("come in by eth1, which is not in `interfaces`"), "{text}");
        let good = configuration("", "nat", &v4.to_string()).replace("[eth0]", "[eth0, eth1]");
        fs::write(configuration_path(lab), good)?;
        ensure!(validate(lab, xelb)?.is_empty(), "nothing is wrong any more");
        warned::expect_end(lab, xelb, "answers_unseen", NOTICE_LIMIT)
    })
}

#[test]
fn a_source_that_the_host_does_not_have_is_named() -> Result<()> {
    in_lab(1, |lab| {
        let xelb = &Xelb::find(None)?;
        let top = "source_nat: { addresses: [10.0.0.3] }\n";
        let target = target_v4(1).to_string();
        fs::write(configuration_path(lab), configuration(top, "fullnat", &target))?;
        let said = validate(lab, xelb)?;
        ensure!(said.contains("no interface of this host has 10.0.0.3"), "{said}");
        let _agent = warned::agent(lab, xelb, "native")?;
        warned::expect(lab, xelb, ("source_address_missing", "10.0.0.3"), NOTICE_LIMIT)?;
        lab.lb().ip("address add 10.0.0.3/32 dev eth0")?;
        ensure!(validate(lab, xelb)?.is_empty(), "nothing is wrong any more");
        warned::expect_end(lab, xelb, "source_address_missing", NOTICE_LIMIT)
    })
}

/// The target's answers go by the router, past the balancer. An additional group for datagrams
/// hides no warning.
#[test]
fn answers_that_bypass_the_balancer_cause_a_warning() -> Result<()> {
    in_lab(1, |lab| {
        let xelb = &Xelb::find(None)?;
        let target = lab.target(1);
        target.ip("address flush dev lo scope global")?;
        let text = configuration("", "nat", &target_v4(1).to_string());
        fs::write(configuration_path(lab), text)?;
        ensure!(validate(lab, xelb)?.is_empty(), "the balancer's host cannot know");
        let _agent = warned::agent(lab, xelb, "native")?;
        xelb.wait_healthy(lab, 2, NOTICE_LIMIT)?;
        let server: SocketAddr = (VIP_V4, web::PORT).into();
        let clients = lab.client(1).thread("clients", move || {
            let connect = move || TcpStream::connect_timeout(&server, CONNECT_LIMIT).map(drop);
            let all: Vec<_> = (0..12).map(|_| thread::spawn(connect)).collect();
            all.into_iter().flat_map(|one| one.join().unwrap()).count()
        })?;
        warned::expect(lab, xelb, ("answers_missing", "web"), SILENCE_LIMIT)?;
        // Clients that still try are answered now.
        target.ip("route replace default via 10.0.0.2")?;
        warned::expect_end(lab, xelb, "answers_missing", SILENCE_LIMIT)?;
        ensure!(clients.join().unwrap() > 0, "no client was served in the end");
        Ok(())
    })
}
