//! Targets that are DNS names, of a group that gets packets and of one that the proxy reaches: their addresses
//! change under traffic, and no request fails. The DNS server is the test's own, on the balancer.

#[expect(dead_code, reason = "the tests of the resolver need more of it")]
#[path = "../../lb-userspace/crates/dns/tests/dns/server.rs"]
mod server;

use std::{collections::BTreeSet, thread, time::Duration};

use anyhow::{Result, ensure};
use lb_tests::{
    Lab, Process, Xelb,
    agent::{SOCKET, configuration_path},
    load::{Load, Pace},
    process::Task,
    topology::{VIP_V4, VIP_V6},
    wait,
};
use nix::sys::signal::Signal;
use serde_json::Value;

use self::server::{Reply, Server};
use crate::scene::{LIMIT, fails, in_lab, run, says, start, state_dir_arguments, wait_json, write};

/// Port of the listener that the proxy serves.
const PROXIED: u16 = 8080;

fn document(server: &Server) -> String {
    let server = server.address;
    format!(
        "interfaces: [eth0]
resolver: {{ servers: [\"{server}\"] }}
defaults:
  health_check: {{ protocol: http, path: /healthz, interval: 200ms, healthy_threshold: 2 }}
target_groups:
  - {{ name: web, protocol: tcp, port: 80, forwarding: ipip, targets: [{{ address: web.example.org }}] }}
  - {{ name: shop, protocol: http, port: 80, targets: [{{ address: shop.example.org, weight: 7 }}] }}
listeners:
  - {{ name: web, address: \"{VIP_V6}\", port: 80, protocol: tcp, default_action: {{ forward: {{ target_group: web }} }} }}
  - {{ name: shop, address: {VIP_V4}, port: {PROXIED}, protocol: http, default_action: {{ forward: {{ target_group: shop }} }} }}
"
    )
}

fn some(last: &[u8]) -> Reply {
    Reply::Addresses(last.iter().map(|last| [10, 0, 0, *last].into()).collect(), 0)
}

/// Waits until these are the healthy targets of both groups, by the last byte of their addresses.
fn wait_healthy(lab: &Lab, xelb: &Xelb, last: &[u8]) -> Result<Value> {
    let wanted: BTreeSet<String> = ["shop", "web"]
        .iter()
        .flat_map(|group| last.iter().map(move |last| format!("{group} 10.0.0.{last}")))
        .collect();
    wait_json(lab, xelb, "get targets", |all| {
        let all = all.as_array().into_iter().flatten();
        let healthy = all.filter(|one| one["state"] == "healthy");
        let text = |one: &Value, key: &str| one[key].as_str().unwrap_or_default().to_owned();
        let healthy: BTreeSet<String> =
            healthy.map(|one| format!("{} {}", text(one, "group"), text(one, "address"))).collect();
        healthy == wanted
    })
}

fn proxy(lab: &Lab, xelb: &Xelb) -> Result<Process> {
    let state = lab.directory().join("proxy").display().to_string();
    let arguments = ["proxy", "--socket", SOCKET, "--state-dir", &state, "--workers", "1"];
    let task = Task::new(xelb.program(), &arguments).log_to(&lab.log("proxy"))?;
    Ok(lab.lb().spawn(task)?)
}

/// Requests to one of the listeners, by its port.
fn load(lab: &Lab, port: u16) -> Result<Load> {
    let pace = Pace { workers: 1, ..Pace::default() };
    // The VIP that the proxy serves is an address of the balancer itself.
    let vip = if port == PROXIED { (VIP_V4, port).into() } else { (VIP_V6, port).into() };
    Ok(Load::start(&[(lab.client(1), vip)], pace)?)
}

/// Waits until requests to both listeners succeed.
fn wait_served(lab: &Lab) -> Result<()> {
    for port in [80, PROXIED] {
        wait::until(&format!("port {port} is served"), LIMIT, || {
            let samples = load(lab, port).map_err(|error| error.to_string())?;
            thread::sleep(Duration::from_millis(200));
            let samples = samples.finish();
            let failures = samples.failure_summary();
            if failures.is_empty() && samples.len() > 1 { Ok(()) } else { Err(failures) }
        })?;
    }
    Ok(())
}

/// What people see of targets that come from names, and what they may do with them.
fn seen(lab: &Lab, xelb: &Xelb) -> Result<()> {
    let config = says(lab, xelb, "get config")?;
    ensure!(config.contains("web.example.org") && !config.contains("10.0.0.1"), "{config}");
    let targets = says(lab, xelb, "get targets shop")?;
    ensure!(targets.contains("of shop.example.org"), "{targets}");
    let page = says(lab, xelb, "describe target shop/10.0.0.12:80")?;
    ensure!(page.contains("an address of shop.example.org"), "{page}");
    let refused = run(lab, xelb, &["target", "weight", "shop", "10.0.0.12:80", "5"])?;
    fails(&refused, 2, &["is an address of the name shop.example.org", "xelb target weight shop"])?;
    says(lab, xelb, "target weight shop shop.example.org:80 9")?;
    let targets = wait_healthy(lab, xelb, &[12])?;
    let of_shop = targets.as_array().into_iter().flatten().find(|one| one["group"] == "shop");
    ensure!(of_shop.is_some_and(|one| one["weight"] == 9), "{targets}");
    Ok(())
}

#[test]
fn names_are_followed_under_traffic_and_outlive_their_server() -> Result<()> {
    in_lab(|lab, xelb| {
        let server = lab.lb().run(|| Server::start(some(&[11])));
        let agent_arguments = state_dir_arguments(lab);
        let mut agent = start(lab, xelb, &agent_arguments)?;
        write(lab, &document(&server))?;
        let path = configuration_path(lab).display().to_string();
        let said = run(lab, xelb, &["apply", "-f", &path])?.success()?;
        ensure!(!said.contains("not resolved"), "apply waits for names: {said}");
        let decaps = lab.targets().iter().map(|target| xelb.decap(lab, target));
        let _decaps = decaps.collect::<lb_tests::Result<Vec<_>>>()?;
        let _proxy = proxy(lab, xelb)?;
        wait_healthy(lab, xelb, &[11])?;
        wait_served(lab)?;

        let loads = [load(lab, 80)?, load(lab, PROXIED)?];
        server.answer(some(&[11, 12]));
        wait_healthy(lab, xelb, &[11, 12])?;
        server.answer(some(&[12]));
        wait_healthy(lab, xelb, &[12])?;
        // The target that has left its name keeps its flows.
        let leaving = |all: &Value| {
            let mut all = all.as_array().into_iter().flatten();
            all.any(|one| one["leaving"] == true && one["name"] == "web.example.org")
        };
        wait_json(lab, xelb, "get targets", leaving)?;
        thread::sleep(Duration::from_millis(500));
        for (load, port) in loads.into_iter().zip([80, PROXIED]) {
            let samples = load.finish();
            let failures = samples.failure_summary();
            ensure!(failures.is_empty(), "port {port}, of {}: {failures}", samples.len());
            ensure!(samples.by_target().len() == 2, "port {port}: {:?}", samples.by_target());
        }
        seen(lab, xelb)?;

        server.answer(Reply::Code(2));
        let status = wait_json(lab, xelb, "status", |status| {
            let mut all = status["warning_details"].as_array().into_iter().flatten();
            all.any(|one| one["kind"] == "name_unresolved")
        })?;
        let text = status["warnings"].to_string();
        let part = "cannot be resolved, and its last addresses stay in use (10.0.0.12)";
        ensure!(text.contains(part) && text.contains("SERVFAIL"), "{text}");
        agent.signal(Signal::SIGKILL)?;
        agent.wait(LIMIT)?;
        let _agent = start(lab, xelb, &agent_arguments)?;
        wait_healthy(lab, xelb, &[12])?;
        wait_served(lab)?;
        Ok(())
    })
}
