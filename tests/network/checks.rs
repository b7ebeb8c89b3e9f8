//! Health checks of every kind see what they are there for, on real hosts.

use std::{
    fs,
    net::{SocketAddr, UdpSocket},
    os::unix::fs::PermissionsExt as _,
    thread,
    time::Duration,
};

use anyhow::ensure;
use lb_tests::{
    Lab, Process, Xelb,
    agent::configuration_path,
    topology::{LB_INTERFACE, VIP_V4, target_v4},
    udp::{self, Responder},
    wait,
};

use crate::scene::{NOTICE_LIMIT, in_lab};

/// One group for each kind of check, on the same two targets.
fn configuration(program: &str) -> String {
    let targets = format!("[{{ address: {} }}, {{ address: {} }}]", target_v4(1), target_v4(2));
    let groups = [
        ("ping", 81, "protocol: icmp".to_owned()),
        ("echo", udp::PORT, "protocol: udp, payload: hello, expect: hello".to_owned()),
        ("own", 82, format!("protocol: exec, command: [{program}]")),
    ];
    let group = |(name, port, check): &(&str, u16, String)| {
        format!(
            "  - {{ name: {name}, protocol: udp, port: {port}, forwarding: l2dsr, targets: {targets},
      health_check: {{ {check}, interval: 300ms, timeout: 250ms, healthy_threshold: 2,
                      unhealthy_threshold: 2 }} }}\n"
        )
    };
    let listener = |(name, port, _): &(&str, u16, String)| {
        format!(
            "  - {{ name: {name}, address: {VIP_V4}, port: {port}, protocol: udp,
      default_action: {{ forward: {{ target_group: {name} }} }} }}\n"
        )
    };
    format!(
        "interfaces: [{LB_INTERFACE}]\ntarget_groups:\n{}listeners:\n{}",
        groups.iter().map(group).collect::<String>(),
        groups.iter().map(listener).collect::<String>()
    )
}

/// An agent whose checks may run programs from the lab's own directory.
fn agent_with_programs(lab: &Lab, xelb: &Xelb) -> lb_tests::Result<Process> {
    let directory = lab.directory().display().to_string();
    xelb.agent_with(lab, &["--xdp-mode", "native", "--exec-checks", &directory])
}

/// Waits until the second target is in these states: by ping, by UDP, by the program.
fn expect(lab: &Lab, xelb: &Xelb, states: [&str; 3]) -> anyhow::Result<()> {
    wait::until(&format!("t2 is {states:?}"), NOTICE_LIMIT, || {
        let targets = xelb.targets(lab).map_err(|error| error.to_string())?;
        let second = targets.iter().filter(|target| target.address == target_v4(2));
        let seen: Vec<&str> = second.map(|target| target.state.as_str()).collect();
        if seen == states { Ok(()) } else { Err(format!("{targets:?}")) }
    })?;
    Ok(())
}

#[test]
fn pings_datagrams_and_programs() -> anyhow::Result<()> {
    in_lab(2, |lab| {
        let echoes: Vec<Responder> = (1..=2)
            .map(|number| {
                let address = (target_v4(number), udp::PORT).into();
                Responder::start_at(lab.target(number), &[address])
            })
            .collect::<Result<_, _>>()?;
        // A target is well as long as there is no file with its address.
        let program = lab.directory().join("check");
        let dead = lab.directory().join(format!("dead-{}", target_v4(2)));
        let script = format!(
            "#!/bin/sh\n[ ! -e {}/dead-$XELB_TARGET_ADDRESS ] || {{ echo it is dead; exit 1; }}\n",
            lab.directory().display()
        );
        fs::write(&program, script)?;
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
        fs::write(configuration_path(lab), configuration(&program.display().to_string()))?;
        let xelb = Xelb::find(None)?;
        let _agent = agent_with_programs(lab, &xelb)?;
        xelb.wait_healthy(lab, 6, NOTICE_LIMIT)?;
        fs::write(&dead, "")?;
        expect(lab, &xelb, ["healthy", "healthy", "unhealthy"])?;
        let shown = xelb.command(lab, &["get", "targets"])?.success()?;
        ensure!(shown.contains("the check exits with code 1: it is dead"), "{shown}");
        fs::remove_file(&dead)?;
        expect(lab, &xelb, ["healthy", "healthy", "healthy"])?;
        lab.target(2).ip("link set eth0 down")?;
        expect(lab, &xelb, ["unhealthy", "unhealthy", "healthy"])?;
        lab.target(2).ip("link set eth0 up")?;
        expect(lab, &xelb, ["healthy", "healthy", "healthy"])?;
        let events = xelb.command(lab, &["events", "--group", "ping"])?.success()?;
        ensure!(events.lines().count() >= 5, "{events}");
        drop(echoes);
        Ok(())
    })
}

/// Groups that check the same port of the second target by datagrams without an answer.
fn silent_groups(count: u16) -> String {
    let group = |number: u16| {
        format!(
            "  - {{ name: g{number}, protocol: udp, port: {port}, forwarding: l2dsr,
      targets: [{{ address: {} }}],
      health_check: {{ protocol: udp, port: 5353, interval: 1s, timeout: 500ms,
                      unhealthy_threshold: 2 }} }}\n",
            target_v4(1),
            port = 9000 + number
        )
    };
    let listener = |number: u16| {
        format!(
            "  - {{ name: g{number}, address: {VIP_V4}, port: {}, protocol: udp,
      default_action: {{ forward: {{ target_group: g{number} }} }} }}\n",
            9000 + number
        )
    };
    format!(
        "interfaces: [{LB_INTERFACE}]\ntarget_groups:\n{}listeners:\n{}",
        (0..count).map(group).collect::<String>(),
        (0..count).map(listener).collect::<String>()
    )
}

#[test]
fn a_dead_udp_server_is_dead_in_all_its_groups() -> anyhow::Result<()> {
    const GROUPS: u16 = 20;
    in_lab(1, |lab| {
        // Nobody reads what comes.
        let address = (target_v4(1), 5353).into();
        let silent = || lab.target(1).run(move || UdpSocket::bind::<SocketAddr>(address));
        let server = silent()?;
        fs::write(configuration_path(lab), silent_groups(GROUPS))?;
        let xelb = Xelb::find(None)?;
        let _agent = xelb.agent(lab)?;
        xelb.wait_healthy(lab, usize::from(GROUPS), NOTICE_LIMIT)?;
        // Its host answers with "port unreachable", once a second for all of them.
        drop(server);
        let all_are = |state: &str| {
            wait::until(&format!("all are {state}"), NOTICE_LIMIT, || {
                let targets = xelb.targets(lab).map_err(|error| error.to_string())?;
                let others = targets.iter().filter(|target| target.state != state).count();
                if others == 0 { Ok(()) } else { Err(format!("{others} are not")) }
            })
        };
        all_are("unhealthy")?;
        for _ in 0..10 {
            thread::sleep(Duration::from_millis(500));
            let targets = xelb.targets(lab)?;
            let back = targets.iter().filter(|target| target.state != "unhealthy").count();
            ensure!(back == 0, "{back} came back");
        }
        let _server = silent()?;
        all_are("healthy")?;
        Ok(())
    })
}

#[test]
fn a_check_that_cannot_run_causes_a_warning_and_times_out() -> anyhow::Result<()> {
    in_lab(2, |lab| {
        let program = lab.directory().join("check");
        fs::write(&program, "#!/bin/sh\nexit 0\n")?;
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
        let configuration = configuration(&program.display().to_string())
            .replace("unhealthy_threshold: 2", "unhealthy_threshold: 2, inconclusive_timeout: 8s");
        let echoes: Vec<Responder> = (1..=2)
            .map(|number| {
                let address = (target_v4(number), udp::PORT).into();
                Responder::start_at(lab.target(number), &[address])
            })
            .collect::<Result<_, _>>()?;
        fs::write(configuration_path(lab), configuration)?;
        let xelb = Xelb::find(None)?;
        let _agent = agent_with_programs(lab, &xelb)?;
        xelb.wait_healthy(lab, 6, NOTICE_LIMIT)?;
        fs::rename(&program, program.with_extension("away"))?;
        let shows = |words: &str, parts: &[&str]| {
            let arguments: Vec<&str> = words.split(' ').collect();
            wait::until(&format!("{words} shows {parts:?}"), NOTICE_LIMIT, || {
                let seen =
                    xelb.command(lab, &arguments).and_then(lb_tests::process::Finished::success);
                let text = seen.map_err(|error| error.to_string())?;
                if parts.iter().all(|part| text.contains(part)) { Ok(()) } else { Err(text) }
            })
        };
        let unknown = "target group own: this host cannot check 2 of 2 targets";
        shows("status", &[unknown, "cannot run"])?;
        shows("get targets", &["this host cannot check it: cannot run"])?;
        // Healthy has no reason against it, and the warning says that this may be wrong.
        let healthy = xelb.command(lab, &["get", "targets"])?.success()?;
        ensure!(!healthy.contains("Elb.InternalError"), "{healthy}");
        expect(lab, &xelb, ["healthy", "healthy", "healthy"])?;
        expect(lab, &xelb, ["healthy", "healthy", "unhealthy"])?;
        shows("get targets", &["Elb.InternalError", "this host cannot check it: cannot run"])?;
        // Nobody is known to be better: both are used.
        shows(
            "status",
            &[
                "target group own: no target is healthy, fewer than minimum_healthy_targets (1); failing open to all 2 targets",
            ],
        )?;
        fs::rename(program.with_extension("away"), &program)?;
        expect(lab, &xelb, ["healthy", "healthy", "healthy"])?;
        shows("status", &["warnings        none"])?;
        drop(echoes);
        Ok(())
    })
}
