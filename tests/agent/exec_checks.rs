//! Programs of health checks: what they may do, and which ones are refused.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use anyhow::{Result, ensure};
use lb_tests::{
    Lab,
    agent::{PIN_DIR, SOCKET, configuration_path},
    wait,
};

use crate::scene::{LIMIT, WEB, fails, in_lab, json, run, start, wait_json, write};

/// [`WEB`], checked by this program.
fn checked_by(program: &Path) -> String {
    let check = format!("protocol: exec, command: [{}]", program.display());
    WEB.replace("protocol: http, path: /healthz", &check)
}

/// A directory of the lab with this program.
pub(crate) fn program(lab: &Lab, directory: &str, text: &str) -> Result<std::path::PathBuf> {
    let directory = lab.directory().join(directory);
    fs::create_dir_all(&directory)?;
    let path = directory.join("check");
    fs::write(&path, format!("#!/bin/sh\n{text}\n"))?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    Ok(path)
}

fn arguments(lab: &Lab, options: &[&str]) -> Vec<String> {
    let path = configuration_path(lab).display().to_string();
    let fixed = ["agent", "--config", &path, "--bpffs", PIN_DIR, "--socket", SOCKET];
    fixed.into_iter().chain(options.iter().copied()).map(str::to_owned).collect()
}

/// Position of the command in the result of [`checked_by`].
fn place(lab: &Lab, text: &str) -> String {
    let before = text.split("command: [").next().unwrap_or_default();
    let column = before.lines().last().unwrap_or_default().len() + "command: ".len() + 1;
    let path = configuration_path(lab);
    format!("{}:{}:{column}: ", path.display(), before.lines().count())
}

#[test]
fn a_check_runs_without_privileges() -> Result<()> {
    in_lab(|lab, xelb| {
        // Everybody may write there.
        let seen = lab.directory().join("seen");
        fs::write(&seen, "")?;
        fs::set_permissions(&seen, fs::Permissions::from_mode(0o666))?;
        let show = format!(
            "{{ grep -E '^(Uid|Gid|Cap|NoNewPrivs)' /proc/$$/status; ls -l /proc/$$/fd; }} > {}",
            seen.display()
        );
        let good = program(lab, "checks", &show)?;
        write(lab, &checked_by(&good))?;
        let folder = lab.directory().join("checks").display().to_string();
        let _agent = start(lab, xelb, &arguments(lab, &["--exec-checks", &folder]))?;
        xelb.wait_healthy(lab, 2, LIMIT)?;
        let text = wait::until("the check says what it is", LIMIT, || {
            let text = fs::read_to_string(&seen).map_err(|error| error.to_string())?;
            if text.contains("NoNewPrivs") && text.contains(" 0 -> ") {
                Ok(text)
            } else {
                Err(text)
            }
        })?;
        for part in ["Uid:\t65534\t65534\t65534\t65534", "Gid:\t65534", "NoNewPrivs:\t1"] {
            ensure!(text.contains(part), "{part} is not in {text}");
        }
        for kind in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
            ensure!(text.contains(&format!("{kind}:\t0000000000000000")), "{kind}: {text}");
        }
        for held in ["bpf", "eventpoll", "state", "inotify"] {
            ensure!(!text.contains(held), "it holds a descriptor of the agent: {text}");
        }
        // A file that names another program changes nothing.
        let bad = program(lab, "elsewhere", "exit 0")?;
        let text = checked_by(&bad);
        write(lab, &text)?;
        let status = wait_json(lab, xelb, "status", |status| status["last_error"] != "")?;
        let error = status["last_error"].as_str().unwrap_or_default().to_owned();
        let wanted = format!(
            "{}target_groups[0].health_check.command: {} is not in {folder}, the directory that checks may \
             run programs from",
            place(lab, &text),
            bad.display()
        );
        ensure!(error.starts_with(&wanted), "{wanted} is not in {error}");
        ensure!(json(lab, xelb, "get targets")?[0]["state"] == "healthy", "a target was lost");
        // What others can replace is refused, too, and not run any longer.
        write(lab, &checked_by(&good))?;
        wait_json(lab, xelb, "status", |status| status["last_error"] == "")?;
        fs::set_permissions(&good, fs::Permissions::from_mode(0o777))?;
        let replaceable = "other users than root could replace its program";
        wait_json(lab, xelb, "status", |status| {
            status["warnings"].to_string().contains(replaceable)
        })?;
        Ok(())
    })
}

#[test]
fn programs_are_refused_before_anything_is_changed() -> Result<()> {
    in_lab(|lab, xelb| {
        let refused = |options: &[&str], parts: &[&str]| -> Result<()> {
            let arguments = arguments(lab, options);
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            fails(&run(lab, xelb, &arguments)?, 2, parts)?;
            ensure!(!crate::scene::is_pinned(), "something is pinned");
            Ok(())
        };
        let good = program(lab, "checks", "exit 0")?;
        let text = checked_by(&good);
        write(lab, &text)?;
        let (place, shown) = (place(lab, &text), good.display().to_string());
        let off =
            format!("{place}target_groups[0].health_check.command: checks may not run programs");
        refused(&["--exec-checks", "off"], &[&off])?;
        let outside = format!("{shown} is not in /usr");
        refused(&["--exec-checks", "/usr"], &[&place, &outside, "--exec-checks DIR"])?;
        refused(&[], &[&place, "/etc/xelb/checks"])?;
        refused(&["--exec-checks", "checks"], &["the absolute path of a directory, or `off`"])?;
        refused(&["--exec-user", "no-such-user"], &["there is no user `no-such-user`"])?;
        let folder = lab.directory().join("checks").display().to_string();
        fs::set_permissions(lab.directory().join("checks"), fs::Permissions::from_mode(0o777))?;
        let mend = format!("`chmod go-w {folder}`");
        refused(&["--exec-checks", &folder], &[&place, "has mode 0777", &mend])?;
        let path = configuration_path(lab).display().to_string();
        let validate = ["validate", "-f", &path, "--exec-checks", "off"];
        fails(&run(lab, xelb, &validate)?, 2, &[&off])
    })
}
