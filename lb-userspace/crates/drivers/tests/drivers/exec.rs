//! The exec driver with programs that hang, flood, fork, and answer garbage.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, time::Duration};

use lb_drivers::{Driver as _, ExecDriver, Request};
use lb_members::{Answer, CallResult, ErrorClass, Verb};
use serde_json::Map;

/// Long enough for any program that is to end by itself.
const LONG: Duration = Duration::from_mins(1);

fn program(folder: &Path, script: &str) -> ExecDriver {
    let path = folder.join("driver");
    // Another process may hold the file open for writing after a fork of another test; a rename of
    // a copy is never open for writing.
    let new = folder.join("new");
    fs::write(&new, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&new, fs::Permissions::from_mode(0o755)).unwrap();
    fs::rename(&new, &path).unwrap();
    ExecDriver::new(path)
}

fn request(verb: Verb) -> Request {
    Request {
        verb,
        group: "web".to_owned(),
        name: "web-1".to_owned(),
        template: "t".to_owned(),
        parameters: Map::new(),
    }
}

/// Runs a script as a driver. A file that is busy is tried again: a fork of another thread may have
/// inherited the descriptor that it was written with.
async fn run(folder: &Path, script: &str, verb: Verb, deadline: Duration) -> CallResult {
    let driver = program(folder, script);
    for _ in 0..100 {
        match driver.call(&request(verb), deadline).await {
            Err(error) if error.message.contains("Text file busy") => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            result => return result,
        }
    }
    panic!("the driver stays busy")
}

/// Waits until a process has ended.
async fn ended(pid: &str) {
    let status = format!("/proc/{}/stat", pid.trim());
    loop {
        let state = fs::read_to_string(&status).unwrap_or_default();
        if state.is_empty() || state.contains(") Z ") {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn the_request_is_an_object_on_standard_input() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().display();
    let script =
        format!("cat > {path}/input; env > {path}/environment; pwd > {path}/pwd; echo '{{}}'");
    let result = run(folder.path(), &script, Verb::End, LONG).await;
    assert_eq!(result, Ok(Answer::Done));
    let input = fs::read_to_string(folder.path().join("input")).unwrap();
    let expected = r#"{"verb":"end","group":"web","name":"web-1","template":"t","parameters":{}}"#;
    assert_eq!(input, expected);
    let environment = fs::read_to_string(folder.path().join("environment")).unwrap();
    let names: Vec<&str> =
        environment.lines().filter_map(|line| line.split_once('=')).map(|(name, _)| name).collect();
    assert!(
        names.iter().all(|name| ["PATH", "PWD", "OLDPWD", "SHLVL", "_"].contains(name)),
        "{names:?}"
    );
    assert_eq!(fs::read_to_string(folder.path().join("pwd")).unwrap(), "/\n");
}

#[tokio::test]
async fn hostile_programs() {
    // (script, class of the error, part of its message)
    let cases = [
        ("echo nonsense", ErrorClass::Transient, "form"),
        ("exit 75", ErrorClass::Transient, "code 75"),
        ("echo why >&2; exit 3", ErrorClass::Fatal, "code 3: why"),
        ("kill -9 $$", ErrorClass::Transient, "signal 9"),
        ("cat /dev/zero", ErrorClass::Fatal, "longer than"),
        ("cat /dev/zero >&2 & sleep 0.1; exit 75", ErrorClass::Transient, "code 75"),
        (
            r#"echo '{"error": {"class": "quota", "message": "full"}}'; exit 1"#,
            ErrorClass::Quota,
            "full",
        ),
    ];
    for (script, class, message) in cases {
        let folder = tempfile::tempdir().unwrap();
        let error = run(folder.path(), script, Verb::Ensure, LONG).await.unwrap_err();
        assert_eq!(error.class, class, "{script}: {error}");
        assert!(error.message.contains(message), "{script}: {error}");
    }
}

#[tokio::test]
async fn a_program_that_does_not_exist_is_a_fatal_error() {
    let driver = ExecDriver::new("/nonexistent/driver".into());
    let error = driver.call(&request(Verb::List), LONG).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Fatal, "{error}");
}

#[tokio::test]
async fn a_program_that_hangs_is_killed_with_its_children() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().display();
    let script = format!(
        "trap '' TERM; sleep 1000 & echo $! > {path}/child.new; mv {path}/child.new {path}/child; \
         echo $$ > {path}/self; sleep 1000"
    );
    let driver = program(folder.path(), &script);
    let child = folder.path().join("child");
    // The call is dropped as soon as its child runs, and its deadline does the same.
    let request = request(Verb::Ensure);
    let mut call = driver.call(&request, LONG);
    while !folder.path().join("self").exists() {
        tokio::select! {
            result = &mut call => {
                assert!(result.unwrap_err().message.contains("Text file busy"));
                call = driver.call(&request, LONG);
            }
            () = tokio::time::sleep(Duration::from_millis(10)) => {}
        }
    }
    drop(call);
    ended(&fs::read_to_string(child).unwrap()).await;

    let error = run(folder.path(), "sleep 1000", Verb::Ensure, Duration::from_millis(200)).await;
    let error = error.unwrap_err();
    assert_eq!(error.class, ErrorClass::Transient);
    assert!(error.message.contains("killed"), "{error}");
}

#[tokio::test]
async fn what_a_program_leaves_behind_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().display();
    // The child holds the standard output open.
    let script = format!("sleep 1000 & echo $! > {path}/child; echo '{{\"members\": []}}'");
    let result = run(folder.path(), &script, Verb::List, LONG).await;
    assert_eq!(result, Ok(Answer::Members(Vec::new())));
    ended(&fs::read_to_string(folder.path().join("child")).unwrap()).await;
}

#[tokio::test]
async fn a_daemon_that_holds_the_output_does_not_hold_the_call() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().display();
    let script = format!(
        "setsid sh -c 'echo $$ > {path}/daemon; exec sleep 1000' & \
         while ! [ -s {path}/daemon ]; do sleep 0.01; done; echo '{{\"members\": []}}'"
    );
    let result = run(folder.path(), &script, Verb::List, LONG).await;
    assert_eq!(result, Ok(Answer::Members(Vec::new())));
    let pid: i32 =
        fs::read_to_string(folder.path().join("daemon")).unwrap().trim().parse().unwrap();
    let pid = nix::unistd::Pid::from_raw(pid);
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).expect("it lives on");
}
