//! The agent and the decapsulator under a service manager: what they tell it, and that the
//! capabilities of their units are enough.

use std::{
    fs, io,
    os::unix::net::UnixDatagram,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use lb_tests::{
    Lab, Process, Xelb,
    agent::{PIN_DIR, SOCKET, configuration_path},
    process::Task,
    wait,
};
use nix::sys::signal::Signal;

use crate::scene::{LIMIT, WEB, in_lab, json, state_dir_arguments, wait_json, write};

/// The service manager's patience; signs of life come twice as often.
const WATCHDOG: Duration = Duration::from_millis(600);

/// A service manager: it listens.
struct Manager {
    socket: UnixDatagram,
    path: String,
}

impl Manager {
    fn new(lab: &Lab) -> Result<Self> {
        let path = lab.directory().join("notify");
        let socket = UnixDatagram::bind(&path)?;
        Ok(Self { socket, path: path.display().to_string() })
    }

    /// A program that knows of it.
    fn task(&self, lab: &Lab, xelb: &Xelb, arguments: &[String]) -> Result<Task> {
        let task = Task::new(xelb.program(), arguments).log_to(&lab.log("service"))?;
        let usec = WATCHDOG.as_micros().to_string();
        Ok(task.env("NOTIFY_SOCKET", &self.path).env("WATCHDOG_USEC", &usec))
    }

    /// The next message, if one comes in that time.
    fn next(&self, limit: Duration) -> Result<Option<String>> {
        use io::ErrorKind::{Interrupted, WouldBlock};
        let mut buffer = [0; 4096];
        self.socket.set_read_timeout(Some(limit))?;
        match self.socket.recv(&mut buffer) {
            Ok(length) => Ok(Some(String::from_utf8(buffer[..length].to_vec())?)),
            // A machine that was stopped and goes on interrupts it.
            Err(error) if matches!(error.kind(), WouldBlock | Interrupted) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Waits for a message with this line; gives all messages up to it.
    fn wait_for(&self, line: &str) -> Result<String> {
        let begun = Instant::now();
        let mut all = String::new();
        while begun.elapsed() < LIMIT {
            if let Some(message) = self.next(LIMIT)? {
                all.push_str(&message);
                if message.lines().any(|one| one == line) {
                    return Ok(all);
                }
            }
        }
        anyhow::bail!("no {line} in:\n{all}")
    }

    /// Signs of life in a while.
    fn pings(&self, time: Duration) -> Result<usize> {
        let begun = Instant::now();
        let mut count = 0;
        while let Some(rest) = time.checked_sub(begun.elapsed()).filter(|rest| !rest.is_zero()) {
            let message = self.next(rest)?.unwrap_or_default();
            count += message.lines().filter(|line| *line == "WATCHDOG=1").count();
        }
        Ok(count)
    }

    /// The loop turns: at least one sign of life for each time that the manager waits, and not
    /// more than the half of that time asks for.
    fn expect_pings(&self) -> Result<()> {
        let count = self.pings(WATCHDOG * 5)?;
        ensure!((5..=11).contains(&count), "{count} signs of life");
        Ok(())
    }
}

fn file_arguments(lab: &Lab) -> Vec<String> {
    let path = configuration_path(lab).display().to_string();
    ["agent", "--config", &path, "--bpffs", PIN_DIR, "--socket", SOCKET].map(str::to_owned).to_vec()
}

fn stop(manager: &Manager, process: &mut Process) -> Result<()> {
    process.signal(Signal::SIGTERM)?;
    manager.wait_for("STOPPING=1")?;
    ensure!(process.wait(LIMIT)?.success(), "it failed");
    Ok(())
}

#[test]
fn an_agent_is_ready_when_packets_are_and_lives_until_it_stops() -> Result<()> {
    in_lab(|lab, xelb| {
        let manager = Manager::new(lab)?;
        write(lab, WEB)?;
        let mut agent = lab.lb().spawn(manager.task(lab, xelb, &file_arguments(lab))?)?;
        manager.wait_for("READY=1")?;
        // Without a wait: this is what ready means.
        ensure!(lab.lb().has_xdp("eth0")?, "ready without a program");
        ensure!(json(lab, xelb, "get listeners")?[0]["name"] == "web", "ready without listeners");
        manager.wait_for("STATUS=listeners: 1, target groups: 1, targets: 2, healthy: 2")?;
        manager.expect_pings()?;
        agent.signal(Signal::SIGHUP)?;
        manager.wait_for("RELOADING=1")?;
        manager.wait_for("READY=1")?;
        write(lab, "interfaces: eth0\n")?;
        manager.wait_for("RELOADING=1")?;
        let said = manager.wait_for(
            "STATUS=listeners: 1, target groups: 1, targets: 2, healthy: 2; the last change \
             failed, see `xelb status`",
        )?;
        ensure!(said.contains("READY=1"), "the reload has no end:\n{said}");
        manager.expect_pings()?;
        // The process is there, its loop does not turn: it must look dead.
        agent.signal(Signal::SIGSTOP)?;
        manager.pings(Duration::from_millis(100))?;
        ensure!(manager.pings(2 * WATCHDOG)? == 0, "a stopped loop gives signs of life");
        agent.signal(Signal::SIGCONT)?;
        manager.wait_for("WATCHDOG=1")?;
        stop(&manager, &mut agent)
    })
}

#[test]
fn an_agent_without_configuration_is_ready_when_it_listens() -> Result<()> {
    in_lab(|lab, xelb| {
        let manager = Manager::new(lab)?;
        let mut agent = lab.lb().spawn(manager.task(lab, xelb, &state_dir_arguments(lab))?)?;
        let said = manager.wait_for("READY=1")?;
        ensure!(said.contains("STATUS=no configuration yet"), "{said}");
        ensure!(json(lab, xelb, "get targets")? == serde_json::json!([]), "targets");
        manager.expect_pings()?;
        stop(&manager, &mut agent)
    })
}

#[test]
fn an_agent_that_cannot_start_is_never_ready() -> Result<()> {
    in_lab(|lab, xelb| {
        let manager = Manager::new(lab)?;
        write(lab, WEB)?;
        let arguments = file_arguments(lab).into_iter();
        let arguments: Vec<String> =
            arguments.map(|one| one.replace(PIN_DIR, "/tmp/no-bpffs")).collect();
        let mut agent = lab.lb().spawn(manager.task(lab, xelb, &arguments)?)?;
        ensure!(!agent.wait(LIMIT)?.success(), "it has no bpffs and succeeds");
        let said = manager.next(Duration::from_millis(100))?;
        ensure!(said.is_none(), "{said:?}");
        Ok(())
    })
}

#[test]
fn a_decapsulator_is_ready_when_it_is_attached() -> Result<()> {
    in_lab(|lab, xelb| {
        let manager = Manager::new(lab)?;
        let arguments = ["decap", "--interface", "eth0"].map(str::to_owned);
        let target = lab.target(1);
        let mut decap = target.spawn(manager.task(lab, xelb, &arguments)?)?;
        manager.wait_for("READY=1")?;
        ensure!(target.has_xdp("eth0")?, "ready without a program");
        manager.expect_pings()?;
        stop(&manager, &mut decap)?;
        ensure!(!target.has_xdp("eth0")?, "still attached");
        Ok(())
    })
}

/// The capabilities that a unit leaves, without `CAP_`, in lower case.
fn capabilities(unit: &str) -> Result<Vec<String>> {
    let path = format!("{}/../deploy/systemd/{unit}", env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(&path).context(path)?;
    let lines = text.lines().filter_map(|line| line.strip_prefix("CapabilityBoundingSet="));
    let words = lines.flat_map(str::split_whitespace);
    let names = words.map(|word| {
        let name = word.strip_prefix("CAP_").with_context(|| format!("{unit}: {word}"))?;
        Ok(name.to_lowercase())
    });
    let names: Vec<String> = names.collect::<Result<_>>()?;
    ensure!(!names.is_empty(), "{unit} names no capabilities");
    Ok(names)
}

/// Root with nothing but these capabilities, for good: what the service manager makes of a unit.
fn confined(lab: &Lab, xelb: &Xelb, capabilities: &[String], arguments: &[String]) -> Result<Task> {
    let set = capabilities.join(",+");
    let mut words = vec![
        format!("--bounding-set=-all,+{set}"),
        "--inh-caps=-all".to_owned(),
        "--no-new-privs".to_owned(),
        xelb.program().display().to_string(),
    ];
    words.extend_from_slice(arguments);
    Ok(Task::new("setpriv", &words).log_to(&lab.log("service"))?)
}

/// A group for each kind of check that takes a capability, and an ordinary one.
fn demanding(program: &str) -> String {
    let group = |name: &str, port: u16, check: &str| {
        format!(
            "  - {{ name: {name}, protocol: tcp, port: {port}, forwarding: l2dsr,
      targets: [{{ address: 10.0.0.11 }}, {{ address: 10.0.0.12 }}],
      health_check: {{ {check}, interval: 200ms, healthy_threshold: 2 }} }}\n"
        )
    };
    let listener = |name: &str, port: u16| {
        format!(
            "  - {{ name: {name}, address: 203.0.113.10, port: {port}, protocol: tcp,
      default_action: {{ forward: {{ target_group: {name} }} }} }}\n"
        )
    };
    format!(
        "interfaces: [eth0]\ntarget_groups:\n{}{}{}{}listeners:\n{}{}{}{}",
        group("plain", 81, "protocol: http, port: 80, path: /healthz"),
        group("tunnel", 80, "protocol: http, path: /healthz, via: tunnel"),
        group("ping", 82, "protocol: icmp"),
        group("own", 83, &format!("protocol: exec, command: [{program}]")),
        listener("plain", 81),
        listener("tunnel", 80),
        listener("ping", 82),
        listener("own", 83),
    )
}

/// The capabilities of a process, effective ones and all that it can ever have.
fn capabilities_of(pid: &str) -> Result<(String, String)> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let value = |key: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(key));
        line.map(|value| value.trim().to_owned()).with_context(|| format!("no {key}"))
    };
    Ok((value("CapEff:")?, value("CapBnd:")?))
}

#[test]
fn the_capabilities_of_the_agents_unit_are_enough_and_needed() -> Result<()> {
    in_lab(|lab, xelb| {
        let all = capabilities("xelb-agent.service")?;
        let program = crate::exec_checks::program(lab, "checks", "exit 0")?.display().to_string();
        let demanding = demanding(&program);
        write(lab, &demanding)?;
        let mut arguments = file_arguments(lab);
        let directory = lab.directory().join("checks").display().to_string();
        arguments.extend(["--exec-checks".to_owned(), directory]);
        let mut agent = lab.lb().spawn(confined(lab, xelb, &all, &arguments)?)?;
        wait::until("the agent answers", LIMIT, || {
            xelb.targets(lab).map_err(|error| error.to_string())
        })?;
        xelb.wait_healthy(lab, 8, LIMIT)?;
        let status = json(lab, xelb, "status")?;
        ensure!(status["health"]["probes_inconclusive"] == 0, "{status}");
        let pid = status["pid"].to_string();
        let (effective, bounding) = capabilities_of(&pid)?;
        let count = u64::from_str_radix(&bounding, 16)?.count_ones();
        ensure!(effective == bounding && count as usize == all.len(), "{effective}, {bounding}");
        // What takes rights at other times: a reload, and taking over what is pinned.
        write(lab, &demanding.replace("address: 10.0.0.12", "address: 10.0.0.12, weight: 50"))?;
        wait_json(lab, xelb, "get targets", |targets| targets[1]["weight"] == 50)?;
        ensure!(agent.stop(LIMIT)?.success(), "it failed");
        for missing in &all {
            let rest: Vec<String> = all.iter().filter(|one| *one != missing).cloned().collect();
            let mut agent = lab.lb().spawn(confined(lab, xelb, &rest, &arguments)?)?;
            if ["net_raw", "setuid", "setgid", "kill"].contains(&missing.as_str()) {
                // Pings and probes through the tunnel, or programs, cannot be made, the others can.
                wait_json(lab, xelb, "status", |status| {
                    status["health"]["probes_inconclusive"].as_u64() > Some(1)
                })?;
                agent.stop(LIMIT)?;
            } else {
                ensure!(!agent.wait(LIMIT)?.success(), "{missing} is not needed");
            }
        }
        Ok(())
    })
}

#[test]
fn the_capabilities_of_the_decapsulators_unit_are_enough() -> Result<()> {
    in_lab(|lab, xelb| {
        let all = capabilities("xelb-decap@.service")?;
        let arguments = ["decap", "--interface", "eth0"].map(str::to_owned);
        let target = lab.target(1);
        let mut decap = target.spawn(confined(lab, xelb, &all, &arguments)?)?;
        wait::until("the decapsulator is attached", LIMIT, || match target.has_xdp("eth0") {
            Ok(true) => Ok(()),
            other => Err(format!("{other:?}")),
        })?;
        ensure!(decap.stop(LIMIT)?.success(), "it failed");
        ensure!(!target.has_xdp("eth0")?, "still attached");
        Ok(())
    })
}
