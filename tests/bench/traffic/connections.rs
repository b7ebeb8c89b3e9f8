//! Short connections: each opens, asks once, and closes, by `wrk` with `Connection: close`. The same client,
//! the same nginx servers, the way between them differs.

use std::{
    collections::BTreeSet,
    fs,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use lb_tests::{
    Configuration, Forwarding, Lab, Xelb,
    agent::write_configuration,
    configuration::Group,
    http, lab,
    topology::{VIP_V4, target_v4},
    web,
};

use super::{
    Options,
    proxies::{HAPROXY_PORT, NGINX_PORT, Proxies},
    report::{ConnectionRow, Spread},
};

const TARGETS: u8 = 2;
const LIMIT: Duration = Duration::from_secs(20);
/// Connections at the same time.
const PARALLEL: &str = "32";

/// Name and address of each way.
fn ways() -> [(&'static str, String); 4] {
    [
        ("one server, without a balancer", format!("{}:{}", target_v4(1), web::PORT)),
        ("xelb l2dsr", format!("{VIP_V4}:{}", web::PORT)),
        ("HAProxy, tcp mode", format!("10.0.0.2:{HAPROXY_PORT}")),
        ("nginx, stream", format!("10.0.0.2:{NGINX_PORT}")),
    ]
}

pub(super) fn measure(options: Options) -> Result<Vec<ConnectionRow>> {
    lab::run(TARGETS, move |lab| {
        let xelb = Xelb::find(None)?;
        let mut configuration = Configuration::default();
        let group = Group::new("web", "tcp", web::PORT, Forwarding::L2dsr).with(&[1, 2]);
        configuration.add(VIP_V4.into(), group);
        write_configuration(lab, &configuration)?;
        let _agent = xelb.agent(lab)?;
        xelb.wait_healthy(lab, usize::from(TARGETS), LIMIT)?;
        let _proxies = Proxies::start(lab, TARGETS)?;
        let ways = ways();
        for (name, address) in ways.iter().skip(1) {
            verify(lab, address).with_context(|| (*name).to_owned())?;
        }
        let mut samples = vec![Vec::new(); ways.len()];
        for _ in 0..options.repetitions.max(1) {
            for ((name, address), samples) in ways.iter().zip(&mut samples) {
                let sample = sample(lab, address, options.duration());
                samples.push(sample.with_context(|| (*name).to_owned())?);
            }
        }
        let rows = ways.iter().zip(&samples).map(|((name, _), samples)| ConnectionRow {
            name: (*name).to_owned(),
            per_second: Spread::of(samples.iter().map(|sample| sample.per_second)),
            cpu_microseconds: Spread::of(samples.iter().map(|sample| sample.cpu_microseconds)),
        });
        Ok(rows.collect())
    })
}

/// Both servers must get requests by this way.
fn verify(lab: &Lab, address: &str) -> Result<()> {
    let address = address.parse()?;
    let answers: BTreeSet<String> = lab.client(1).run(move || {
        (0..40)
            .map(|_| http::get(address, "/", LIMIT).map(|answer| answer.target))
            .collect::<Result<_, _>>()
    })?;
    ensure!(answers.len() == usize::from(TARGETS), "answers came from {answers:?} only");
    Ok(())
}

#[derive(Clone)]
struct Sample {
    per_second: f64,
    cpu_microseconds: f64,
}

fn sample(lab: &Lab, address: &str, duration: Duration) -> Result<Sample> {
    let time = format!("{}s", duration.as_secs());
    let url = format!("http://{address}/");
    let arguments = [
        "-t",
        "1",
        "-c",
        PARALLEL,
        "-d",
        &time,
        "-H",
        "Connection: close",
        "--timeout",
        "2s",
        &url,
    ];
    let (before, started) = (machine_seconds()?, Instant::now());
    let output = lab.client(1).command("wrk", &arguments, duration + LIMIT)?;
    let (after, elapsed) = (machine_seconds()?, started.elapsed().as_secs_f64());
    ensure!(
        !output.contains("Socket errors") && !output.contains("Non-2xx"),
        "some requests failed: {output}"
    );
    let per_second: f64 = output
        .lines()
        .find_map(|line| line.trim().strip_prefix("Requests/sec:"))
        .and_then(|rate| rate.trim().parse().ok())
        .with_context(|| format!("no rate in {output}"))?;
    Ok(Sample { per_second, cpu_microseconds: (after - before) * 1e6 / (per_second * elapsed) })
}

/// CPU time of all cores so far, from /proc/stat: user, nice, system, irq, softirq.
#[expect(clippy::cast_precision_loss, reason = "ticks far below 2^53")]
fn machine_seconds() -> Result<f64> {
    let text = fs::read_to_string("/proc/stat")?;
    let line = text.lines().next().context("/proc/stat is empty")?;
    let ticks: Vec<u64> =
        line.split_whitespace().skip(1).map_while(|word| word.parse().ok()).collect();
    let busy: u64 = [0, 1, 2, 5, 6].iter().filter_map(|place| ticks.get(*place)).sum();
    Ok(busy as f64 / 100.0)
}
