//! An agent without a configuration file: the state directory is the source of truth.

use std::fs;

use anyhow::{Result, ensure};
use lb_tests::agent::configuration_path;
use nix::sys::signal::Signal;

use crate::scene::{
    LIMIT, WEB, fails, in_lab, json, says, start, state_dir_arguments, tables, wait_json, write,
};

#[test]
fn it_starts_empty_is_changed_by_commands_and_remembers() -> Result<()> {
    in_lab(|lab, xelb| {
        let arguments = state_dir_arguments(lab);
        let mut agent = start(lab, xelb, &arguments)?;
        let status = json(lab, xelb, "status")?;
        ensure!(status["source"].as_str().unwrap_or_default().ends_with("empty"), "{status}");
        ensure!(says(lab, xelb, "get targets")? == "no targets\n", "there are targets");
        let none = ["target", "add", "web", "10.0.0.11"];
        fails(&xelb.command(lab, &none)?, 2, &["there is no target group web (there are none)"])?;

        write(lab, &WEB.replace("      - { address: 10.0.0.12 }\n", ""))?;
        let path = configuration_path(lab).display().to_string();
        let good = fs::read_to_string(&path)?;
        write(lab, &good.replace("[eth0]", "[eth7]"))?;
        let refused = xelb.command(lab, &["apply", "-f", &path])?;
        fails(&refused, 1, &["interface eth7 does not exist"])?;
        let status = json(lab, xelb, "status")?;
        ensure!(status["source"].as_str().unwrap_or_default().ends_with("empty"), "{status}");
        write(lab, &good)?;
        let said = says(lab, xelb, &format!("apply -f {path}"))?;
        ensure!(said.starts_with("revision 1: apply\n"), "{said}");
        xelb.wait_healthy(lab, 1, LIMIT)?;

        let said = says(lab, xelb, "target add web 10.0.0.12 --weight 300")?;
        ensure!(said.starts_with("revision 2: add target 10.0.0.12 to web"), "{said}");
        xelb.wait_healthy(lab, 2, LIMIT)?;
        let targets = json(lab, xelb, "get targets")?;
        let share = targets[1]["share"].as_f64().unwrap_or_default();
        ensure!((0.74..=0.76).contains(&share), "{targets}");
        says(lab, xelb, "target weight web 10.0.0.12:80 100")?;
        let wrong = ["target", "weight", "web", "10.0.0.12", "1001"];
        fails(&xelb.command(lab, &wrong)?, 2, &["1001 is not a whole number from 0 to 1000"])?;
        let again = ["target", "add", "web", "10.0.0.12"];
        fails(&xelb.command(lab, &again)?, 2, &["has 10.0.0.12 already"])?;
        wait_json(lab, xelb, "get targets", |answer| answer[0]["share"] == 0.5)?;

        let before = tables()?;
        agent.signal(Signal::SIGKILL)?;
        agent.wait(LIMIT)?;
        let mut agent = start(lab, xelb, &arguments)?;
        let status = json(lab, xelb, "status")?;
        ensure!(status["source"].as_str().unwrap_or_default().ends_with("revision 3"), "{status}");
        ensure!(tables()? == before, "a restart has changed the maps");

        says(lab, xelb, "target remove web 10.0.0.12")?;
        wait_json(lab, xelb, "get targets", |answer| answer[1]["state"] == "draining")?;
        // It finishes its flows, whatever becomes of the agent.
        let before = tables()?;
        agent.signal(Signal::SIGKILL)?;
        agent.wait(LIMIT)?;
        let _agent = start(lab, xelb, &arguments)?;
        let targets = json(lab, xelb, "get targets")?;
        ensure!(targets[1]["leaving"] == true && targets[1]["drained"] == false, "{targets}");
        ensure!(tables()? == before, "a restart has changed the maps");
        let said = says(lab, xelb, "target remove web 10.0.0.12 --now")?;
        ensure!(said == "web/10.0.0.12:80 is removed, and its flows have ended\n", "{said}");
        wait_json(lab, xelb, "get targets", |answer| answer[1].is_null())?;
        ensure!(tables()?.targets.len() == 1, "the target is still in the maps");
        let events = says(lab, xelb, "events --group web")?;
        let last = events.lines().last().unwrap_or_default();
        ensure!(last.ends_with(" web 10.0.0.12:80 draining -> gone by root (uid 0)"), "{events}");
        Ok(())
    })
}

#[test]
fn a_damaged_state_is_refused() -> Result<()> {
    in_lab(|lab, xelb| {
        let state = lab.directory().join("state");
        fs::create_dir_all(&state)?;
        fs::write(state.join("xelb.redb"), "{ half")?;
        let arguments = state_dir_arguments(lab);
        let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let parts = ["xelb.redb is damaged", "restore it from a backup"];
        fails(&crate::scene::run(lab, xelb, &words)?, 1, &parts)
    })
}
