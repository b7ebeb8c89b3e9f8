//! Files that a configuration names: who looks at them, how often, and what stops a hostile document.

use std::{fmt::Write as _, path::Path, sync::mpsc, thread, time::Duration};

use nix::{sys::stat::Mode, unistd::mkfifo};

use super::{
    super::{Document, Limits, check_files, load_within, validate, validate_within},
    SMALL,
};
use crate::health::Programs;

/// A document whose health check says this.
fn document(check: &str) -> Document {
    let (head, listeners) = SMALL.split_once("listeners:").unwrap();
    let text = format!("{head}    health_check: {{ {check} }}\nlisteners:{listeners}");
    super::super::syntax::document(&text).unwrap_or_else(|(_, error)| panic!("{text}: {error}"))
}

/// What looking at the files says, within a time.
fn told(document: Document) -> String {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(check_files(&document, &Programs::Anywhere)));
    let told = receiver.recv_timeout(Duration::from_secs(10)).expect("no file is waited for");
    told.map_or_else(|errors| errors.to_string(), |()| String::new())
}

/// What a preview does: it must neither wait for a file nor say whether there is one.
#[test]
fn checking_a_document_touches_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    mkfifo(&pipe, Mode::S_IRWXU).unwrap();
    let paths = ["/dev/zero", "/nonexistent/ca.pem", "/etc/passwd", pipe.to_str().unwrap()];
    for path in paths {
        for check in [
            format!("protocol: https, verify: {path}"),
            format!("protocol: exec, command: [{path}]"),
        ] {
            let checked = validate(&document(&check));
            assert!(checked.is_ok(), "{check}: {checked:?}");
        }
    }
}

#[test]
fn files_that_cannot_be_used_are_told_without_waiting() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    mkfifo(&pipe, Mode::S_IRWXU).unwrap();
    for (path, says) in [
        (pipe.as_path(), "is not a regular file"),
        (Path::new("/dev/zero"), "is not a regular file"),
        (folder.path(), "is a directory"),
        (Path::new("/etc/passwd"), "has no certificate (PEM)"),
        (Path::new("/nonexistent/ca.pem"), "No such file"),
    ] {
        let told = told(document(&format!("protocol: https, verify: {}", path.display())));
        let at = "target_groups[0].health_check.verify: ";
        assert!(told.starts_with(at) && told.contains(says), "{}: {told}", path.display());
    }
    for path in ["/etc/passwd", "/dev/zero"] {
        let told = told(document(&format!("protocol: exec, command: [{path}]")));
        assert!(told.ends_with("is not a program that can be executed"), "{told}");
    }
    assert_eq!(told(document("protocol: exec, command: [/bin/true]")), "");
}

/// Looking at other files does not depend on what else is wrong.
#[test]
fn only_files_are_told() {
    let mut document = document("protocol: https, verify: /nonexistent/ca.pem");
    document.0.set("interfaces", super::super::tree::Node::text("eth0"));
    let told = told(document);
    assert!(!told.contains("interfaces") && told.contains("/nonexistent/ca.pem"), "{told}");
}

/// A document with too much of something is not read any further.
#[test]
fn counts_come_before_everything_else() {
    let mut text = String::from("interfaces: [eth0]\ntarget_groups:\n");
    for number in 0..4 {
        writeln!(text, "  - {{ name: g{number}, health_check: {{ verify: /nonexistent }} }}")
            .unwrap();
    }
    let document = super::super::syntax::document(&text).unwrap();
    let most = Limits { target_groups: 3, ..Limits::MOST };
    let errors = validate_within(&document, &most).unwrap_err();
    let [error] = errors.errors() else { panic!("{errors}") };
    assert_eq!(error.path(), "target_groups");
    assert!(error.message().starts_with("4 target groups are more than the 3"), "{error}");
}

/// What an agent refuses that runs no programs, or runs them from another directory.
#[test]
fn programs_are_refused_with_their_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("xelb.yaml");
    let (head, listeners) = SMALL.split_once("listeners:").unwrap();
    let text = format!(
        "{head}    health_check:\n      protocol: exec\n      command: [/bin/true]\nlisteners:{listeners}"
    );
    std::fs::write(&path, &text).unwrap();
    let line = text.lines().position(|line| line.contains("command:")).unwrap() + 1;
    let at = format!("{}:{line}:16: target_groups[0].health_check.command:", path.display());
    let off = Limits { exec_checks: false, ..Limits::MOST };
    let elsewhere = Programs::In(folder.path().to_owned());
    let real = std::fs::canonicalize("/bin/true").unwrap();
    for (limits, programs, says) in [
        (
            off,
            Programs::Off,
            "checks may not run programs here (`xelb agent --exec-checks off`)".to_owned(),
        ),
        (
            Limits::MOST,
            elsewhere,
            format!(
                "/bin/true, which leads to {}, is not in {}, the directory that checks may run programs \
                 from: put it there, or name its directory (`--exec-checks DIR` of `xelb agent`)",
                real.display(),
                folder.path().display()
            ),
        ),
    ] {
        let errors = load_within(&path, &limits, &programs).unwrap_err();
        assert_eq!(errors.to_string().trim_end(), format!("{at} {says}"));
    }
    // A preview says so without a look at any file.
    let errors = validate_within(&document("protocol: exec, command: [/x]"), &off).unwrap_err();
    assert!(errors.to_string().contains("--exec-checks off"), "{errors}");
    assert!(load_within(&path, &Limits::MOST, &Programs::In("/".into())).is_ok());
}
