//! An agent that may open few files still checks all targets, and still reads its own files.

use std::time::Duration;

use anyhow::{Result, ensure};
use lb_tests::{
    agent::{PIN_DIR, SOCKET, configuration_path},
    process::Task,
    wait,
};

use crate::scene::{LIMIT, in_lab, json, wait_json, write};

const TARGETS: usize = 250;

/// Targets that are not there: each probe holds its descriptor until its time is over.
fn configuration(interval: &str) -> String {
    let targets = (0..TARGETS).map(|n| format!("      - {{ address: 10.0.1.{n} }}\n"));
    format!(
        "interfaces: [eth0]
target_groups:
  - name: web
    protocol: tcp
    port: 80
    forwarding: ipip
    health_check: {{ interval: {interval}, timeout: 300ms, unhealthy_threshold: 1 }}
    targets:
{}listeners:
  - name: web
    address: 203.0.113.10
    port: 80
    protocol: tcp
    default_action: {{ forward: {{ target_group: web }} }}
",
        targets.collect::<String>()
    )
}

#[test]
fn with_few_descriptors_all_targets_are_checked_and_files_are_read() -> Result<()> {
    in_lab(|lab, xelb| {
        // Packets for these leave and are not answered.
        lab.lb().ip("route add 10.0.1.0/24 via 10.0.0.11")?;
        write(lab, &configuration("1s"))?;
        let config = configuration_path(lab).display().to_string();
        let program = xelb.program().display().to_string();
        let command = format!(
            "ulimit -n 128 && exec {program} agent --config {config} --bpffs {PIN_DIR} --socket {SOCKET}"
        );
        let task = Task::new("sh", &["-c", &command]).log_to(&lab.log("agent"))?;
        let _agent = lab.lb().spawn(task)?;
        wait::until("the agent answers", LIMIT, || {
            xelb.targets(lab).map_err(|error| error.to_string())
        })?;
        wait::until("all targets are probed", Duration::from_mins(1), || {
            let targets = xelb.targets(lab).map_err(|error| error.to_string())?;
            let dead = targets.iter().filter(|target| target.state == "unhealthy").count();
            if dead == TARGETS { Ok(()) } else { Err(format!("{dead} are unhealthy")) }
        })?;
        let status = json(lab, xelb, "status")?;
        ensure!(status["health"]["probes_inconclusive"] == 0, "{status}");
        let warnings = status["warnings"].to_string();
        for part in ["waited for a free file descriptor", "may open 128 files", "to 1024"] {
            ensure!(warnings.contains(part), "{part}: {warnings}");
        }
        // The corrected file is read.
        write(lab, &configuration("60s"))?;
        wait_json(lab, xelb, "status", |status| status["applied_count"] == 2)?;
        Ok(())
    })
}

#[test]
fn with_too_few_descriptors_it_does_not_start_and_says_how_many_it_needs() -> Result<()> {
    in_lab(|lab, xelb| {
        write(lab, &configuration("1s"))?;
        let config = configuration_path(lab).display().to_string();
        let program = xelb.program().display().to_string();
        let command = format!(
            "ulimit -n 64 && exec {program} agent --config {config} --bpffs {PIN_DIR} --socket {SOCKET}"
        );
        let agent = lab.lb().finish(Task::new("sh", &["-c", &command]), LIMIT)?;
        let said = "the agent may open only 64 files, and needs at least 128: raise LimitNOFILE";
        ensure!(agent.status.code() == Some(1), "{agent:?}");
        ensure!(agent.stderr.contains(said), "{}", agent.stderr);
        Ok(())
    })
}
