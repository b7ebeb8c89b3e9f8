//! Nobody reads what the agent logs: its pipe is full, then closed. Lines are lost, nothing else.

use std::{fs::File, os::unix::fs::OpenOptionsExt as _};

use anyhow::{Context as _, Result, ensure};
use lb_tests::{
    agent::{PIN_DIR, SOCKET, configuration_path},
    process::Task,
    wait,
};
use nix::{fcntl::OFlag, sys::stat::Mode, unistd::mkfifo};

use crate::scene::{LIMIT, WEB, in_lab, json, wait_json, write};

/// Larger than pipe and queue, once it is refused a few times.
fn with_many_errors() -> String {
    let wrong = (0..4000).map(|n| format!("      - {{ address: wrong..{n} }}\n"));
    WEB.replace("listeners:", &format!("{}listeners:", wrong.collect::<String>()))
}

#[test]
fn an_agent_with_an_unread_log_continues() -> Result<()> {
    in_lab(|lab, xelb| {
        write(lab, WEB)?;
        let pipe = lab.directory().join("pipe");
        mkfifo(&pipe, Mode::S_IRWXU)?;
        let reader = File::options()
            .read(true)
            .custom_flags(OFlag::O_NONBLOCK.bits())
            .open(&pipe)
            .context("opening the pipe")?;
        let config = configuration_path(lab).display().to_string();
        let arguments = ["agent", "--config", &config, "--bpffs", PIN_DIR, "--socket", SOCKET];
        let task = Task::new(xelb.program(), &arguments).env("XELB_LOG", "trace").log_to(&pipe)?;
        let mut agent = lab.lb().spawn(task)?;
        wait::until("the agent answers", LIMIT, || {
            xelb.targets(lab).map_err(|error| error.to_string())
        })?;
        xelb.wait_healthy(lab, 2, LIMIT)?;

        // The pipe is full, and lines are lost.
        let lost = |status: &serde_json::Value| status["log_lines_lost"].as_u64().unwrap_or(0);
        wait::until("lines are lost", LIMIT * 3, || {
            // Each file is read before the next one is written, however busy the machine is.
            let refused = write(lab, &with_many_errors())
                .and_then(|()| wait_json(lab, xelb, "status", |status| status["last_error"] != ""));
            let status = refused.and_then(|_| {
                write(lab, WEB)?;
                wait_json(lab, xelb, "status", |status| status["last_error"] == "")
            });
            let status = status.map_err(|error| error.to_string())?;
            if lost(&status) > 0 { Ok(()) } else { Err("none".to_owned()) }
        })?;
        let status = json(lab, xelb, "status")?;
        let warned =
            |status: &serde_json::Value, text| status["warnings"].to_string().contains(text);
        ensure!(
            warned(&status, "lost from the log, since standard error was not read"),
            "{status}"
        );

        // Files are still read and targets are still checked.
        write(lab, &WEB.replace("10.0.0.12 }", "10.0.0.12, weight: 7 }"))?;
        wait_json(lab, xelb, "get targets", |targets| targets[1]["weight"] == 7)?;
        wait_json(lab, xelb, "status", |status| status["last_error"] == "")?;

        // The reader goes away.
        let before = lost(&status);
        drop(reader);
        write(lab, &with_many_errors())?;
        let status = wait_json(lab, xelb, "status", |status| {
            status["last_error"] != "" && lost(status) > before && warned(status, "Broken pipe")
        })?;
        ensure!(warned(&status, "the log cannot be written to standard error"), "{status}");
        write(lab, WEB)?;
        wait_json(lab, xelb, "get targets", |targets| targets[1]["weight"] == 100)?;
        ensure!(agent.ended()?.is_none(), "the agent has ended");
        Ok(())
    })
}
