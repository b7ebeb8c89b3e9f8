//! Programs of checks that end well, fail, hang, flood, and may not run.

use std::{fs, os::unix::fs::PermissionsExt as _};

use super::*;
use crate::tcp::tests::probe_of;

/// For what hangs.
const TIMEOUT: Duration = Duration::from_millis(700);

/// For what ends by itself, on a machine that is as busy as it likes.
const PATIENCE: Duration = Duration::from_secs(20);

/// A shell script, in a separate folder.
fn script(text: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("check");
    fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    for path in [folder.path(), &path] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    (folder, path)
}

/// Programs of this folder, as this user.
fn policy(folder: &Path, user: &str) -> Arc<ExecPolicy> {
    let programs = Programs::In(folder.to_owned());
    Arc::new(ExecPolicy { programs, user: ExecUser::find(user).unwrap() })
}

async fn run(text: &str) -> Outcome {
    run_within(text, PATIENCE).await
}

async fn run_within(text: &str, timeout: Duration) -> Outcome {
    run_as("nobody", text, timeout).await
}

async fn run_as(user: &str, text: &str, timeout: Duration) -> Outcome {
    let (folder, path) = script(text);
    let policy = policy(folder.path(), user);
    let command = vec![path.display().to_string(), "an argument".to_owned()];
    let probe = Probe { timeout, ..probe_of(([127, 0, 0, 1], 8080).into()) };
    let begun = Instant::now();
    let outcome = super::probe(&probe, &ExecCheck { command }, &policy, begun + timeout).await;
    assert!(begun.elapsed() < timeout + PATIENCE, "{text}");
    outcome
}

#[tokio::test]
async fn the_exit_code_decides_and_the_last_line_says_why() {
    assert_eq!(run("exit 0").await, Outcome::Success);
    assert_eq!(run("exit 3").await, Outcome::failed("the check exits with code 3"));
    let seen = run("echo first; echo second; echo; exit 1").await;
    assert_eq!(seen, Outcome::failed("the check exits with code 1: second"));
    let seen = run("echo out; echo why >&2; exit 1").await;
    assert_eq!(seen, Outcome::failed("the check exits with code 1: why"));
    assert_eq!(run("kill -9 $$").await, Outcome::failed("the check is ended by signal 9"));
}

#[tokio::test]
async fn the_program_gets_only_the_targets_environment() {
    let seen =
        run("echo $XELB_TARGET_GROUP $XELB_TARGET_ADDRESS $XELB_TARGET_PORT $1 $HOME; pwd >&2; \
                    exec 2>&1; exit 1")
        .await;
    assert_eq!(seen, Outcome::failed("the check exits with code 1: /"));
    let seen =
        run("echo $XELB_TARGET_GROUP $XELB_TARGET_ADDRESS $XELB_TARGET_PORT $1 $HOME; exit 1")
            .await;
    assert_eq!(
        seen,
        Outcome::failed("the check exits with code 1: web 127.0.0.1 8080 an argument")
    );
}

/// Processes that have this word in their command line.
fn running(word: &str) -> usize {
    let processes = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let lines = processes.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
    lines.filter(|line| String::from_utf8_lossy(line).contains(word)).count()
}

#[tokio::test]
async fn hanging_and_forking_programs_are_killed_as_a_group() {
    let late = Outcome::timeout("the check has not ended within 700ms; killed");
    for (word, text) in [
        ("71.25", "sleep 71.25"),
        ("72.25", "trap '' TERM INT HUP; while :; do sleep 72.25; done"),
        ("73.25", "sleep 73.25 & sleep 73.25 & wait"),
    ] {
        assert_eq!(run_within(text, TIMEOUT).await, late, "{text}");
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(running(word), 0, "{text}");
    }
    // It ends well, and what it has started goes with it, though it holds the output open.
    assert_eq!(run("sleep 74.25 & exit 0").await, Outcome::Success);
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(running("74.25"), 0);
}

#[tokio::test]
async fn a_flood_of_output_is_bounded() {
    let seen = run("head -c 20000000 /dev/zero | tr '\\0' x; echo; echo end; exit 1").await;
    assert_eq!(seen, Outcome::failed("the check exits with code 1: end"));
    let late = Outcome::timeout("the check has not ended within 700ms; killed");
    assert_eq!(run_within("while :; do echo flood; done", TIMEOUT).await, late);
    let seen = run(
        "echo x > /dev/null; dd if=/dev/zero of=/tmp/xelb-exec-test bs=1M count=9 2>/dev/null; \
                    stat -c %s /tmp/xelb-exec-test; rm -f /tmp/xelb-exec-test; exit 1",
    )
    .await;
    assert_eq!(seen, Outcome::failed("the check exits with code 1: 1048576"));
}

#[tokio::test]
async fn no_zombie_is_left() {
    for _ in 0..20 {
        assert_eq!(run("exit 0").await, Outcome::Success);
    }
    let mine = std::process::id().to_string();
    let zombies = fs::read_dir("/proc").unwrap().filter_map(Result::ok).filter(|entry| {
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let rest = stat.rsplit(')').next().unwrap_or_default();
        let fields: Vec<&str> = rest.split_whitespace().collect();
        fields.first() == Some(&"Z") && fields.get(1) == Some(&mine.as_str())
    });
    // Other tests of this process may be ending a program just now.
    assert!(zombies.count() <= 2);
}

/// What a check sees of itself: user, capabilities, whether it can get more, descriptors, limits.
const SELF: &str = r#"
while read name value rest; do
    case $name in Uid:|Gid:|Cap[IPEA]*|NoNewPrivs:) echo -n "$name$value " ;; esac
done < /proc/self/status
echo "zero:$(ls -l /proc/$$/fd | grep -c /dev/zero) files:$(ulimit -n)"
exit 1"#;

#[tokio::test]
async fn programs_have_no_privileges_for_any_user() {
    // Somebody has left a descriptor open for all.
    let left = fs::File::open("/dev/zero").unwrap();
    nix::fcntl::fcntl(&left, nix::fcntl::FcntlArg::F_SETFD(nix::fcntl::FdFlag::empty())).unwrap();
    let none = "0000000000000000";
    for (user, id) in [("nobody", 65_534), ("root", 0)] {
        let seen = run_as(user, SELF, PATIENCE).await;
        let Outcome::Failure { detail, .. } = &seen else { panic!("{user}: {seen:?}") };
        for part in [
            format!("Uid:{id} "),
            format!("Gid:{id} "),
            format!("CapPrm:{none} CapEff:{none}"),
            format!("CapInh:{none} "),
            format!("CapAmb:{none} NoNewPrivs:1"),
            "zero:0 files:1024".to_owned(),
        ] {
            assert!(detail.contains(&part), "{user}: {part} is not in {detail}");
        }
    }
    drop(left);
}

#[tokio::test]
async fn programs_of_another_user_are_killed_at_the_timeout() {
    let late = Outcome::timeout("the check has not ended within 700ms; killed");
    assert_eq!(run_within("sleep 75.25 & sleep 75.25", TIMEOUT).await, late);
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(running("75.25"), 0);
}

#[tokio::test]
async fn forbidden_programs_are_not_run_and_the_reason_hides_the_path() {
    let (folder, path) = script("exit 0");
    let probe = probe_of(([127, 0, 0, 1], 8080).into());
    let check = ExecCheck { command: vec![path.display().to_string()] };
    let run = async |policy: ExecPolicy| {
        let deadline = Instant::now() + PATIENCE;
        super::probe(&probe, &check, &Arc::new(policy), deadline).await
    };
    let nobody = ExecUser::nobody();
    let within = |path: &Path| Programs::In(path.to_owned());
    let good = ExecPolicy { programs: within(folder.path()), user: nobody.clone() };
    assert_eq!(run(good.clone()).await, Outcome::Success);
    let inconclusive = |why: &str| Outcome::Inconclusive {
        detail: format!("cannot run the command of the check: {why}"),
    };
    let off = ExecPolicy { programs: Programs::Off, user: nobody.clone() };
    let why = "checks may not run programs here (`xelb agent --exec-checks off`)";
    assert_eq!(run(off).await, inconclusive(why));
    let elsewhere = ExecPolicy { programs: within(Path::new("/usr")), user: nobody };
    let why = "its program is not in the directory of --exec-checks";
    assert_eq!(run(elsewhere).await, inconclusive(why));
    // It is changed while the agent runs.
    fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).unwrap();
    let why = "other users than root could replace its program; `xelb validate` says what to \
               change";
    assert_eq!(run(good.clone()).await, inconclusive(why));
    // Root may run it, and the user may not.
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
    let why = "Permission denied (os error 13): the user nobody must be able to execute it, and to \
               enter the directories above it";
    assert_eq!(run(good).await, inconclusive(why));
}
