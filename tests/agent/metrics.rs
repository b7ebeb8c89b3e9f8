//! `xelb agent --metrics`: scraped values equal those of `stats` and `status`, and no client of the
//! port disturbs the agent.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    io::{Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpStream},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use lb_tests::{
    Lab, Process, Xelb,
    agent::{PIN_DIR, SOCKET, configuration_path},
    http,
    topology::VIP_V4,
    wait,
};
use serde_json::Value;

use crate::scene::{LIMIT, WEB, fails, in_lab, is_pinned, json, run, start, write};

const ADDRESS: &str = "127.0.0.1:9900";

/// Requests of a client; more than one target gets some.
const REQUESTS: u8 = 40;

/// A second listener, whose only target is not healthy soon: packets for it are dropped.
const MORE: &str = "  - name: slow
    protocol: tcp
    port: 81
    forwarding: ipip
    health_check: { protocol: tcp, port: 9, interval: 30s, unhealthy_threshold: 10 }
    targets:
      - { address: 10.0.0.11 }
listeners:
  - name: slow
    address: 203.0.113.10
    port: 81
    protocol: tcp
    default_action: { forward: { target_group: slow } }
";

/// What is scraped: the value of each series.
type Scrape = BTreeMap<String, f64>;

fn start_with_metrics(lab: &Lab, xelb: &Xelb, address: &str) -> Result<Process> {
    start(lab, xelb, &arguments(lab, address))
}

fn arguments(lab: &Lab, address: &str) -> Vec<String> {
    let path = configuration_path(lab).display().to_string();
    let words = ["agent", "--config", &path, "--bpffs", PIN_DIR, "--socket", SOCKET];
    words.into_iter().chain(["--metrics", address]).map(str::to_owned).collect()
}

fn scrape_text(lab: &Lab, address: &str) -> Result<String> {
    let server: SocketAddr = address.parse()?;
    let answer = lab.lb().run(move || http::get(server, "/metrics", LIMIT))?;
    ensure!(answer.status == 200, "status {}", answer.status);
    Ok(String::from_utf8(answer.body)?)
}

fn scrape(lab: &Lab, address: &str) -> Result<Scrape> {
    let text = scrape_text(lab, address)?;
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    samples
        .map(|line| {
            let (series, value) = line.rsplit_once(' ').context("a sample has a value")?;
            Ok((series.to_owned(), value.parse().with_context(|| line.to_owned())?))
        })
        .collect()
}

/// The entries of a list of JSON.
fn each<'a>(answer: &'a Value, list: &str) -> impl Iterator<Item = &'a Value> {
    answer[list].as_array().into_iter().flatten()
}

fn text<'a>(entry: &'a Value, key: &str) -> &'a str {
    entry[key].as_str().unwrap_or_default()
}

fn target_of(entry: &Value) -> String {
    format!(
        "group=\"{}\",target=\"{}:{}\"",
        text(entry, "group"),
        text(entry, "address"),
        entry["port"]
    )
}

/// The series that `xelb stats -o json` amounts to.
fn of_stats(stats: &Value) -> Vec<(String, Option<f64>)> {
    let mut expected = Vec::new();
    let mut expect = |series: String, value: &Value| expected.push((series, value.as_f64()));
    for one in each(stats, "listeners") {
        let name = text(one, "name");
        for what in ["packets", "bytes"] {
            expect(format!("xelb_listener_{what}_total{{listener=\"{name}\"}}"), &one[what]);
        }
    }
    for one in each(stats, "targets") {
        for what in ["packets", "bytes"] {
            expect(format!("xelb_target_{what}_total{{{}}}", target_of(one)), &one[what]);
        }
    }
    for one in each(stats, "drops") {
        let reason = text(one, "reason");
        expect(format!("xelb_dropped_packets_total{{reason=\"{reason}\"}}"), &one["packets"]);
    }
    for one in each(stats, "counters") {
        let name = text(one, "name");
        expect(format!("xelb_datapath_events_total{{event=\"{name}\"}}"), &one["value"]);
    }
    for name in ["remembered_flows", "remembered_flows_max"] {
        expect(format!("xelb_{name}"), &stats[name]);
    }
    expected
}

/// The constant series, computed from `xelb status -o json`.
fn of_status(status: &Value) -> Vec<(String, Option<f64>)> {
    let mut expected = Vec::new();
    let mut expect = |series: String, value: Option<f64>| expected.push((series, value));
    for one in each(status, "targets") {
        let state = text(one, "state");
        expect(format!("xelb_target_state{{{},state=\"{state}\"}}", target_of(one)), Some(1.0));
        expect(format!("xelb_target_weight{{{}}}", target_of(one)), one["weight"].as_f64());
        expect(format!("xelb_target_share_ratio{{{}}}", target_of(one)), one["share"].as_f64());
    }
    for one in each(status, "target_groups") {
        let labels = format!("{{group=\"{}\",state=\"healthy\"}}", text(one, "name"));
        expect(format!("xelb_target_group_targets{labels}"), one["healthy"].as_f64());
    }
    for map in ["listeners", "target_groups", "targets", "ring_slots"] {
        let label = format!("{{map=\"{map}\"}}");
        expect(format!("xelb_map_entries{label}"), status["maps"][map][0].as_f64());
        expect(format!("xelb_map_capacity{label}"), status["maps"][map][1].as_f64());
    }
    for one in each(&status["memory"], "maps") {
        let labels = format!("{{map=\"{}\"}}", text(one, "name"));
        expect(format!("xelb_map_memory_bytes{labels}"), one["bytes"].as_f64());
    }
    expect("xelb_agent_start_time_seconds".to_owned(), status["started_at"].as_f64());
    expect("xelb_configurations_applied_total".to_owned(), status["applied_count"].as_f64());
    let build = format!("{{version=\"{}\",abi=\"{}\"}}", text(status, "version"), status["abi"]);
    expect(format!("xelb_build_info{build}"), Some(1.0));
    for one in each(status, "interfaces") {
        let labels =
            format!("{{interface=\"{}\",mode=\"{}\"}}", text(one, "name"), text(one, "mode"));
        expect(format!("xelb_interface_mode{labels}"), Some(1.0));
    }
    expected
}

/// A scrape that has all that `stats` and `status` say, and how many series that is.
fn compare(lab: &Lab, xelb: &Xelb) -> Result<(Scrape, usize)> {
    let mut expected = of_stats(&json(lab, xelb, "stats")?);
    expected.extend(of_status(&json(lab, xelb, "status")?));
    let scrape = scrape(lab, ADDRESS)?;
    for (series, value) in &expected {
        let scraped = scrape.get(series).copied();
        ensure!(value.is_some() && scraped == *value, "{series}: {value:?}, scraped {scraped:?}");
    }
    Ok((scrape, expected.len()))
}

#[test]
fn a_scrape_has_the_numbers_of_stats_and_status() -> Result<()> {
    in_lab(|lab, xelb| {
        write(lab, &WEB.replace("listeners:\n", MORE))?;
        let _agent = start_with_metrics(lab, xelb, ADDRESS)?;
        let _decaps = lab
            .targets()
            .iter()
            .map(|target| xelb.decap(lab, target))
            .collect::<Result<Vec<_>, _>>()?;
        for last in [11, 12] {
            let address = [10, 0, 0, last].into();
            wait::until("the group is served", LIMIT, || {
                let targets = xelb.targets(lab).map_err(|error| error.to_string())?;
                let healthy = targets.iter().any(|target| {
                    target.address == std::net::IpAddr::V4(address) && target.state == "healthy"
                });
                if healthy { Ok(()) } else { Err(format!("{targets:?}")) }
            })?;
        }
        lab.client(1).run(|| -> Result<()> {
            for _ in 0..REQUESTS {
                http::get((VIP_V4, 80).into(), "/", LIMIT)?;
            }
            let dropped = http::get((VIP_V4, 81).into(), "/", Duration::from_millis(500));
            ensure!(dropped.is_err(), "somebody answered at port 81");
            Ok(())
        })?;
        // Connections end in their own time, and a scrape may be a second old.
        let (scrape, count) = wait::until("a scrape has the numbers of stats", LIMIT, || {
            compare(lab, xelb).map_err(|error| error.to_string())
        })?;
        ensure!(count > 60, "only {count} series were compared");
        let value = |series: &str| scrape.get(series).copied();
        let at_least = [
            ("xelb_listener_packets_total{listener=\"web\"}", 4.0 * f64::from(REQUESTS)),
            ("xelb_dropped_packets_total{reason=\"no_target\"}", 1.0),
            ("xelb_target_group_targets{group=\"slow\",state=\"initial\"}", 1.0),
            ("xelb_data_path_readable", 1.0),
            ("xelb_probes_total", 2.0),
            ("xelb_agent_resident_memory_bytes", 1e6),
        ];
        for (series, least) in at_least {
            ensure!(value(series) >= Some(least), "{series}: {scrape:#?}");
        }
        Ok(())
    })
}

#[test]
fn an_address_that_cannot_be_had_is_named_and_nothing_is_changed() -> Result<()> {
    in_lab(|lab, xelb| {
        write(lab, WEB)?;
        let _taken = lab.lb().run(|| std::net::TcpListener::bind("[::1]:9900"))?;
        for (address, why) in
            [("[::1]:9900", "Address already in use"), ("192.0.2.1:9900", "Cannot assign")]
        {
            let arguments = arguments(lab, address);
            let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
            let said = format!("error: cannot listen at {address} for metrics");
            fails(&run(lab, xelb, &words)?, 1, &[&said, "--metrics", why])?;
            ensure!(!is_pinned() && !lab.lb().has_xdp("eth0")?, "something was changed");
            ensure!(!std::path::Path::new(SOCKET).exists(), "the socket of the API is there");
        }
        for wrong in ["9900", "localhost:9900", "::1:9900"] {
            let arguments = ["agent", "--metrics", wrong];
            fails(&run(lab, xelb, &arguments)?, 2, &["--metrics <ADDRESS:PORT>", wrong])?;
        }
        Ok(())
    })
}

#[test]
fn hostile_clients_do_not_disturb_the_agent() -> Result<()> {
    in_lab(|lab, xelb| {
        write(lab, WEB)?;
        let address = "[::1]:9900";
        let mut agent = start_with_metrics(lab, xelb, address)?;
        xelb.wait_healthy(lab, 2, LIMIT)?;
        let server: SocketAddr = address.parse()?;
        let silent = lab.lb().run(move || -> Result<Vec<TcpStream>> {
            (0..700).map(|_| Ok(TcpStream::connect_timeout(&server, LIMIT)?)).collect()
        })?;
        // Some ask all the time, one of them sends 10 MB in a header.
        let flood = lab.lb().thread("flood", move || flood(server))?;
        let since = Instant::now();
        let mut slowest = Duration::ZERO;
        while since.elapsed() < Duration::from_secs(3) {
            let asked = Instant::now();
            let status = json(lab, xelb, "status")?;
            slowest = slowest.max(asked.elapsed());
            ensure!(status["target_groups"][0]["healthy"] == 2, "{status}");
        }
        let answered = flood.join().map_err(|_| anyhow::anyhow!("the flood failed"))?;
        ensure!(agent.ended()?.is_none(), "the agent has ended");
        ensure!(slowest < Duration::from_secs(2), "status took {slowest:?}");
        ensure!(answered > 0, "nobody was answered in the flood");
        let scrape = scrape(lab, address)?;
        ensure!(scrape.get("xelb_probes_failed_total") == Some(&0.0), "{scrape:#?}");
        drop(silent);
        Ok(())
    })
}

/// 300 connections that ask, and some that send 10 MB; says how many got an answer.
fn flood(server: SocketAddr) -> usize {
    let clients: Vec<_> = (0..30)
        .map(|client| {
            thread::spawn(move || {
                let ask = |number: usize| {
                    if client == 0 && number < 3 {
                        drop(send_much(server));
                    }
                    http::get(server, "/metrics", LIMIT).is_ok_and(|answer| answer.status == 200)
                };
                (0..10).filter(|number| ask(*number)).count()
            })
        })
        .collect();
    clients.into_iter().filter_map(|client| client.join().ok()).sum()
}

/// 10 MB in one header.
fn send_much(server: SocketAddr) -> std::io::Result<usize> {
    let mut stream = TcpStream::connect_timeout(&server, LIMIT)?;
    stream.set_write_timeout(Some(LIMIT))?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nx: ")?;
    stream.write_all(&vec![b'x'; 10_000_000])?;
    stream.shutdown(Shutdown::Write)?;
    stream.read(&mut [0; 64])
}

/// For docs/metrics.md. Nobody answers at these addresses, which changes nothing of a scrape's work.
#[test]
#[ignore = "a measurement: cargo test -p lb-tests --test agent ten_thousand -- --ignored --nocapture"]
fn a_scrape_of_ten_thousand_targets() -> Result<()> {
    const TARGETS: usize = 10_000;
    in_lab(|lab, xelb| {
        let mut targets = "    targets:\n".to_owned();
        for number in 0..TARGETS {
            writeln!(targets, "      - {{ address: 10.7.{}.{} }}", number / 250, number % 250 + 1)?;
        }
        let (head, rest) = WEB.split_once("    targets:\n").context("WEB has targets")?;
        let (_, listeners) = rest.split_once("listeners:").context("WEB has listeners")?;
        let head = head.replace("interval: 200ms", "interval: 30s");
        write(lab, &format!("{head}{targets}listeners:{listeners}"))?;
        let _agent = start_with_metrics(lab, xelb, ADDRESS)?;
        thread::sleep(Duration::from_secs(5));
        let mut times = Vec::new();
        let mut text = String::new();
        for _ in 0..11 {
            // Each one is built again.
            thread::sleep(Duration::from_millis(1100));
            let since = Instant::now();
            text = scrape_text(lab, ADDRESS)?;
            times.push(since.elapsed());
        }
        times.sort();
        let samples = text.lines().filter(|line| !line.starts_with('#')).count();
        let states = text.lines().filter(|line| line.starts_with("xelb_target_state{")).count();
        ensure!(states == 5 * TARGETS, "{states} lines of states");
        println!(
            "{TARGETS} targets: {samples} samples, {} bytes; fastest {:?}, median {:?}, slowest {:?}",
            text.len(),
            times[0],
            times[times.len() / 2],
            times[times.len() - 1],
        );
        Ok(())
    })
}
