//! A hostile client with the role `read`: the agent still serves other clients.

use std::{
    collections::BTreeSet,
    fs,
    io::{Read as _, Write as _},
    os::unix::net::UnixStream,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use lb_tests::{Lab, Xelb, wait};
use nix::{sys::stat::Mode, unistd::mkfifo};

use crate::{
    remote::read_socket,
    scene::{LIMIT, WEB, in_lab, json, run, start, state_dir_arguments, write},
};

/// No answer of an agent that is at ease takes longer.
const AT_EASE: Duration = Duration::from_secs(2);

/// Status and body of the answer to a request at the socket for readers.
fn ask(lab: &Lab, method: &str, path: &str, body: &str) -> Result<(u16, String)> {
    let mut stream = UnixStream::connect(read_socket(lab))?;
    stream.set_read_timeout(Some(LIMIT))?;
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nhost: xelb\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut text = String::new();
    stream.read_to_string(&mut text).context("no answer in time")?;
    let (head, body) = text.split_once("\r\n\r\n").context("no head")?;
    let status = head.split(' ').nth(1).context("no status")?.parse()?;
    Ok((status, body.to_owned()))
}

/// An agent with [`WEB`] and a socket for readers.
fn applied(lab: &Lab, xelb: &Xelb) -> Result<lb_tests::Process> {
    let mut arguments = state_dir_arguments(lab);
    let socket = read_socket(lab).display().to_string();
    let options = ["--read-socket", &socket, "--read-group", "0", "--exec-checks", "/"];
    arguments.extend(options.map(str::to_owned));
    let agent = start(lab, xelb, &arguments)?;
    write(lab, WEB)?;
    let path = lb_tests::agent::configuration_path(lab).display().to_string();
    run(lab, xelb, &["apply", "-f", &path])?.success()?;
    xelb.wait_healthy(lab, 2, LIMIT)?;
    Ok(agent)
}

/// [`WEB`] with another health check, in JSON.
fn with_check(check: &serde_json::Value) -> String {
    serde_json::json!({
        "interfaces": ["eth0"],
        "target_groups": [{
            "name": "web", "protocol": "tcp", "port": 80, "forwarding": "ipip",
            "targets": [{ "address": "10.0.0.11" }], "health_check": check,
        }],
        "listeners": [{
            "name": "web", "address": "203.0.113.10", "port": 80, "protocol": "tcp",
            "default_action": { "forward": { "target_group": "web" } },
        }],
    })
    .to_string()
}

#[test]
fn previews_touch_no_file_and_tell_of_none() -> Result<()> {
    in_lab(|lab, xelb| {
        let _agent = applied(lab, xelb)?;
        let pipe = lab.directory().join("pipe");
        mkfifo(&pipe, Mode::S_IRWXU)?;
        let pipe = pipe.display().to_string();
        let mut answers = Vec::new();
        for path in [&*pipe, "/dev/zero", "/nonexistent/file", "/etc/passwd", "/etc/shadow"] {
            for check in [
                serde_json::json!({ "protocol": "https", "verify": path }),
                serde_json::json!({ "protocol": "exec", "command": [path] }),
            ] {
                let started = Instant::now();
                let (status, body) = ask(lab, "POST", "/v1/config/preview", &with_check(&check))?;
                ensure!(status == 200, "{path}: {status} {body}");
                ensure!(started.elapsed() < AT_EASE, "{path}: {:?}", started.elapsed());
                answers.push(body.replace(path, "PATH"));
            }
        }
        // Whether a path is there, and what it is, makes no difference.
        ensure!(answers.iter().step_by(2).all(|body| *body == answers[0]), "{answers:?}");
        ensure!(answers.iter().skip(1).step_by(2).all(|body| *body == answers[1]), "{answers:?}");
        let status = json(lab, xelb, "status")?;
        ensure!(status["last_error"] == "", "{status}");
        Ok(())
    })
}

/// Bytes of a process that are in memory and its own.
fn resident(pid: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).context("RssAnon")?;
    let kib: u64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kib << 10)
}

#[test]
fn bodies_that_never_end_take_little_memory() -> Result<()> {
    in_lab(|lab, xelb| {
        let agent = applied(lab, xelb)?;
        let before = resident(agent.pid())?;
        let chunk = vec![b' '; 64 << 10];
        let mut held = Vec::new();
        for _ in 0..60 {
            let mut stream = UnixStream::connect(read_socket(lab))?;
            stream.set_write_timeout(Some(Duration::from_millis(200)))?;
            let request = "POST /v1/config/preview HTTP/1.1\r\nhost: xelb\r\ncontent-length: 16777216\r\n\r\n";
            stream.write_all(request.as_bytes())?;
            // As much as the agent takes; it may close at any time.
            for _ in 0..255 {
                if stream.write_all(&chunk).is_err() {
                    break;
                }
            }
            held.push(stream);
        }
        let grown = resident(agent.pid())?.saturating_sub(before);
        ensure!(grown < 64 << 20, "{} MiB more", grown >> 20);
        let started = Instant::now();
        json(lab, xelb, "status")?;
        ensure!(started.elapsed() < AT_EASE, "{:?}", started.elapsed());
        drop(held);
        Ok(())
    })
}

#[test]
fn secrets_are_shown_to_those_who_configure_alone() -> Result<()> {
    const SEED: &str = "0123456789abcdef0123456789abcdef";
    in_lab(|lab, xelb| {
        let _agent = applied(lab, xelb)?;
        let secret = WEB
            .replace(
                "protocol: http, path: /healthz",
                "protocol: exec, command: [/bin/true, s3cret]",
            )
            .replace("interfaces:", &format!("hash_seed: \"{SEED}\"\ninterfaces:"));
        write(lab, &secret)?;
        let path = lb_tests::agent::configuration_path(lab).display().to_string();
        run(lab, xelb, &["apply", "-f", &path])?.success()?;
        let shown = run(lab, xelb, &["get", "config", "-o", "yaml"])?.success()?;
        ensure!(shown.contains("s3cret") && shown.contains(SEED), "{shown}");
        let hidden = with_check(&serde_json::json!({ "protocol": "exec", "command": ["/bin/x"] }));
        for (method, path, body) in [
            ("GET", "/v1/config", ""),
            ("GET", "/v1/revisions/2", ""),
            ("GET", "/v1/revisions/1/differences?to=2", ""),
            ("GET", "/v1/status", ""),
            ("GET", "/v1/targets", ""),
            ("POST", "/v1/config/preview", &*hidden),
        ] {
            let (status, body) = ask(lab, method, path, body)?;
            ensure!(status == 200, "{path}: {status} {body}");
            ensure!(!body.contains("s3cret") && !body.contains(SEED), "{path}: {body}");
        }
        Ok(())
    })
}

/// Ids of the BPF programs that a process holds.
fn programs(pid: u32) -> Result<BTreeSet<u32>> {
    let mut held = BTreeSet::new();
    for entry in fs::read_dir(format!("/proc/{pid}/fdinfo"))? {
        // Descriptors come and go.
        let text = fs::read_to_string(entry?.path()).unwrap_or_default();
        let ids = text.lines().filter_map(|line| line.strip_prefix("prog_id:"));
        held.extend(ids.filter_map(|id| id.trim().parse::<u32>().ok()));
    }
    ensure!(!held.is_empty(), "it holds no program");
    Ok(held)
}

#[test]
fn explaining_again_loads_nothing() -> Result<()> {
    in_lab(|lab, xelb| {
        let agent = applied(lab, xelb)?;
        let explain = "/v1/explain?from=198.51.100.1:4000&to=203.0.113.10:80";
        let (status, first) = ask(lab, "GET", explain, "")?;
        ensure!(status == 200 && first.contains("\"target\""), "{status} {first}");
        let loaded = programs(agent.pid())?;
        for _ in 0..20 {
            let (status, again) = ask(lab, "GET", explain, "")?;
            ensure!(status == 200 && again == first, "{status} {again}");
        }
        // Nothing of an answer is left in the next one.
        let elsewhere = "/v1/explain?from=198.51.100.1:4000&to=203.0.113.99:80";
        let (_, passed) = ask(lab, "GET", elsewhere, "")?;
        ensure!(passed.contains("\"passed\"") && !passed.contains("listener\":\"web"), "{passed}");
        ensure!(loaded == programs(agent.pid())?, "a program was loaded again");
        Ok(())
    })
}

/// Each change comes with a hundred warnings: the log says a few, and how many more there were.
#[test]
fn changes_with_many_warnings_do_not_fill_the_log() -> Result<()> {
    const GROUPS: usize = 100;
    in_lab(|lab, xelb| {
        let _agent = applied(lab, xelb)?;
        let (head, listeners) = WEB.split_once("listeners:").context("no listeners")?;
        let group = |number| {
            format!(
                "  - {{ name: g{number}, protocol: udp, port: {}, forwarding: ipip,
      targets: [{{ address: 10.0.0.11 }}],
      health_check: {{ protocol: udp, interval: 60s }} }}\n",
                5000 + number
            )
        };
        let groups: String = (0..GROUPS).map(group).collect();
        write(lab, &format!("{head}{groups}listeners:{listeners}"))?;
        let path = lb_tests::agent::configuration_path(lab).display().to_string();
        run(lab, xelb, &["apply", "-f", &path])?.success()?;
        for weight in 1..=10 {
            let weight = weight.to_string();
            run(lab, xelb, &["target", "weight", "web", "10.0.0.11", &weight])?.success()?;
        }
        let lines = |text: &str| -> Result<usize> {
            let log = fs::read_to_string(lab.log("agent"))?;
            Ok(log.lines().filter(|line| line.contains(text)).count())
        };
        wait::until("the log says how many were left out", LIMIT * 2, || {
            match lines("more lines about changes were not logged")
                .map_err(|error| error.to_string())?
            {
                0 => Err("not yet".to_owned()),
                _ => Ok(()),
            }
        })?;
        let told = lines("counts a missing answer as success")?;
        ensure!((10..=80).contains(&told), "{told} of {} lines", GROUPS * 11);
        Ok(())
    })
}
