//! Every command that uses an agent succeeds with one (exit code 0), and fails if the requested
//! object does not exist (2). Failures without an agent are in lb-userspace/tests/exit_codes.rs.

use anyhow::{Result, ensure};
use lb_tests::agent::configuration_path;

use crate::scene::{LIMIT, WEB, fails, in_lab, run, start, state_dir_arguments, write};

/// What is done, in this order.
const DONE: &[&str] = &[
    "status",
    "stats",
    "events",
    "events --group web",
    "get listeners",
    "get target-groups",
    "get targets",
    "get revisions",
    "get config -o yaml",
    "explain --from 198.51.100.7:40000 --to 203.0.113.10:80",
    "describe target web/10.0.0.12",
    "describe listener web",
    "describe tg web",
    "wait target web/10.0.0.12 --for healthy",
    "wait tg web --for healthy",
    "set tg web slow_start=30s",
    "set target web/10.0.0.12 weight=90 --dry-run",
    "create target web/10.0.0.14 --weight 5",
    "delete target web/10.0.0.14",
    "create listener alt --address 203.0.113.11 --port 80 --protocol tcp --target-group web",
    "delete listener alt -m gone",
    "target drain web 10.0.0.12 --reason disk",
    "target drain web 10.0.0.12",
    "target undrain web 10.0.0.12",
    "target weight web 10.0.0.12 50",
    "target add web 10.0.0.13",
    "target remove web 10.0.0.13 --now",
    "diff 1 2",
    "rollback 1 --dry-run",
    "rollback 1",
];

/// What is not there, or cannot be done: a part of what is said.
const REFUSED: &[(&str, &str)] = &[
    ("target drain web 10.0.0.99", "no target 10.0.0.99"),
    ("target undrain none 10.0.0.11", "there is no target group none"),
    ("target weight web 10.0.0.11 1001", "1001 is not a whole number"),
    ("target add web 10.0.0.11", "has 10.0.0.11 already"),
    ("create target web/10.0.0.11", "target web/10.0.0.11 exists already"),
    ("create listener web --address 203.0.113.12 --port 80", "listener web exists already"),
    ("create listener alt --address 203.0.113.12 --port 80", "`protocol` is missing"),
    ("set tg wbe slow_start=30s", "there is no target group wbe (there is only web)"),
    ("set tg web slow_strat=1s", "slow_strat: unknown key"),
    ("set target web/10.0.0.11 weight=1001", "1001 is not a whole number"),
    ("delete tg web", "web"),
    ("delete listener web dns", "there is no listener dns"),
    ("edit listener dns", "there is no listener dns"),
    ("describe target web/10.0.0.99", "there is no target web/10.0.0.99"),
    ("describe tg none", "there is no target group none"),
    ("wait target web/10.0.0.99 --for healthy", "there is no target web/10.0.0.99"),
    ("target remove web 10.0.0.99", "no target 10.0.0.99"),
    ("rollback 99", "99"),
    ("rollback 99 --dry-run", "99"),
    ("diff 1 99", "99"),
    ("explain --from 198.51.100.7:1 --to [2001:db8::1]:80", "famil"),
];

#[test]
fn every_command_succeeds_with_an_agent() -> Result<()> {
    in_lab(|lab, xelb| {
        let _agent = start(lab, xelb, &state_dir_arguments(lab))?;
        write(lab, WEB)?;
        let path = configuration_path(lab).display().to_string();
        xelb.command(lab, &["apply", "-f", &path, "--dry-run"])?.success()?;
        xelb.command(lab, &["apply", "-f", &path])?.success()?;
        xelb.wait_healthy(lab, 2, LIMIT)?;
        for line in DONE {
            let words: Vec<&str> = line.split(' ').collect();
            let finished = xelb.command(lab, &words)?;
            ensure!(finished.status.code() == Some(0), "{line}: {}", finished.stderr);
            ensure!(!finished.stdout.is_empty(), "{line} says nothing");
        }
        for (line, says) in REFUSED {
            let words: Vec<&str> = line.split(' ').collect();
            fails(&xelb.command(lab, &words)?, 2, &[says])?;
        }
        let target = ["doctor", "target", "--vip", "203.0.113.10", "--interface", "eth0"];
        fails(&run(lab, xelb, &target)?, 1, &[])
    })
}
