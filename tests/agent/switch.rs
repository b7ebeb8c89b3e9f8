//! Answers of `apply` about listeners that switch to another group, or whose connections break; and
//! deleted groups after a restart.

use anyhow::{Result, ensure};
use lb_tests::{Lab, Xelb, agent::configuration_path};
use nix::sys::signal::Signal;

use crate::scene::{
    LIMIT, WEB, fails, in_lab, json, says, start, state_dir_arguments, wait_json, write,
};

/// Both groups have the same servers at other ports, so that neither is the other renamed.
const GREEN: &str = "  - name: green
    protocol: tcp
    port: 80
    forwarding: ipip
    health_check: { protocol: http, path: /healthz, interval: 200ms, healthy_threshold: 2 }
    targets: [{ address: 10.0.0.12 }]
listeners:
";

fn path(lab: &Lab) -> String {
    configuration_path(lab).display().to_string()
}

/// The configuration with a group green, to which the listener switches.
fn green() -> String {
    WEB.replace("listeners:\n", GREEN).replace("target_group: web", "target_group: green")
}

#[test]
fn a_listener_waits_for_a_group_that_comes_with_the_same_change() -> Result<()> {
    in_lab(|lab, xelb| {
        let mut agent = start(lab, xelb, &state_dir_arguments(lab))?;
        write(lab, WEB)?;
        let apply = format!("apply -f {}", path(lab));
        let said = says(lab, xelb, &apply)?;
        ensure!(!said.contains("warning"), "nothing is to be said: {said}");
        xelb.wait_healthy(lab, 2, LIMIT)?;

        write(lab, &green().replace("targets: [{ address: 10.0.0.12 }]", "targets: []"))?;
        let refused = xelb.command(lab, &["apply", "-f", &path(lab)])?;
        fails(&refused, 2, &["listener web: its target group green has no targets"])?;

        write(lab, &green())?;
        let waits = "warning: listener web: no target of green has been checked yet; it keeps the \
                     targets of web until one is healthy\n";
        let dry = says(lab, xelb, &format!("{apply} --dry-run"))?;
        ensure!(dry.contains(waits), "{dry}");
        let said = says(lab, xelb, &apply)?;
        ensure!(said.starts_with(&format!("revision 2: apply\n{waits}")), "{said}");
        wait_json(lab, xelb, "get targets", |targets| {
            let green =
                targets.as_array().into_iter().flatten().find(|one| one["group"] == "green");
            green.is_some_and(|one| one["share"] == 1.0)
        })?;

        // The previous group is deleted; a new agent still checks its targets, which finish their
        // flows.
        write(lab, &green().replace(&web_group(), ""))?;
        says(lab, xelb, &format!("{apply} --prune"))?;
        wait_json(lab, xelb, "get targets", |targets| leaving(targets) == 2)?;
        agent.signal(Signal::SIGKILL)?;
        agent.wait(LIMIT)?;
        let _agent = start(lab, xelb, &state_dir_arguments(lab))?;
        ensure!(leaving(&json(lab, xelb, "get targets")?) == 2, "they finish their flows");
        lab.kill_web_server(1);
        wait_json(lab, xelb, "get targets", |targets| leaving(targets) == 1)?;
        Ok(())
    })
}

/// The text of the group web.
fn web_group() -> String {
    let begin = WEB.find("  - name: web").unwrap_or_default();
    let end = WEB.find("listeners:").unwrap_or_default();
    WEB[begin..end].to_owned()
}

/// Targets of the group web that have left the configuration.
fn leaving(targets: &serde_json::Value) -> usize {
    let all = targets.as_array().into_iter().flatten();
    all.filter(|one| one["group"] == "web" && one["leaving"] == true).count()
}

#[test]
fn connections_that_break_are_named_beforehand() -> Result<()> {
    in_lab(|lab, xelb| {
        let _agent = start(lab, xelb, &state_dir_arguments(lab))?;
        write(lab, WEB)?;
        let path = path(lab);
        says(lab, xelb, &format!("apply -f {path}"))?;
        xelb.wait_healthy(lab, 2, LIMIT)?;
        let sticky = WEB
            .replace("    targets:\n", "    attributes: { stickiness: source_ip }\n    targets:\n");
        let stickiness =
            "listener web: `stickiness` goes from none (target group web) to source_ip";
        refused_unless_forced(lab, xelb, &sticky, stickiness)?;
        let nat = sticky.replace("forwarding: ipip", "forwarding: nat");
        let forwarding = "listener web: `forwarding` goes from ipip (target group web) to nat";
        refused_unless_forced(lab, xelb, &nat, forwarding)?;
        let back = "listener web: `forwarding` goes from nat (target group web) to ipip (target \
                    group web), where servers see other addresses of clients: 0 connections that \
                    have a binding now break";
        refused_unless_forced(lab, xelb, &sticky, back)
    })
}

/// A dry run and `apply` refuse it with these words; forced, it is applied with them.
fn refused_unless_forced(lab: &Lab, xelb: &Xelb, text: &str, words: &str) -> Result<()> {
    write(lab, text)?;
    let path = path(lab);
    let dry = xelb.command(lab, &["apply", "-f", &path, "--dry-run"])?;
    ensure!(dry.status.code() == Some(2), "{dry:?}");
    ensure!(dry.stdout.contains(&format!("REFUSED without --force: {words}")), "{}", dry.stdout);
    let refused = xelb.command(lab, &["apply", "-f", &path])?;
    fails(&refused, 2, &["this would break open connections", words])?;
    let said = says(lab, xelb, &format!("apply -f {path} --force"))?;
    ensure!(said.contains(&format!("\nwarning: {words}")), "{said}");
    Ok(())
}
