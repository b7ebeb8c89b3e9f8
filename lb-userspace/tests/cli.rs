//! Exit codes and outputs of the binary, without an agent.

use std::{
    fs,
    process::{Command, Output},
};

const INVALID: &str = "interfaces: [eth0]\nlisseners: []\n";
const VALID: &str = "interfaces: [eth0]\n";

fn xelb(folder: &std::path::Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_xelb"))
        .args(arguments)
        .current_dir(folder)
        .env("XELB_SOCKET", "nobody.sock")
        .env_remove("XELB_LOG")
        .output()
        .unwrap()
}

#[test]
fn exit_codes_are_as_documented() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("invalid.yaml"), INVALID).unwrap();
    fs::write(folder.path().join("valid.yaml"), VALID).unwrap();
    let cases: &[(&[&str], i32, &str)] = &[
        (&["--help"], 0, ""),
        (&["target", "drain", "--help"], 0, ""),
        (&["--version"], 0, ""),
        (&["completions", "bash"], 0, ""),
        (&["man"], 2, "--dir <DIR>"),
        (&["detach", "--bpffs", "nothing"], 0, ""),
        (&[], 2, "Usage: xelb <COMMAND>"),
        (&["frobnicate"], 2, "unrecognized subcommand 'frobnicate'"),
        (&["get"], 2, "<WHAT>"),
        (&["get", "tagrets"], 2, "invalid value 'tagrets'"),
        (&["get", "targets", "-o", "xml"], 2, "invalid value 'xml'"),
        (&["target", "add", "web"], 2, "<ADDRESS[:PORT]>"),
        (&["target", "add", "web", "ten"], 2, "for example 10.0.1.13"),
        (&["target", "weight", "web", "10.0.1.13", "many"], 2, "invalid value 'many'"),
        (&["agent", "--xdp-mode", "fast"], 2, "invalid value 'fast'"),
        (&["agent", "--metrics", "9900"], 2, "--metrics <ADDRESS:PORT>"),
        (&["agent", "--config", "x.yaml", "--state-dir", "x"], 2, "cannot be used with"),
        (&["agent", "--config", "invalid.yaml"], 2, "invalid.yaml:2: lisseners: unknown key"),
        (&["apply", "-f", "invalid.yaml"], 2, "did you mean `listeners`?"),
        (&["apply", "-f", "missing.yaml"], 2, "missing.yaml"),
        (&["apply", "-f", "valid.yaml"], 1, "error: no agent answers at nobody.sock;"),
        (&["status"], 1, "error: no agent answers at nobody.sock;"),
        (&["status", "--socket", "other.sock"], 1, "error: no agent answers at other.sock;"),
        (&["stats"], 1, "no agent answers"),
        (&["get", "targets"], 1, "no agent answers"),
        (&["target", "drain", "web", "10.0.1.13"], 1, "no agent answers"),
        (&["doctor", "target", "--help"], 0, ""),
        (&["doctor"], 2, "name them: xelb doctor --interface eth0"),
        (&["doctor", "--interface", "no-such-if"], 2, "interface no-such-if does not exist"),
        (&["doctor", "target"], 2, "--vip <ADDRESS>"),
        (&["doctor", "target", "--vip", "ten"], 2, "invalid value 'ten'"),
        (&["doctor", "target", "--vip", "10.9.9.9", "--mode", "mail"], 2, "invalid value 'mail'"),
        (&["doctor", "target", "--vip", "10.9.9.9", "--interface", "x"], 2, "x does not exist"),
    ];
    for (arguments, code, says) in cases {
        let output = xelb(folder.path(), arguments);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(*code), "{arguments:?}: {stderr}");
        assert!(stderr.contains(says), "{arguments:?}: {stderr}");
        assert_eq!(stderr.is_empty(), *code == 0, "errors, and only they, say something there");
        assert_eq!(output.stdout.is_empty(), *code != 0, "{arguments:?}");
    }
}

#[test]
fn a_cause_is_said_once() {
    let folder = tempfile::tempdir().unwrap();
    let output = xelb(folder.path(), &["status"]);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(stderr.matches("No such file").count(), 1, "{stderr}");
}

#[test]
fn a_log_that_is_no_terminal_has_no_colours() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), "").unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_xelb"))
        .args(["agent", "--config", "file", "--socket", "file"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert!(!output.stderr.contains(&0x1b), "{}", String::from_utf8_lossy(&output.stderr));
}
