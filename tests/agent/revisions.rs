//! The history of an agent without a configuration file: previews, rollbacks, two writers, and what
//! survives SIGKILL and a reboot.

use std::{net::TcpListener, sync::mpsc, thread};

use anyhow::{Context as _, Result, ensure};
use lb_tests::{Lab, Process, Xelb, agent::configuration_path};
use nix::sys::signal::Signal;

use crate::scene::{
    LIMIT, WEB, fails, in_lab, json, run, says, start, state_dir_arguments, tables, wait_json,
    write,
};

/// An agent that has got [`WEB`], both targets healthy.
fn applied(lab: &Lab, xelb: &Xelb) -> Result<Process> {
    let agent = start(lab, xelb, &state_dir_arguments(lab))?;
    apply(lab, xelb, WEB, &[])?;
    xelb.wait_healthy(lab, 2, LIMIT)?;
    Ok(agent)
}

fn apply(lab: &Lab, xelb: &Xelb, text: &str, options: &[&str]) -> Result<String> {
    write(lab, text)?;
    let path = configuration_path(lab).display().to_string();
    let mut arguments = vec!["apply", "-f", &path];
    arguments.extend(options);
    Ok(xelb.command(lab, &arguments)?.success()?)
}

#[test]
fn a_change_can_be_previewed_and_rolled_back() -> Result<()> {
    in_lab(|lab, xelb| {
        let _agent = applied(lab, xelb)?;
        let before = tables()?;
        let one = WEB.replace("      - { address: 10.0.0.12 }\n", "");
        let shown = apply(lab, xelb, &one, &["--dry-run", "--prune"])?;
        for part in [
            "- target_groups[web].targets[10.0.0.12]: { address: 10.0.0.12 }",
            "web    50.0%                 0  -       10.0.0.12:80",
            "nothing has been changed",
        ] {
            ensure!(shown.contains(part), "`{part}` is not in:\n{shown}");
        }
        ensure!(tables()? == before, "a dry run has changed the maps");
        let said = apply(lab, xelb, &one, &["--prune", "--if-revision", "1", "-m", "one fits"])?;
        let removed = "  - target_groups[web].targets[10.0.0.12]: { address: 10.0.0.12 }\n";
        let expected = format!("revision 2: apply\n{removed}added 0, changed 0, removed 1\n");
        ensure!(said == expected, "{said}");
        let history = json(lab, xelb, "get revisions")?;
        ensure!(history[0]["message"] == "one fits" && history[1]["message"] == "", "{history}");
        let path = configuration_path(lab).display().to_string();
        let late = xelb.command(lab, &["apply", "-f", &path, "--if-revision", "1"])?;
        fails(&late, 1, &["is at revision 2 by now", "apply), not at 1"])?;

        let diff = says(lab, xelb, "diff 1 2")?;
        ensure!(
            diff == "- target_groups[web].targets[10.0.0.12]: { address: 10.0.0.12 }\n",
            "{diff}"
        );
        fails(
            &xelb.command(lab, &["rollback", "7"])?,
            2,
            &["no revision 7; revisions 1 to 2 are kept"],
        )?;
        let shown = says(lab, xelb, "rollback 1 --dry-run")?;
        ensure!(shown.contains("+ target_groups[web].targets[10.0.0.12]"), "{shown}");
        let said = says(lab, xelb, "rollback 1")?;
        ensure!(
            said.starts_with("revision 3: roll back to revision 1\n  + target_groups[web]"),
            "{said}"
        );
        xelb.wait_healthy(lab, 2, LIMIT)?;
        // Ids are found again, the target takes its own one back.
        ensure!(tables()?.targets.keys().eq(before.targets.keys()), "the ids have changed");
        let diff = says(lab, xelb, "diff 1 3")?;
        ensure!(diff == "nothing differs\n", "{diff}");
        let numbers = json(lab, xelb, "get revisions")?;
        ensure!(numbers[0]["number"] == 3 && numbers[2]["number"] == 1, "{numbers}");

        // What `get` prints is a configuration.
        let yaml = says(lab, xelb, "get config -o yaml")?;
        let said = apply(lab, xelb, &yaml, &["--dry-run"])?;
        ensure!(said.starts_with("configuration\n  nothing differs\n"), "{said}");
        Ok(())
    })
}

#[test]
fn a_listener_keeps_its_targets_unless_forced() -> Result<()> {
    in_lab(|lab, xelb| {
        let _agent = applied(lab, xelb)?;
        let before = tables()?;
        let refused = ["this would leave listeners without targets", "listener web:", "`--force`"];
        let others = WEB.replace("10.0.0.11", "10.0.0.13").replace("10.0.0.12", "10.0.0.14");
        let none = WEB
            .replace("      - { address: 10.0.0.11 }\n      - { address: 10.0.0.12 }\n", "")
            .replace("targets:\n", "targets: []\n");
        let weightless = WEB
            .replace(" }\n      -", ", weight: 0 }\n      -")
            .replace("10.0.0.12 }", "10.0.0.12, weight: 0 }");
        let path = configuration_path(lab).display().to_string();
        for text in [&others, &none, &weightless] {
            write(lab, text)?;
            fails(&xelb.command(lab, &["apply", "--prune", "-f", &path])?, 2, &refused)?;
            let dry = xelb.command(lab, &["apply", "--prune", "-f", &path, "--dry-run"])?;
            fails(&dry, 2, &["would be refused without --force"])?;
        }
        // A switch to an empty group; for a group without health checks so far, see switch.rs.
        let led = WEB.replace("target_group: web }", "target_group: other }");
        let group = "  - { name: other, protocol: tcp, port: 80, forwarding: ipip, targets: [] }\nlisteners:\n";
        write(lab, &led.replace("listeners:\n", group))?;
        fails(&xelb.command(lab, &["apply", "-f", &path])?, 2, &refused)?;
        ensure!(tables()? == before, "a refused change has changed the maps");
        // Drained to the last one.
        says(lab, xelb, "target drain web 10.0.0.11")?;
        let drain = ["target", "drain", "web", "10.0.0.12"];
        fails(&xelb.command(lab, &drain)?, 2, &refused)?;
        let said = says(lab, xelb, "target drain web 10.0.0.12 --force")?;
        ensure!(said.contains("is draining"), "{said}");
        says(lab, xelb, "target undrain web 10.0.0.11")?;
        says(lab, xelb, "target undrain web 10.0.0.12")?;
        xelb.wait_healthy(lab, 2, LIMIT)?;
        says(lab, xelb, "target weight web 10.0.0.11 0")?;
        let last = ["target", "remove", "web", "10.0.0.12"];
        fails(&xelb.command(lab, &last)?, 2, &refused)?;
        let said = says(lab, xelb, "target remove web 10.0.0.12 --force")?;
        ensure!(said.starts_with("revision 3: remove target"), "{said}");
        let said = apply(lab, xelb, &none, &["--force", "--prune"])?;
        ensure!(said.starts_with("revision 4: apply\n"), "{said}");
        Ok(())
    })
}

/// A second listener and its group, in service.
const DNS_GROUP: &str = "  - name: dns
    protocol: udp
    port: 53
    forwarding: ipip
    health_check: { protocol: http, port: 80, path: /healthz, interval: 200ms }
    targets: [{ address: 10.0.0.11 }]
listeners:
  - { name: dns, address: 203.0.113.53, port: 53, protocol: udp, default_action: { forward: { target_group: dns } } }
";

#[test]
fn a_file_that_leaves_out_what_is_in_service_needs_prune() -> Result<()> {
    in_lab(|lab, xelb| {
        let _agent = start(lab, xelb, &state_dir_arguments(lab))?;
        apply(lab, xelb, &WEB.replace("listeners:\n", DNS_GROUP), &[])?;
        xelb.wait_healthy(lab, 3, LIMIT)?;
        let before = tables()?;
        let path = configuration_path(lab).display().to_string();
        write(lab, &WEB.replace("      - { address: 10.0.0.12 }\n", ""))?;
        let named = [
            "listener dns (udp, address 203.0.113.53/32, port 53)",
            "target group dns",
            "target web/10.0.0.12:80",
            "nothing was changed; `--prune` removes",
        ];
        fails(&xelb.command(lab, &["apply", "-f", &path])?, 2, &named)?;
        // `--force` is for other harm.
        fails(&xelb.command(lab, &["apply", "-f", &path, "--force"])?, 2, &named)?;
        let dry = xelb.command(lab, &["apply", "-f", &path, "--dry-run"])?;
        fails(&dry, 2, &["would be refused without --prune"])?;
        ensure!(dry.stdout.contains("REFUSED without --prune: target group dns"), "{dry:?}");
        ensure!(tables()? == before, "a refused change has changed the maps");
        let numbers = json(lab, xelb, "get revisions")?;
        ensure!(numbers.as_array().map(Vec::len) == Some(1), "{numbers}");
        says(lab, xelb, &format!("apply -f {path} --dry-run --prune"))?;
        let said = says(lab, xelb, &format!("apply -f {path} --prune -m leaner"))?;
        ensure!(said.ends_with("added 0, changed 0, removed 3\n"), "{said}");
        ensure!(tables()?.listeners.len() == 1, "the listener is gone");
        // A file that only adds needs nothing.
        let said = apply(lab, xelb, &WEB.replace("listeners:\n", DNS_GROUP), &[])?;
        ensure!(said.ends_with("added 3, changed 0, removed 0\n"), "{said}");
        Ok(())
    })
}

/// 10.0.0.2 is the balancer's own address.
#[test]
fn a_listener_on_an_address_of_the_balancer_needs_an_attribute() -> Result<()> {
    in_lab(|lab, xelb| {
        let _agent = applied(lab, xelb)?;
        let before = tables()?;
        let path = configuration_path(lab).display().to_string();
        let named =
            ["listener web takes tcp packets to port", "10.0.0.2", "allow_own_address: true"];
        let program = lab.lb().run(|| TcpListener::bind("10.0.0.2:80"))?;
        for (address, port) in
            [("10.0.0.2", "all"), ("10.0.0.2", "22-99"), ("10.0.0.0/29", "80"), ("10.0.0.2", "80")]
        {
            let text = WEB
                .replace("203.0.113.10", address)
                .replace("    port: 80\n    protocol", &format!("    port: {port}\n    protocol"));
            write(lab, &text)?;
            fails(&xelb.command(lab, &["apply", "-f", &path])?, 2, &named)?;
            let valid = run(lab, xelb, &["validate", "-f", &path])?;
            ensure!(
                valid.stderr.contains("warning: listeners[0]: listener web takes"),
                "{valid:?}"
            );
        }
        ensure!(tables()? == before, "a refused change has changed the maps");
        drop(program);
        apply(lab, xelb, &WEB.replace("203.0.113.10", "10.0.0.2"), &["--force"])?;
        let text = WEB
            .replace("203.0.113.10", "10.0.0.2")
            .replace("    port: 80\n    protocol", "    port: 8000-8099\n    protocol")
            .replace("port: 80\n    forwarding", "port: 8000\n    forwarding")
            + "    attributes: { allow_own_address: true }\n";
        apply(lab, xelb, &text, &["--force", "--prune"])?;
        Ok(())
    })
}

/// Twenty writers at once: every change that was acknowledged is there, and none is lost.
#[test]
fn writers_do_not_lose_each_others_changes() -> Result<()> {
    in_lab(|lab, xelb| {
        let _agent = applied(lab, xelb)?;
        let outcomes: Vec<Result<String>> = thread::scope(|scope| {
            let lab: &Lab = lab;
            let add = |octet: usize| says(lab, xelb, &format!("target add web 10.0.1.{octet}"));
            let writers: Vec<_> = (1..=20).map(|octet| scope.spawn(move || add(octet))).collect();
            let join = |writer: thread::ScopedJoinHandle<'_, _>| {
                writer.join().unwrap_or_else(|_| Err(anyhow::anyhow!("a writer panicked")))
            };
            writers.into_iter().map(join).collect()
        });
        for outcome in outcomes {
            outcome?;
        }
        let targets = json(lab, xelb, "get targets")?;
        ensure!(targets.as_array().map(Vec::len) == Some(22), "{targets}");
        // With --if-revision, all but one of them fail.
        let path = configuration_path(lab).display().to_string();
        write(lab, WEB)?;
        let arguments = ["apply", "-f", &path, "--if-revision", "21"];
        let codes: Vec<Option<i32>> = thread::scope(|scope| {
            let lab: &Lab = lab;
            let try_it = || xelb.command(lab, &arguments).ok()?.status.code();
            let writers: Vec<_> = (0..8).map(|_| scope.spawn(try_it)).collect();
            writers.into_iter().map(|writer| writer.join().ok().flatten()).collect()
        });
        let count = |code| codes.iter().filter(|one| **one == Some(code)).count();
        ensure!((count(0), count(1)) == (1, 7), "{codes:?}");
        Ok(())
    })
}

/// SIGKILL at any moment of a change: what was acknowledged is there, and nothing is half done.
#[test]
fn acknowledged_changes_survive_sigkill() -> Result<()> {
    in_lab(|lab, xelb| {
        let mut agent = applied(lab, xelb)?;
        let arguments = state_dir_arguments(lab);
        let mut acknowledged = 1_u64;
        for round in 0..12_u64 {
            let kill = thread::scope(|scope| -> Result<u64> {
                let lab: &Lab = lab;
                let (says_first, first) = mpsc::channel();
                let writer = scope.spawn(move || {
                    let mut last = 0;
                    for weight in 1..400 {
                        let words = format!("target weight web 10.0.0.11 {weight}");
                        let Ok(said) = says(lab, xelb, &words) else {
                            break;
                        };
                        let number = said.strip_prefix("revision ").unwrap_or_default();
                        let number = number.split(':').next().unwrap_or_default();
                        last = number.parse().unwrap_or(last);
                        says_first.send(()).ok();
                    }
                    last
                });
                // In each round something is acknowledged, however busy the machine is.
                first.recv_timeout(LIMIT).context("no change was acknowledged")?;
                thread::sleep(std::time::Duration::from_millis(13 * round));
                agent.signal(Signal::SIGKILL)?;
                agent.wait(LIMIT)?;
                writer.join().map_err(|_| anyhow::anyhow!("the writer panicked"))
            })?;
            acknowledged = acknowledged.max(kill);
            agent = start(lab, xelb, &arguments)?;
            let history = json(lab, xelb, "get revisions")?;
            let newest = history[0]["number"].as_u64().context("a number")?;
            // One more may have been stored without an answer.
            ensure!(
                (acknowledged..=acknowledged + 1).contains(&newest),
                "round {round}: {acknowledged} acknowledged, {newest} kept"
            );
            acknowledged = newest;
            let config = json(lab, xelb, "get config")?;
            let weight = &config["target_groups"][0]["targets"][0]["weight"];
            wait_json(lab, xelb, "get targets", |targets| {
                weight.is_null() || targets[0]["weight"] == *weight
            })?;
        }
        ensure!(acknowledged > 12, "only {acknowledged} revisions were made");
        Ok(())
    })
}

/// After a reboot there are no maps. The state directory has the configuration, the drains and the
/// seed of the flow hash, so that every flow finds its target again.
#[test]
fn drains_and_the_seed_survive_a_reboot() -> Result<()> {
    in_lab(|lab, xelb| {
        let mut agent = applied(lab, xelb)?;
        says(lab, xelb, "target drain web 10.0.0.12")?;
        let path = configuration_path(lab).display().to_string();
        let state = lab.directory().join("file-state").display().to_string();
        let file = ["agent", "--config", &path, "--state-dir", &state]
            .map(str::to_owned)
            .into_iter()
            .chain(state_dir_arguments(lab).into_iter().skip(3))
            .collect::<Vec<_>>();
        for arguments in [state_dir_arguments(lab), file.clone(), file] {
            let seed = seed()?;
            let before = tables()?;
            agent.signal(Signal::SIGTERM)?;
            agent.wait(LIMIT)?;
            agent = start(lab, xelb, &arguments)?;
            wait_json(lab, xelb, "get targets", |all| all[1]["state"] == "draining")?;
            agent.signal(Signal::SIGTERM)?;
            agent.wait(LIMIT)?;
            xelb.detach(lab)?;
            agent = start(lab, xelb, &arguments)?;
            let targets = wait_json(lab, xelb, "get targets", |all| all[0]["state"] == "healthy")?;
            ensure!(targets[1]["drained"] == true, "{targets}");
            ensure!(self::seed()? == seed, "the seed has changed");
            let rings = |tables: &lb_plan::Tables| {
                let owners = tables
                    .groups
                    .values()
                    .map(|group| group.slots.iter().map(|slot| slot.current).collect::<Vec<_>>());
                owners.collect::<Vec<_>>()
            };
            ensure!(rings(&tables()?) == rings(&before), "flows would move");
        }
        // A state directory with a configuration is refused together with a file.
        let both = xelb.command(
            lab,
            &[
                "agent",
                "--config",
                &path,
                "--state-dir",
                &lab.directory().join("state").display().to_string(),
            ],
        )?;
        fails(&both, 1, &["holds a configuration (revision 1), and --config gives another one"])?;
        Ok(())
    })
}

/// The seed of the flow hash in the maps.
fn seed() -> Result<[u64; 2]> {
    use lb_dataplane::KernelStore;

    let store = KernelStore::open(std::path::Path::new(lb_tests::agent::PIN_DIR))?;
    Ok(store.meta()?.hash_seed)
}
