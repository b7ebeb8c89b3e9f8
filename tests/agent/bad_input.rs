//! What is refused, how it is said, and that nothing was changed.

use anyhow::{Result, ensure};
use lb_tests::{
    Lab, Process, Xelb,
    agent::{PIN_DIR, SOCKET, configuration_path},
    process::Task,
};
use nix::sys::signal::Signal;

use crate::scene::{
    LIMIT, WEB, fails, in_lab, is_pinned, json, run, run_program, start_web, state_dir_arguments,
    wait_json, write,
};

#[test]
fn a_wrong_configuration_is_refused_with_every_error() -> Result<()> {
    in_lab(|lab, xelb| {
        let wrong = WEB.replace("10.0.0.12", "10.0.0.1200").replace("port: 80", "port: 80000");
        write(lab, &wrong)?;
        let path = configuration_path(lab).display().to_string();
        let finished = run(lab, xelb, &["agent", "--config", &path, "--bpffs", PIN_DIR])?;
        let errors = [
            format!(
                "{path}:5:11: target_groups[0].port: 80000 is not a port from 1 to 65535, such as 80"
            ),
            format!(
                "{path}:10:20: target_groups[0].targets[1].address: `10.0.0.1200` is not an address or \
                 a DNS name"
            ),
            format!(
                "{path}:14:11: listeners[0].port: 80000 is not a port from 1 to 65535, such as 80"
            ),
        ];
        fails(&finished, 2, &errors.each_ref().map(String::as_str))?;
        ensure!(!is_pinned(), "something is pinned");
        // The same by `apply`, without an agent: the file is checked first.
        fails(&run(lab, xelb, &["apply", "-f", &path])?, 2, &[&errors[0]])
    })
}

#[test]
fn missing_files_and_interfaces_are_named() -> Result<()> {
    in_lab(|lab, xelb| {
        write(lab, &WEB.replace("[eth0]", "[eth7]"))?;
        let path = configuration_path(lab).display().to_string();
        let finished = run(lab, xelb, &["validate", "-f", &path, "--strict"])?;
        fails(&finished, 2, &["interfaces[0]: this host has no interface eth7"])?;
        let finished = run(lab, xelb, &["agent", "--config", "/nowhere.yaml"])?;
        fails(&finished, 2, &["/nowhere.yaml", "cannot read the file", "No such file"])?;
        let finished = run(lab, xelb, &["decap", "--interface", "eth7"])?;
        fails(&finished, 2, &["interface eth7 does not exist"])?;
        write(lab, WEB)?;
        let elsewhere = ["agent", "--config", &path, "--bpffs", "/tmp/no-bpffs"];
        let finished = run(lab, xelb, &elsewhere)?;
        fails(&finished, 1, &["/tmp/no-bpffs is not in a BPF file system", "mount -t bpf"])?;
        for words in
            [&["get", "targets"][..], &["status"], &["target", "drain", "web", "10.0.0.11"]]
        {
            let mut arguments = words.to_vec();
            arguments.extend(["--socket", "/run/none.sock"]);
            let parts = ["no agent answers at /run/none.sock", "is `xelb agent` running?"];
            fails(&run(lab, xelb, &arguments)?, 1, &parts)?;
        }
        for words in [&["frobnicate"][..], &["get", "nothing"], &["target", "add", "web", "x..y"]] {
            fails(&run(lab, xelb, words)?, 2, &["error: "])?;
        }
        Ok(())
    })
}

#[test]
fn missing_capabilities_are_named() -> Result<()> {
    in_lab(|lab, xelb| {
        write(lab, WEB)?;
        let path = configuration_path(lab).display().to_string();
        let program = xelb.program().display().to_string();
        for (words, parts) in [
            (vec!["agent", "--config", &path, "--socket", "/tmp/xelb-test/s"], vec!["CAP_BPF"]),
            (vec!["decap", "--interface", "eth0"], vec!["CAP_NET_ADMIN", "run xelb as root"]),
        ] {
            let mut arguments = vec!["--bounding-set=-all", "--inh-caps=-all", "--", &program];
            arguments.extend(words);
            fails(&run_program(lab, "setpriv", &arguments)?, 1, &parts)?;
        }
        ensure!(!is_pinned(), "something is pinned");
        Ok(())
    })
}

#[test]
fn an_old_kernel_is_refused() -> Result<()> {
    in_lab(|lab, xelb| {
        write(lab, WEB)?;
        let path = configuration_path(lab).display().to_string();
        let program = xelb.program().display().to_string();
        for words in [vec!["agent", "--config", &path], vec!["decap", "--interface", "eth0"]] {
            // The kernel calls itself 2.6.x to such a process.
            let mut arguments = vec!["--uname-2.6", &program];
            arguments.extend(words);
            let finished = run_program(lab, "setarch", &arguments)?;
            fails(&finished, 1, &["the kernel is 2.6.", "xelb needs 6.1 or newer"])?;
        }
        ensure!(!is_pinned(), "something is pinned");
        Ok(())
    })
}

#[test]
fn a_second_agent_is_refused_and_the_first_continues() -> Result<()> {
    in_lab(|lab, xelb| {
        let _agent = start_web(lab, xelb)?;
        let path = configuration_path(lab).display().to_string();
        let same_pins =
            ["agent", "--config", &path, "--bpffs", PIN_DIR, "--socket", "/run/other.sock"];
        let parts = ["another xelb agent uses the maps in /sys/fs/bpf/xelb", "--bpffs"];
        fails(&run(lab, xelb, &same_pins)?, 1, &parts)?;
        let same_socket =
            ["agent", "--config", &path, "--bpffs", "/sys/fs/bpf/other", "--socket", SOCKET];
        let parts = ["another agent answers at /run/xelb/xelb.sock", "--socket"];
        fails(&run(lab, xelb, &same_socket)?, 1, &parts)?;
        let same_interface = [
            "agent",
            "--config",
            &path,
            "--bpffs",
            "/sys/fs/bpf/other",
            "--socket",
            "/run/other.sock",
        ];
        let parts = ["interface eth0, or one on top of it", "already has an XDP program"];
        fails(&run(lab, xelb, &same_interface)?, 1, &parts)?;
        let other = std::path::Path::new("/sys/fs/bpf/other");
        ensure!(!other.exists(), "a failed first start leaves its folder");
        let parts = ["another xelb agent uses the maps in /sys/fs/bpf/xelb"];
        fails(&run(lab, xelb, &["detach", "--bpffs", PIN_DIR])?, 1, &parts)?;
        xelb.wait_healthy(lab, 2, LIMIT)?;
        ensure!(lab.lb().has_xdp("eth0")?, "the first agent's program is gone");
        Ok(())
    })
}

#[test]
fn a_state_directory_has_one_agent() -> Result<()> {
    in_lab(|lab, xelb| {
        let arguments = state_dir_arguments(lab);
        let _agent = crate::scene::start(lab, xelb, &arguments)?;
        let mut words: Vec<&str> = arguments.iter().map(String::as_str).collect();
        words.pop();
        words.push("/run/other.sock");
        fails(&run(lab, xelb, &words)?, 1, &["another xelb agent uses the state directory"])
    })
}

/// Another agent, on another interface.
fn run_other_agent(lab: &Lab, xelb: &Xelb, interface: &str) -> Result<Process> {
    let path = lab.directory().join("other.yaml");
    std::fs::write(&path, format!("interfaces: [{interface}]\n"))?;
    let path = path.display().to_string();
    let arguments =
        ["agent", "--config", &path, "--bpffs", "/sys/fs/bpf/other", "--socket", "/run/other.sock"];
    let process =
        lab.lb().spawn(Task::new(xelb.program(), &arguments).log_to(&lab.log("other"))?)?;
    lb_tests::wait::until("the other agent is attached", LIMIT, || {
        match lab.lb().has_xdp(interface) {
            Ok(true) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })?;
    Ok(process)
}

#[test]
fn a_broken_reload_keeps_the_old_configuration() -> Result<()> {
    in_lab(|lab, xelb| {
        let agent = start_web(lab, xelb)?;
        let before = crate::scene::tables()?;
        write(
            lab,
            &WEB.replace("weight", "wieght").replace("10.0.0.12 }", "10.0.0.12, wieght: 3 }"),
        )?;
        let status = wait_json(lab, xelb, "status", |status| status["last_error"] != "")?;
        let error = status["last_error"].as_str().unwrap_or_default();
        ensure!(error.contains("unknown key; did you mean `weight`?"), "{error}");
        write(lab, &WEB.replace("[eth0]", "[eth0, eth7]"))?;
        agent.signal(Signal::SIGHUP)?;
        wait_json(lab, xelb, "status", |status| {
            status["last_error"].as_str().unwrap_or_default().contains("eth7 does not exist")
        })?;
        ensure!(crate::scene::tables()? == before, "the maps have changed");
        // Another agent has the second of two new interfaces: the first is let go, too.
        lab.lb().ip("link add third type veth peer name third-peer")?;
        lab.lb().ip("link add fourth type veth peer name fourth-peer")?;
        let mut other = run_other_agent(lab, xelb, "fourth")?;
        write(lab, &WEB.replace("[eth0]", "[eth0, third, fourth]"))?;
        wait_json(lab, xelb, "status", |status| {
            status["last_error"].as_str().unwrap_or_default().contains("already has an XDP")
        })?;
        // The agent may be about to try the file once more, which holds the interface for a moment.
        lb_tests::wait::until(
            "no half of a refused configuration is applied",
            LIMIT,
            || match lab.lb().has_xdp("third") {
                Ok(false) => Ok(()),
                other => Err(format!("{other:?}")),
            },
        )?;
        other.stop(LIMIT)?;
        write(lab, &WEB.replace("10.0.0.12 }", "10.0.0.12, weight: 3 }"))?;
        let status = wait_json(lab, xelb, "status", |status| status["last_error"] == "")?;
        ensure!(status["applied_count"] == 2, "{status}");
        let weights = json(lab, xelb, "get targets")?;
        ensure!(weights[1]["weight"] == 3, "{weights}");
        Ok(())
    })
}

#[test]
fn commands_that_change_the_file_are_refused() -> Result<()> {
    in_lab(|lab, xelb| {
        let _agent = start_web(lab, xelb)?;
        let path = configuration_path(lab).display().to_string();
        for words in [
            vec!["apply", "-f", &path],
            vec!["target", "add", "web", "10.0.0.13"],
            vec!["target", "remove", "web", "10.0.0.11"],
            vec!["target", "weight", "web", "10.0.0.11", "7"],
        ] {
            let parts = ["takes its configuration from", path.as_str()];
            fails(&xelb.command(lab, &words)?, 2, &parts)?;
        }
        for (words, part) in [
            (["target", "drain", "nope", "10.0.0.11"], "there is no target group nope (web)"),
            (["target", "drain", "web", "10.0.0.99"], "has no target 10.0.0.99"),
            (["target", "drain", "web", "10.0.0.11:81"], "has no target 10.0.0.11:81"),
        ] {
            fails(&xelb.command(lab, &words)?, 2, &[part])?;
        }
        Ok(())
    })
}

#[test]
fn completions_and_help_are_there() -> Result<()> {
    in_lab(|lab, xelb| {
        for shell in ["bash", "zsh", "fish"] {
            let script = run(lab, xelb, &["completions", shell])?.success()?;
            ensure!(script.contains("XELB_COMPLETE"), "{shell}: {script}");
        }
        for command in
            ["agent", "apply", "get", "target", "status", "stats", "decap", "detach", "completions"]
        {
            let help = run(lab, xelb, &[command, "--help"])?.success()?;
            ensure!(help.contains("Usage: xelb"), "{command}: {help}");
        }
        let task = Task::new(xelb.program(), &["--version"]);
        let version = lab.lb().finish(task, LIMIT)?.success()?;
        ensure!(version.starts_with("xelb 0."), "{version}");
        Ok(())
    })
}
