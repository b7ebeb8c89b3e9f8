//! TCP and UDP over IPv4 and IPv6, in every mode: they reach all targets, and targets see who asked.

use std::{
    collections::BTreeMap,
    io::{Read as _, Write as _},
    net::{IpAddr, TcpStream},
    time::Duration,
};

use anyhow::{Context as _, ensure};
use lb_tests::{
    Host, http,
    topology::{VIPS, client_for},
    udp,
};

use crate::scene::{REQUEST_LIMIT, in_every_mode, url, web_at};

const TARGETS: u8 = 3;
/// Enough that a target whose share is a third is missed once in 10^17 runs.
const REQUESTS: usize = 100;
const PARALLEL: usize = 200;

/// Every target must have some of the answers.
fn expect_all_targets(answers: &BTreeMap<String, usize>) -> anyhow::Result<()> {
    let names: Vec<&str> = answers.keys().map(String::as_str).collect();
    ensure!(names == ["t1", "t2", "t3"], "answers by target: {answers:?}");
    Ok(())
}

/// Asks [`REQUESTS`] times and counts the answers by target.
fn ask(
    client: &Host,
    once: impl Fn() -> std::io::Result<String> + Send + 'static,
) -> anyhow::Result<BTreeMap<String, usize>> {
    client.run(move || {
        let mut answers = BTreeMap::new();
        for number in 0..REQUESTS {
            let target = once().with_context(|| format!("request {number}"))?;
            *answers.entry(target).or_default() += 1;
        }
        Ok(answers)
    })
}

#[test]
fn http_reaches_every_target_and_shows_the_client() -> anyhow::Result<()> {
    in_every_mode(TARGETS, |_, lab, _| {
        for vip in VIPS {
            for client in [1, 2] {
                let path = format!("/from-client{client}");
                let answers = ask(lab.client(client), move || {
                    http::get(web_at(vip), &path, REQUEST_LIMIT).map(|answer| answer.target)
                })
                .with_context(|| format!("client{client} to {vip}"))?;
                expect_all_targets(&answers)?;
                for target in 1..=TARGETS {
                    let server = lab.web_server(target).context("the server runs")?;
                    let path = format!("/from-client{client}");
                    let seen = server
                        .accesses()?
                        .iter()
                        .filter(|access| access.path == path && access.server == vip)
                        .filter(|access| access.client == client_for(client, vip))
                        .count();
                    ensure!(
                        Some(&seen) == answers.get(&format!("t{target}")),
                        "t{target} saw {seen} requests of client{client} to {vip}: {answers:?}"
                    );
                }
            }
        }
        Ok(())
    })
}

#[test]
fn udp_reaches_every_target_and_shows_the_client() -> anyhow::Result<()> {
    in_every_mode(TARGETS, |_, lab, _| {
        for vip in VIPS {
            let answers = ask(lab.client(1), move || {
                udp::ask((vip, udp::PORT).into(), "who are you?", REQUEST_LIMIT)
            })
            .with_context(|| format!("asking {vip}"))?;
            expect_all_targets(&answers)?;
            for target in 1..=TARGETS {
                let seen = lab
                    .responder(target)
                    .seen()
                    .iter()
                    .filter(|(peer, asked)| *asked == vip && peer.ip() == client_for(1, vip))
                    .count();
                ensure!(Some(&seen) == answers.get(&format!("t{target}")), "t{target} saw {seen}");
            }
        }
        Ok(())
    })
}

/// One connection stays with one target, for all its requests.
#[test]
fn curl_keeps_its_connection() -> anyhow::Result<()> {
    in_every_mode(TARGETS, |_, lab, _| {
        for vip in VIPS {
            let page = url(vip, "/[1-5]");
            let arguments = ["-sS", "-g", "--max-time", "5", "-w", "%{num_connects}\n"];
            // With -g a bracket is a bracket, as the IPv6 URL needs it: the pages are listed.
            let pages: Vec<String> =
                (1..=5).map(|number| page.replace("[1-5]", &number.to_string())).collect();
            let all: Vec<&str> =
                arguments.into_iter().chain(pages.iter().map(String::as_str)).collect();
            let output = lab.client(1).command("curl", &all, Duration::from_secs(10))?;
            let lines: Vec<&str> = output.lines().collect();
            let name = lines.first().copied().unwrap_or_default();
            let expected = [name, "1", name, "0", name, "0", name, "0", name, "0"];
            ensure!(lines == expected && name.starts_with('t'), "{vip}: {lines:?}");
        }
        Ok(())
    })
}

#[test]
fn two_hundred_connections_live_at_once() -> anyhow::Result<()> {
    in_every_mode(TARGETS, |_, lab, _| {
        for vip in VIPS {
            let answers = lab.client(2).run(move || talk_in_parallel(vip))?;
            expect_all_targets(&answers)?;
            ensure!(answers.values().sum::<usize>() == PARALLEL, "{answers:?}");
            let page = url(vip, "/wrk");
            let arguments = ["-t", "2", "-c", "200", "-d", "2s", "--timeout", "2s", &page];
            let output = lab.client(1).command("wrk", &arguments, Duration::from_secs(15))?;
            ensure!(
                output.contains("requests in")
                    && !output.contains("Socket errors")
                    && !output.contains("Non-2xx"),
                "{vip}: {output}"
            );
        }
        Ok(())
    })
}

/// Opens all connections, then asks on all, then reads all answers.
fn talk_in_parallel(vip: IpAddr) -> anyhow::Result<BTreeMap<String, usize>> {
    let mut streams = Vec::new();
    for number in 0..PARALLEL {
        let stream = TcpStream::connect_timeout(&web_at(vip), REQUEST_LIMIT)
            .with_context(|| format!("connection {number}"))?;
        stream.set_read_timeout(Some(REQUEST_LIMIT))?;
        streams.push(stream);
    }
    for stream in &mut streams {
        stream.write_all(b"GET / HTTP/1.1\r\nHost: vip\r\nConnection: close\r\n\r\n")?;
    }
    let mut answers = BTreeMap::new();
    for (number, stream) in streams.iter_mut().enumerate() {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).with_context(|| format!("answer {number}"))?;
        let body = answer.trim_end().lines().last().unwrap_or_default();
        *answers.entry(body.to_owned()).or_default() += 1;
    }
    Ok(answers)
}
