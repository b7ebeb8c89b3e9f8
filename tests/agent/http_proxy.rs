//! Agent and proxy from one document: real processes, real connections. The VIP is an address of no
//! interface.

use std::{
    fs,
    net::SocketAddr,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use lb_tests::{
    Lab, Process, Xelb,
    agent::{SOCKET, configuration_path},
    load::{Load, Pace},
    process::Task,
    topology::{VIP_V4, VIP_V6},
    wait,
};
use nix::sys::signal::Signal;

use crate::scene::{
    LIMIT, fails, in_lab, json, run, says, start, state_dir_arguments, wait_json, write,
};

/// Warnings about proxies come after ten seconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// By then, a busy machine has told the proxy a state, and the proxy uses it.
const TOLD: Duration = Duration::from_millis(500);

/// Two probes, their pauses, and the time of a busy machine.
const LEFT_WITHIN: Duration = Duration::from_secs(4);

/// Where the proxy is scraped.
const METRICS: &str = "127.0.0.1:9901";

/// A group of both targets for requests, and one for packets, each behind listeners of its own.
fn document(weight: u32, rule: &str) -> String {
    format!(
        "interfaces: [eth0]
target_groups:
  - name: shop
    protocol: http
    port: 80
    health_check: {{ path: /healthz, interval: 400ms, healthy_threshold: 2 }}
    targets:
      - {{ address: 10.0.0.11, weight: {weight} }}
      - {{ address: 10.0.0.12 }}
  - {{ name: packets, protocol: tcp, port: 81, forwarding: ipip, targets: [{{ address: 10.0.0.11 }}] }}
listeners:
  - name: shop
    address: {VIP_V4}
    port: 80
    protocol: http
    rules: [{{ priority: 1, conditions: [{{ path: [/closed] }}], action: {rule} }}]
    default_action: {{ forward: {{ target_group: shop }} }}
  - {{ name: shop6, address: \"{VIP_V6}\", port: 80, protocol: http, default_action: {{ forward: {{ target_group: shop }} }} }}
  - {{ name: packets, address: {VIP_V4}, port: 81, protocol: tcp, default_action: {{ forward: {{ target_group: packets }} }} }}
"
    )
}

const CLOSED: &str = "{ fixed_response: { status: 503, content_type: text/plain, body: closed } }";

fn vip(port: u16) -> [SocketAddr; 2] {
    [(VIP_V4, port).into(), (VIP_V6, port).into()]
}

fn load(lab: &Lab) -> Result<Load> {
    let [v4, v6] = vip(80);
    let pace = Pace { workers: 1, ..Pace::default() };
    Ok(Load::start(&[(lab.client(1), v4), (lab.client(2), v6)], pace)?)
}

/// Starts a proxy, which keeps its state in the folder of the lab.
fn proxy(lab: &Lab, xelb: &Xelb) -> Result<Process> {
    let state = lab.directory().join("proxy").display().to_string();
    let arguments = [
        "proxy",
        "--socket",
        SOCKET,
        "--state-dir",
        &state,
        "--workers",
        "2",
        "--metrics",
        METRICS,
    ];
    let task = Task::new(xelb.program(), &arguments).log_to(&lab.log("proxy"))?;
    Ok(lab.lb().spawn(task)?)
}

fn apply(lab: &Lab, xelb: &Xelb, text: &str) -> Result<String> {
    write(lab, text)?;
    let path = configuration_path(lab).display().to_string();
    Ok(run(lab, xelb, &["apply", "-f", &path])?.success()?)
}

/// Agent and proxy with the document, both targets in service, and the proxy up to date.
fn serve(lab: &Lab, xelb: &Xelb) -> Result<(Process, Process)> {
    let agent = start(lab, xelb, &state_dir_arguments(lab))?;
    apply(lab, xelb, &document(100, CLOSED))?;
    let proxy = proxy(lab, xelb)?;
    wait_current(lab, xelb)?;
    wait_shop(lab, xelb, ["healthy", "healthy"])?;
    wait::until("the proxy serves the VIP", LIMIT, || {
        let samples = load(lab).map_err(|error| error.to_string())?;
        thread::sleep(Duration::from_millis(200));
        let samples = samples.finish();
        let failures = samples.failure_summary();
        if failures.is_empty() && samples.len() > 1 { Ok(()) } else { Err(failures) }
    })?;
    Ok((agent, proxy))
}

fn wait_current(lab: &Lab, xelb: &Xelb) -> Result<()> {
    let revision = json(lab, xelb, "get revisions")?[0]["number"].clone();
    let serves = format!("revision {revision}");
    wait_json(lab, xelb, "get proxies", |all| {
        all[0]["state"] == "current" && all[0]["configuration"] == serves.as_str()
    })
    .map(drop)
}

fn wait_shop(lab: &Lab, xelb: &Xelb, states: [&str; 2]) -> Result<()> {
    wait_json(lab, xelb, "get targets shop", |all| {
        [0, 1].iter().all(|index| all[*index]["state"] == states[*index])
    })
    .map(drop)
}

/// The log of the proxy has this.
fn wait_log(lab: &Lab, text: &str) -> Result<()> {
    Ok(wait::until(&format!("the proxy's log has `{text}`"), PATIENCE, || {
        let log = fs::read_to_string(lab.log("proxy")).map_err(|error| error.to_string())?;
        if log.contains(text) { Ok(()) } else { Err(log) }
    })?)
}

/// Goes on until there were so many requests; fails if one of them failed.
fn no_failure(load: Load, least: usize) -> Result<std::collections::BTreeMap<String, usize>> {
    wait::until(&format!("{least} requests"), LIMIT, || {
        let count = load.samples().len();
        if count >= least { Ok(()) } else { Err(format!("{count} so far")) }
    })?;
    let samples = load.finish();
    let (count, failures) = (samples.len(), samples.failure_summary());
    ensure!(failures.is_empty(), "{} of {count} failed: {failures}", samples.failures().len());
    Ok(samples.by_target())
}

/// What Prometheus finds at the proxy.
fn scraped(lab: &Lab) -> Result<()> {
    let text = lab.lb().command("curl", &["-sSf", &format!("http://{METRICS}/metrics")], LIMIT)?;
    let value = |series: &str| -> Result<u64> {
        let line = text.lines().find_map(|line| line.strip_prefix(series));
        Ok(line.with_context(|| format!("no {series} in {text}"))?.trim().parse()?)
    };
    let of_shop = value("xelb_http_requests_total{listener=\"shop\"}")?;
    let of_shop6 = value("xelb_http_requests_total{listener=\"shop6\"}")?;
    ensure!(of_shop > 0 && of_shop6 > 0, "{text}");
    let responses = "xelb_http_target_response_time_seconds_count{group=\"shop\"}";
    ensure!(value(responses)? >= of_shop, "{text}");
    for last in [11, 12] {
        let target = format!("{{group=\"shop\",target=\"10.0.0.{last}:80\"}}");
        ensure!(value(&format!("xelb_http_requests_per_target_total{target}"))? > 0, "{text}");
    }
    ensure!(value("xelb_http_group_targets{group=\"shop\",state=\"healthy\"}")? == 2, "{text}");
    ensure!(value("xelb_http_configuration_refused")? == 0, "{text}");
    Ok(())
}

#[test]
fn one_document_serves_packets_and_requests() -> Result<()> {
    in_lab(|lab, xelb| {
        let (_agent, _proxy) = serve(lab, xelb)?;
        let routes = lab.lb().ip("route show table local proto 120")?;
        ensure!(routes.contains(&VIP_V4.to_string()), "{routes}");
        let listeners = says(lab, xelb, "get listeners")?;
        for part in ["shop ", "shop6 ", "packets ", "http", "tcp"] {
            ensure!(listeners.contains(part), "{part}: {listeners}");
        }
        let groups = says(lab, xelb, "get target-groups")?;
        ensure!(groups.contains("2 of 2") && groups.contains("0 of 1"), "{groups}");
        let rules = says(lab, xelb, "get rules")?;
        ensure!(rules.contains("path /closed") && rules.contains("fixed response 503"), "{rules}");
        let events = says(lab, xelb, "events --group shop")?;
        ensure!(events.contains("10.0.0.11:80 initial -> healthy"), "{events}");
        let url = format!("http://{VIP_V4}");
        let question = ["explain", "http", "GET", &format!("{url}/closed"), "-H", "x-a: 1"];
        let closed = run(lab, xelb, &question)?.success()?;
        ensure!(closed.contains("all conditions hold\n"), "{closed}");
        ensure!(closed.contains("status        503\n"), "{closed}");
        fails(&run(lab, xelb, &["explain", "http", "GET", "http://x/"])?, 2, &["--listener"])?;

        scraped(lab)?;

        // A target is drained, and gets nothing.
        says(lab, xelb, "target drain shop 10.0.0.11")?;
        wait_shop(lab, xelb, ["draining", "healthy"])?;
        let left = says(lab, xelb, &format!("explain http GET {url}/"))?;
        for part in [
            "1 rule-1: condition 1 (path) does not hold: path is \"/\"",
            "shop/10.0.0.11:80 is draining, gets none",
            "shop/10.0.0.12:80 is healthy, gets 100 %",
        ] {
            ensure!(left.contains(part), "{part}: {left}");
        }
        thread::sleep(TOLD);
        let drained = load(lab)?;
        thread::sleep(Duration::from_millis(700));
        let by_target = no_failure(drained, 20)?;
        ensure!(!by_target.contains_key("t1"), "{by_target:?}");
        let last = run(lab, xelb, &["target", "drain", "shop", "10.0.0.12"])?;
        fails(
            &last,
            2,
            &["listener shop: its target group shop has 2 targets, none of which takes"],
        )?;
        says(lab, xelb, "target undrain shop 10.0.0.11")?;
        wait_shop(lab, xelb, ["healthy", "healthy"])?;

        // A target dies, and is left within its threshold. What was on its way to it may fail.
        let dying = load(lab)?;
        thread::sleep(TOLD);
        let died = Instant::now();
        lab.kill_web_server(1);
        wait_shop(lab, xelb, ["unhealthy", "healthy"])?;
        thread::sleep(TOLD);
        let left = Instant::now();
        ensure!(left - died < LEFT_WITHIN, "it took {:?}", left - died);
        thread::sleep(TOLD);
        let samples = dying.finish().since(left);
        ensure!(samples.failures().is_empty(), "{}", samples.failure_summary());
        let by_target = samples.by_target();
        ensure!(by_target.keys().collect::<Vec<_>>() == ["t2"], "{by_target:?}");
        let events = says(lab, xelb, "events --group shop")?;
        ensure!(events.contains("10.0.0.11:80 healthy -> unhealthy"), "{events}");
        Ok(())
    })
}

#[test]
fn twenty_changes_of_the_configuration_cost_no_request() -> Result<()> {
    in_lab(|lab, xelb| {
        let (_agent, _proxy) = serve(lab, xelb)?;
        let load = load(lab)?;
        for change in 0..20 {
            let action = if change % 2 == 0 {
                "{ forward: { target_group: shop } }".to_owned()
            } else {
                CLOSED.to_owned()
            };
            apply(lab, xelb, &document(50 + change, &action))?;
            // Each of them is served for some requests, also on a fast machine.
            thread::sleep(Duration::from_millis(25));
        }
        wait_current(lab, xelb)?;
        no_failure(load, 100)?;
        let weight = json(lab, xelb, "get targets shop")?[0]["weight"].clone();
        ensure!(weight == 69, "{weight}");
        says(lab, xelb, "target weight shop 10.0.0.11 7")?;
        wait_current(lab, xelb)?;
        let back = says(lab, xelb, "rollback")?;
        ensure!(back.contains("roll back"), "{back}");
        wait_current(lab, xelb)
    })
}

#[test]
fn the_proxy_goes_on_and_starts_without_an_agent() -> Result<()> {
    in_lab(|lab, xelb| {
        let (mut agent, mut first) = serve(lab, xelb)?;
        let kept = lab.directory().join("proxy/proxy.json");
        wait::until("what is served is kept", LIMIT, || {
            let text = fs::read_to_string(&kept).map_err(|error| error.to_string())?;
            if text.matches("\"healthy\"").count() == 2 { Ok(()) } else { Err(text) }
        })?;
        let going_on = load(lab)?;
        thread::sleep(TOLD);
        agent.signal(Signal::SIGKILL)?;
        agent.wait(LIMIT)?;
        wait_log(lab, "cannot be followed")?;
        thread::sleep(TOLD);
        no_failure(going_on, 20)?;

        first.signal(Signal::SIGTERM)?;
        first.wait(PATIENCE)?;
        fs::write(lab.log("proxy"), "")?;
        let _second = proxy(lab, xelb)?;
        wait_log(lab, "revision 1 is served from")?;
        wait_log(lab, "serves revision 1 of")?;
        let from_file = load(lab)?;
        thread::sleep(Duration::from_millis(500));
        no_failure(from_file, 20)?;

        // The agent comes back; an old state is not believed any longer than needed.
        lab.kill_web_server(2);
        let _agent = start(lab, xelb, &state_dir_arguments(lab))?;
        wait_log(lab, "is followed again")?;
        wait_shop(lab, xelb, ["healthy", "unhealthy"])?;
        wait_current(lab, xelb)?;
        let again = load(lab)?;
        thread::sleep(Duration::from_millis(500));
        let by_target = no_failure(again, 20)?;
        ensure!(by_target.keys().collect::<Vec<_>>() == ["t1"], "{by_target:?}");
        Ok(())
    })
}

#[test]
fn listeners_without_a_proxy_are_a_warning_and_detach_leaves_no_route() -> Result<()> {
    in_lab(|lab, xelb| {
        let mut agent = start(lab, xelb, &state_dir_arguments(lab))?;
        apply(lab, xelb, &document(100, CLOSED))?;
        let warned = |kind: &str| {
            let kind = kind.to_owned();
            wait::until(&format!("the warning {kind}"), PATIENCE, || {
                let status = json(lab, xelb, "status").map_err(|error| error.to_string())?;
                let all = status["warning_details"].as_array().cloned().unwrap_or_default();
                let found = all.iter().find(|one| one["kind"] == kind.as_str());
                found.map(|one| one["text"].to_string()).ok_or_else(|| status.to_string())
            })
        };
        let text = warned("proxy_missing")?;
        ensure!(text.contains("listeners shop, shop6: no `xelb proxy` is connected"), "{text}");

        // A proxy that cannot serve the newest revision says why.
        let mut proxy = proxy(lab, xelb)?;
        wait_current(lab, xelb)?;
        let status = says(lab, xelb, "status")?;
        ensure!(status.contains("proxies         1 current"), "{status}");
        let busy = format!("{VIP_V4}:8088");
        let taken = lab.lb().run(move || std::net::TcpListener::bind(busy)).context("binding")?;
        let moved = document(100, CLOSED).replacen(
            "port: 80\n    protocol: http\n    rules",
            "port: 8088\n    protocol: http\n    rules",
            1,
        );
        ensure!(moved.contains("8088"), "{moved}");
        apply(lab, xelb, &moved)?;
        let text = warned("proxy_outdated")?;
        ensure!(
            text.contains("serves revision 1, not revision 2: ") && text.contains("8088"),
            "{text}"
        );
        warned("proxy_missing")?;
        drop(taken);
        wait_current(lab, xelb)?;

        proxy.signal(Signal::SIGTERM)?;
        proxy.wait(PATIENCE)?;
        wait_json(lab, xelb, "get proxies", |all| all.as_array().is_some_and(Vec::is_empty))?;
        agent.signal(Signal::SIGTERM)?;
        agent.wait(LIMIT)?;
        let routes = || lab.lb().ip("route show table local proto 120");
        ensure!(routes()?.contains(&VIP_V4.to_string()), "they stay without an agent");
        xelb.detach(lab)?;
        ensure!(routes()?.is_empty(), "{}", routes()?);
        let routes = lab.lb().ip("-6 route show table local proto 120")?;
        ensure!(routes.is_empty(), "{routes}");
        Ok(())
    })
}

#[test]
fn routes_of_a_dead_agent_are_found_again() -> Result<()> {
    in_lab(|lab, xelb| {
        let mut agent = start(lab, xelb, &state_dir_arguments(lab))?;
        let prefix = document(100, CLOSED)
            .replace(&format!("address: {VIP_V4}\n"), "address: 203.0.113.0/28\n");
        apply(lab, xelb, &prefix)?;
        let routes = || lab.lb().ip("route show table local proto 120");
        let wait_routes = |wanted: &str| {
            wait::until(&format!("the routes are `{wanted}`"), LIMIT, || {
                let routes = routes().map_err(|error| error.to_string())?;
                let found: Vec<&str> =
                    routes.lines().filter_map(|line| line.split(' ').nth(1)).collect();
                if found.join(" ") == wanted { Ok(()) } else { Err(routes) }
            })
        };
        wait_routes("203.0.113.0/28")?;
        let _foreign = lab.lb().ip("route add local 198.51.100.0/24 dev lo proto 4")?;
        agent.signal(Signal::SIGKILL)?;
        agent.wait(LIMIT)?;
        let mut agent = start(lab, xelb, &state_dir_arguments(lab))?;
        apply(lab, xelb, &document(100, CLOSED))?;
        wait_routes(&VIP_V4.to_string())?;
        // An address of the host needs no route, and one that xelb has not made is left alone.
        lab.lb().ip(&format!("address add {VIP_V4}/32 dev lo"))?;
        wait_routes("")?;
        let all = lab.lb().ip("route show table local")?;
        ensure!(all.contains("198.51.100.0/24"), "{all}");
        agent.signal(Signal::SIGTERM)?;
        agent.wait(LIMIT).map(drop).map_err(Into::into)
    })
}
