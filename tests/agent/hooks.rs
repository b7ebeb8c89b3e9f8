//! Hooks on events of a running agent: what they are told, as whom they run, and what becomes of failures.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use anyhow::{Result, ensure};
use lb_tests::{
    Lab,
    agent::{PIN_DIR, SOCKET, configuration_path},
    wait,
};
use serde_json::Value;

use crate::{
    exec_checks::program,
    scene::{LIMIT, WEB, in_lab, json, says, start, wait_json, write},
};

/// A path whose answer is not the wanted one.
const MISMATCH: &str = "/healthz, matcher: 599";

/// [`WEB`] with a hook for everything that happens here.
fn configuration(program: &Path, path: &str) -> String {
    let events = "agent_started, configuration_applied, configuration_refused, target_healthy, \
                  target_unhealthy, target_draining, target_removed, drain_done, warning_raised, \
                  listener_without_targets";
    let hooks = format!(
        "on_event:\n  - name: pager\n    events: [{events}]\n    exec: [{}, page]\n    timeout: 2s\n",
        program.display()
    );
    WEB.replace("/healthz", path) + &hooks
}

/// Waits until the hook was told of an event whose text holds this; gives the whole message.
fn told(seen: &Path, event: &str, text: &str) -> Result<Value> {
    let has = |message: &Value| {
        let mut events = message["events"].as_array().into_iter().flatten();
        events.any(|one| one["event"] == event && one.to_string().contains(text))
    };
    let message = wait::until(&format!("the hook is told of {event}: {text}"), LIMIT, || {
        let all = fs::read_to_string(seen).unwrap_or_default();
        let messages = all.lines().filter_map(|line| serde_json::from_str(line).ok());
        messages.into_iter().find(has).ok_or(all)
    });
    Ok(message?)
}

fn agent_arguments(lab: &Lab) -> Vec<String> {
    let path = configuration_path(lab).display().to_string();
    let folder = lab.directory().join("checks").display().to_string();
    let words = [
        "agent",
        "--config",
        &path,
        "--bpffs",
        PIN_DIR,
        "--socket",
        SOCKET,
        "--exec-checks",
        &folder,
    ];
    words.map(str::to_owned).to_vec()
}

#[test]
fn hooks_are_told_what_happens() -> Result<()> {
    in_lab(|lab, xelb| {
        // Everybody may write there.
        let (seen, who) = (lab.directory().join("seen"), lab.directory().join("who"));
        for file in [&seen, &who] {
            fs::write(file, "")?;
            fs::set_permissions(file, fs::Permissions::from_mode(0o666))?;
        }
        let script = format!(
            "{{ cat; echo; }} >> {}; {{ echo $1; grep -E '^(Uid|CapEff)' /proc/$$/status; }} > {}",
            seen.display(),
            who.display()
        );
        let hook = program(lab, "checks", &script)?;
        write(lab, &configuration(&hook, "/healthz"))?;
        let _agent = start(lab, xelb, &agent_arguments(lab))?;
        xelb.wait_healthy(lab, 2, LIMIT)?;
        let message = told(&seen, "agent_started", "no previous data path")?;
        ensure!(message["version"] == 1 && message["hook"] == "pager", "{message}");
        told(&seen, "configuration_applied", "file ")?;
        told(&seen, "target_healthy", "10.0.0.12")?;
        let who = wait::until("the hook says who it is", LIMIT, || {
            let text = fs::read_to_string(&who).unwrap_or_default();
            if text.contains("CapEff") { Ok(text) } else { Err(text) }
        })?;
        ensure!(who.starts_with("page\n") && who.contains("Uid:\t65534\t65534"), "{who}");
        ensure!(who.contains("CapEff:\t0000000000000000"), "{who}");

        write(lab, "interfaces: [")?;
        told(&seen, "configuration_refused", "is not valid YAML")?;
        write(lab, &configuration(&hook, MISMATCH))?;
        told(&seen, "target_unhealthy", "Target.ResponseCodeMismatch")?;
        told(&seen, "warning_raised", "fail_open")?;
        let gone = configuration(&hook, MISMATCH).replace("      - { address: 10.0.0.12 }\n", "");
        write(lab, &gone)?;
        told(&seen, "target_removed", "10.0.0.12")?;
        let none = gone.replace("    targets:\n      - { address: 10.0.0.11 }\n", "");
        write(lab, &none)?;
        told(&seen, "listener_without_targets", "group_without_targets")?;
        let status = json(lab, xelb, "status")?;
        ensure!(status["event_hooks"][0]["failed"] == 0, "{}", status["event_hooks"]);
        Ok(())
    })
}

#[test]
fn a_hook_that_fails_is_a_warning_and_delays_nothing() -> Result<()> {
    in_lab(|lab, xelb| {
        let hook = program(lab, "checks", "echo no pager >&2; exit 3")?;
        write(lab, &configuration(&hook, "/healthz"))?;
        let _agent = start(lab, xelb, &agent_arguments(lab))?;
        xelb.wait_healthy(lab, 2, LIMIT)?;
        wait_json(lab, xelb, "status", |status| {
            status["warnings"].to_string().contains("event hook pager fails")
        })?;
        let shown = says(lab, xelb, "status")?;
        ensure!(shown.contains("it exits with code 3: no pager"), "{shown}");
        ensure!(json(lab, xelb, "status")?["last_error"] == "");
        // Another program in its place, which hangs: the agent goes on.
        program(lab, "checks", "sleep 1000")?;
        write(lab, &configuration(&hook, MISMATCH))?;
        wait_json(lab, xelb, "get targets", |targets| targets[0]["state"] == "unhealthy")?;
        write(lab, &configuration(&hook, "/healthz"))?;
        xelb.wait_healthy(lab, 2, LIMIT)?;
        wait_json(lab, xelb, "status", |status| {
            status["warnings"].to_string().contains("has not ended in time; killed")
        })?;
        // And one that works.
        program(lab, "checks", "exit 0")?;
        write(lab, &configuration(&hook, MISMATCH))?;
        wait_json(lab, xelb, "status", |status| {
            status["event_hooks"][0]["last_error"] == ""
                && status["event_hooks"][0]["succeeded"].as_u64() > Some(0)
        })?;
        Ok(())
    })
}
