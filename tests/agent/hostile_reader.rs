//! Somebody with the role `read` who wishes the agent ill: the agent serves others all the same.

use std::{
    io::{Read as _, Write as _},
    os::unix::net::UnixStream,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use lb_tests::{Lab, Xelb};
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
    arguments.extend(["--read-socket", &socket, "--read-group", "0"].map(str::to_owned));
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
