//! A scaled group whose members are real servers: they come with the load and go with it, and no
//! request fails, whatever becomes of the agent.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use lb_tests::{
    Lab, Process, Xelb,
    agent::configuration_path,
    load::{Load, Pace},
    topology::{VIP_V4, target_v4},
    wait,
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;

use crate::scene::{NOTICE_LIMIT, expect_no_failure, in_lab_alone};

/// The longest that the group may take to follow its load.
const FOLLOW_LIMIT: Duration = Duration::from_secs(90);
const PORT: u16 = 8080;
/// Addresses of the balancer, for mode fullnat.
const LOCAL: &str = "10.0.0.3";
/// The most members.
const MAX: usize = 4;

/// A server that names itself by its port.
const SERVER: &str = r#"
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = sys.argv[2].encode()
        self.send_response(200)
        self.send_header("x-target", sys.argv[2])
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *arguments):
        pass
class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 256
    daemon_threads = True
Server((sys.argv[1], int(sys.argv[2])), Handler).serve_forever()
"#;

/// Where the driver keeps ports; the processes of its members are found by it. Those that are left are
/// killed when it is dropped.
struct Members(PathBuf);

impl Members {
    /// Members with a process, and their processes.
    fn processes(&self) -> Vec<(String, Pid)> {
        let mark = format!("XELB_MEMBER={}/web/", self.0.display());
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        let of = |entry: fs::DirEntry| {
            let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
            let environment = fs::read(entry.path().join("environ")).ok()?;
            let text = String::from_utf8_lossy(&environment).into_owned();
            let name = text.split('\0').find_map(|one| one.strip_prefix(&mark))?;
            Some((name.to_owned(), Pid::from_raw(pid)))
        };
        entries.filter_map(of).collect()
    }
}

impl Drop for Members {
    fn drop(&mut self) {
        for (_, pid) in self.processes() {
            kill(pid, Signal::SIGKILL).ok();
        }
    }
}

/// Puts the driver and the configuration into the lab; returns the directory of the driver.
fn prepare(lab: &Lab, members: &Members) -> Result<PathBuf> {
    let folder = lab.directory().join("drivers");
    fs::create_dir_all(&folder)?;
    let driver = folder.join("local-processes");
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/drivers/local-processes");
    fs::copy(&example, &driver).with_context(|| example.display().to_string())?;
    for path in [&folder, &driver] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
    }
    let server = lab.directory().join("server.py");
    fs::write(&server, SERVER)?;
    let text = format!(
        "interfaces: [eth0]
source_nat: {{ addresses: [{LOCAL}] }}
target_groups:
  - name: web
    protocol: tcp
    port: 9000
    forwarding: fullnat
    health_check: {{ protocol: http, path: /, interval: 500ms, timeout: 450ms, healthy_threshold: 2 }}
    attributes: {{ deregistration_delay: 60s }}
    scaling:
      min: 1
      max: {MAX}
      driver:
        exec:
          program: {driver}
          parameters:
            command: [ip, netns, exec, t1, python3, {server}, \"{{address}}\", \"{{port}}\"]
            address: {address}
            ports: [9000, 9099]
            directory: {directory}
      policies:
        - {{ name: load, target_tracking: {{ metric: packets_per_target, value: 100 }} }}
      sample_interval: 1s
      scale_in_window: 5s
listeners:
  - name: web
    address: {VIP_V4}
    port: {PORT}
    protocol: tcp
    default_action: {{ forward: {{ target_group: web }} }}
",
        driver = driver.display(),
        server = server.display(),
        address = target_v4(1),
        directory = members.0.display(),
    );
    fs::write(configuration_path(lab), text)?;
    Ok(folder)
}

fn agent(lab: &Lab, xelb: &Xelb, drivers: &Path) -> Result<Process> {
    let state = lab.directory().join("state").display().to_string();
    let drivers = drivers.display().to_string();
    let options = ["--state-dir", &state, "--exec-checks", &drivers, "--driver-user", "root"];
    Ok(xelb.agent_with(lab, &options)?)
}

/// What `xelb get members -o json` says: name and state.
fn members(lab: &Lab, xelb: &Xelb) -> Result<Vec<(String, String)>, String> {
    let command = xelb.command(lab, &["get", "members", "-o", "json"]);
    let text = command
        .and_then(lb_tests::process::Finished::success)
        .map_err(|error| error.to_string())?;
    let answer: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    let of = |member: &Value| {
        let text = |key: &str| member[key].as_str().unwrap_or_default().to_owned();
        (text("name"), text("state"))
    };
    Ok(answer.as_array().into_iter().flatten().map(of).collect())
}

/// Waits until so many members are there, all of them in service.
fn wait_members(lab: &Lab, xelb: &Xelb, count: usize) -> Result<BTreeSet<String>> {
    let done = wait::until(&format!("{count} members are in service"), FOLLOW_LIMIT, || {
        let all = members(lab, xelb)?;
        if all.len() == count && all.iter().all(|(_, state)| state == "in-service") {
            Ok(all.into_iter().map(|(name, _)| name).collect())
        } else {
            let explained = xelb.command(lab, &["scale", "explain", "web"]);
            Err(format!("{all:?}; {explained:?}"))
        }
    });
    Ok(done?)
}

/// Waits until some member is in one of these states.
fn wait_for_some(lab: &Lab, xelb: &Xelb, states: &[&str]) -> Result<()> {
    wait::until(&format!("a member is {states:?}"), FOLLOW_LIMIT, || {
        let all = members(lab, xelb)?;
        let is_there = all.iter().any(|(_, state)| states.contains(&state.as_str()));
        if is_there { Ok(()) } else { Err(format!("{all:?}")) }
    })?;
    Ok(())
}

/// Each member that the agent knows has one process, and no other process of a member is there.
fn expect_processes(running: &Members, known: &BTreeSet<String>) -> Result<()> {
    let processes = running.processes();
    let names: BTreeSet<String> = processes.iter().map(|(name, _)| name.clone()).collect();
    ensure!(names == *known, "members {known:?}, processes {processes:?}");
    ensure!(processes.len() == known.len(), "a member has two processes: {processes:?}");
    Ok(())
}

#[test]
fn members_follow_the_load_and_no_request_fails() -> Result<()> {
    in_lab_alone(1, |lab| {
        lab.target(1).ip("address flush dev lo scope global")?;
        lab.lb().ip(&format!("address add {LOCAL}/32 dev eth0"))?;
        let running = Members(lab.directory().join("local-processes"));
        let drivers = prepare(lab, &running)?;
        let xelb = Xelb::find(None)?;
        let mut process = agent(lab, &xelb, &drivers)?;
        let first = wait_members(lab, &xelb, 1)?;
        expect_processes(&running, &first)?;

        let server = (VIP_V4, PORT).into();
        let limit = Duration::from_secs(10);
        let little = Pace { workers: 1, pause: Duration::from_millis(300), limit };
        let light = Load::start(&[(lab.client(1), server)], little)?;
        let much = Pace { workers: 3, pause: Duration::from_millis(5), limit };
        let heavy = Load::start(&[(lab.client(2), server)], much)?;
        let risen = Instant::now();
        wait_for_some(lab, &xelb, &["pending"])?;
        eprintln!("new capacity is launched {:?} after the load", risen.elapsed());

        // In the middle of a launch.
        process.signal(Signal::SIGKILL)?;
        process.wait(NOTICE_LIMIT)?;
        thread::sleep(Duration::from_secs(1));
        let mut process = agent(lab, &xelb, &drivers)?;
        let most = wait_members(lab, &xelb, MAX)?;
        eprintln!("{MAX} members are in service {:?} after the load", risen.elapsed());
        expect_processes(&running, &most)?;
        ensure!(most.is_superset(&first), "{first:?} is not part of {most:?}");

        expect_no_failure(&heavy.finish(), 200);
        wait_for_some(lab, &xelb, &["terminating:wait", "terminating"])?;
        // In the middle of a drain.
        process.signal(Signal::SIGKILL)?;
        process.wait(NOTICE_LIMIT)?;
        thread::sleep(Duration::from_secs(1));
        let _process = agent(lab, &xelb, &drivers)?;
        let last = wait_members(lab, &xelb, 1)?;
        expect_processes(&running, &last)?;
        ensure!(last.is_subset(&most), "{last:?} is not part of {most:?}");
        let samples = light.finish();
        expect_no_failure(&samples, 20);
        ensure!(samples.by_target().len() > 1, "{:?}", samples.by_target());
        let activities = xelb.command(lab, &["get", "activities", "web"])?.success()?;
        ensure!(!activities.contains("failed"), "{activities}");
        Ok(())
    })
}
