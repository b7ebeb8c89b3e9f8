//! Base of the tests: a lab with two targets, commands, and access to the maps.

use std::{fs, path::Path, time::Duration};

use anyhow::{Context as _, Result, ensure};
use lb_dataplane::KernelStore;
use lb_plan::{MapStore as _, Tables};
use lb_tests::{
    Lab, Process, Xelb,
    agent::{PIN_DIR, SOCKET, configuration_path},
    lab,
    process::{Finished, Task},
    wait,
};
use serde_json::Value;

pub(crate) const LIMIT: Duration = Duration::from_secs(10);

/// One group of both targets; probes are quick.
pub(crate) const WEB: &str = "interfaces: [eth0]
target_groups:
  - name: web
    protocol: tcp
    port: 80
    forwarding: ipip
    health_check: { protocol: http, path: /healthz, interval: 200ms, healthy_threshold: 2 }
    targets:
      - { address: 10.0.0.11 }
      - { address: 10.0.0.12 }
listeners:
  - name: web
    address: 203.0.113.10
    port: 80
    protocol: tcp
    default_action: { forward: { target_group: web } }
";

/// Runs a test in a lab with two targets.
pub(crate) fn in_lab(
    body: impl FnOnce(&mut Lab, &Xelb) -> Result<()> + Send + 'static,
) -> Result<()> {
    lab::run(2, move |lab| {
        let xelb = Xelb::find(None)?;
        body(lab, &xelb)
    })
}

/// Writes the configuration file in place.
pub(crate) fn write(lab: &Lab, text: &str) -> Result<()> {
    fs::write(configuration_path(lab), text).context("writing the configuration")
}

/// Runs `xelb` on the balancer to its end.
pub(crate) fn run(lab: &Lab, xelb: &Xelb, arguments: &[&str]) -> Result<Finished> {
    Ok(lab.lb().finish(Task::new(xelb.program(), arguments), LIMIT)?)
}

/// Runs any program on the balancer to its end.
pub(crate) fn run_program(lab: &Lab, program: &str, arguments: &[&str]) -> Result<Finished> {
    Ok(lab.lb().finish(Task::new(program, arguments), LIMIT)?)
}

/// Checks exit code and error output of a command that must fail.
pub(crate) fn fails(finished: &Finished, code: i32, parts: &[&str]) -> Result<()> {
    let Finished { status, stdout, stderr, .. } = finished;
    ensure!(status.code() == Some(code), "exit {status} instead of {code}: {stdout}{stderr}");
    for part in parts {
        ensure!(stderr.contains(part), "`{part}` is not in:\n{stderr}");
    }
    Ok(())
}

/// An agent with the configuration file, both targets healthy.
pub(crate) fn start_web(lab: &Lab, xelb: &Xelb) -> Result<Process> {
    write(lab, WEB)?;
    let agent = xelb.agent(lab)?;
    xelb.wait_healthy(lab, 2, LIMIT)?;
    Ok(agent)
}

/// What a command with `-o json` says.
pub(crate) fn json(lab: &Lab, xelb: &Xelb, words: &str) -> Result<Value> {
    let mut arguments: Vec<&str> = words.split(' ').collect();
    arguments.extend(["-o", "json"]);
    let text = xelb.command(lab, &arguments)?.success()?;
    serde_json::from_str(&text).with_context(|| format!("{words}: {text}"))
}

/// A command that must succeed; what it says.
pub(crate) fn says(lab: &Lab, xelb: &Xelb, words: &str) -> Result<String> {
    let arguments: Vec<&str> = words.split(' ').collect();
    Ok(xelb.command(lab, &arguments)?.success()?)
}

/// Waits until what a command says in JSON is as wanted.
pub(crate) fn wait_json(
    lab: &Lab,
    xelb: &Xelb,
    words: &str,
    wanted: impl Fn(&Value) -> bool,
) -> Result<Value> {
    let answer = wait::until(&format!("{words} is as wanted"), LIMIT, || {
        let answer = json(lab, xelb, words).map_err(|error| error.to_string())?;
        if wanted(&answer) { Ok(answer) } else { Err(answer.to_string()) }
    })?;
    Ok(answer)
}

/// The maps as they are.
pub(crate) fn tables() -> Result<Tables> {
    Ok(KernelStore::open(Path::new(PIN_DIR))?.read(None)?)
}

/// Whether anything is pinned.
pub(crate) fn is_pinned() -> bool {
    fs::read_dir(PIN_DIR).is_ok_and(|mut entries| entries.next().is_some())
}

/// Arguments of an agent with the state directory of the lab.
pub(crate) fn state_dir_arguments(lab: &Lab) -> Vec<String> {
    let state = lab.directory().join("state").display().to_string();
    ["agent", "--state-dir", &state, "--bpffs", PIN_DIR, "--socket", SOCKET]
        .map(str::to_owned)
        .to_vec()
}

/// Starts an agent with these arguments and waits until it answers.
pub(crate) fn start(lab: &Lab, xelb: &Xelb, arguments: &[String]) -> Result<Process> {
    let task = Task::new(xelb.program(), arguments).log_to(&lab.log("agent"))?;
    let mut agent = lab.lb().spawn(task)?;
    wait::until("the agent answers", LIMIT, || {
        if let Some(status) = agent.ended().map_err(|error| error.to_string())? {
            return Err(format!("it ended: {status}"));
        }
        xelb.targets(lab).map_err(|error| error.to_string())
    })?;
    Ok(agent)
}
