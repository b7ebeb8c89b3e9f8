//! Exit codes and outputs of the binary, without an agent.

mod fake_agent;

use std::{
    fs,
    os::unix::net::UnixListener,
    path::Path,
    process::{Command, Output},
    time::{Duration, Instant},
};

const INVALID: &str = "interfaces: [eth0]\nlisseners: []\n";
const VALID: &str = "interfaces: [eth0]\n";

fn xelb(folder: &Path, arguments: &[&str]) -> Output {
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
    fs::write(folder.path().join("a.yaml"), VALID).unwrap();
    fs::create_dir(folder.path().join("empty.d")).unwrap();
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
        (&["target", "add", "web", "a..b"], 2, "for example 10.0.1.13"),
        (&["target", "weight", "web", "10.0.1.13", "many"], 2, "invalid value 'many'"),
        (&["agent", "--xdp-mode", "fast"], 2, "invalid value 'fast'"),
        (&["agent", "--metrics", "9900"], 2, "--metrics <ADDRESS:PORT>"),
        (&["agent", "--config", "x.yaml", "--state-dir", "x"], 2, "x.yaml: cannot read the file"),
        (&["apply", "-f", "valid.yaml", "--if-revision", "x"], 2, "invalid value 'x'"),
        (&["rollback", "last"], 2, "invalid value 'last'"),
        (&["rollback", "1"], 1, "no agent answers"),
        (&["diff", "1", "2", "-o", "yaml"], 1, "no agent answers"),
        (&["agent", "--config", "invalid.yaml"], 2, "invalid.yaml:2:1: lisseners: unknown key"),
        (&["apply", "-f", "invalid.yaml"], 2, "did you mean `listeners`?"),
        (&["validate", "-f", "valid.yaml"], 0, ""),
        (&["validate", "-f", "valid.yaml", "-o", "json"], 0, ""),
        (&["validate", "-f", "invalid.yaml"], 2, "invalid.yaml:2:1: lisseners: unknown key"),
        (&["validate", "-f", "missing.yaml"], 2, "missing.yaml: cannot read the file: No such"),
        (&["validate", "-f", "empty.d"], 2, "empty.d: is a directory without a configuration"),
        (&["validate", "."], 2, "./invalid.yaml:1:1: interfaces: is set in ./a.yaml:1, too"),
        (&["validate", "valid.yaml"], 0, ""),
        (&["validate", "valid.yaml", "-f", "valid.yaml"], 2, "cannot be used with"),
        (&["validate"], 2, "<PATH>"),
        (&["import"], 2, "<FORMAT>"),
        (&["import", "ipvs", "missing.txt"], 2, "missing.txt: cannot read the file: No such"),
        (&["import", "keepalived", "."], 2, ".: is a directory; name a file in it"),
        (&["import", "keepalived", "valid.yaml"], 2, "valid.yaml: there is no block of keepalived"),
        (&["import", "ipvs", "-"], 2, "(standard input): there is no rule"),
        (&["schema"], 0, ""),
        (&["apply", "-f", "missing.yaml"], 2, "missing.yaml"),
        (&["apply", "-f", "valid.yaml"], 1, "error: no agent answers at nobody.sock;"),
        (&["status"], 1, "error: no agent answers at nobody.sock;"),
        (&["status", "--socket", "other.sock"], 1, "error: no agent answers at other.sock;"),
        (&["stats"], 1, "no agent answers"),
        (&["get", "targets"], 1, "no agent answers"),
        (&["target", "drain", "web", "10.0.1.13"], 1, "no agent answers"),
        (&["doctor", "target", "--help"], 0, ""),
        (&["doctor"], 2, "name the interfaces: xelb doctor --interface eth0"),
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

/// Exit code, standard output and error output of `xelb validate` for each file.
#[test]
fn validate_reports_counts_or_errors() {
    let folder = tempfile::tempdir().unwrap();
    let group = "{ name: web, protocol: tcp, port: 80, forwarding: ipip, health_check: { via: \
                 address }";
    for (name, text, code, stdout, stderr) in [
        (
            "two",
            format!(
                "interfaces: [lo]\ntarget_groups:\n  - {group}, targets: [{{ address: 10.0.1.11 }}, \
                 {{ address: 10.0.1.12 }}] }}\n"
            ),
            0,
            "two is valid: 0 listeners, 1 target group, 2 targets\n",
            "",
        ),
        (
            "empty",
            format!("interfaces: [lo]\ntarget_groups:\n  - {group} }}\n"),
            0,
            "empty is valid: 0 listeners, 1 target group, 0 targets\n",
            "empty:3:5: warning: target_groups[0]: target group web has no targets: its packets are \
             dropped\n",
        ),
        (
            "wrong",
            "interfaces: [eth0, eth0]\nicmp: { rate: 0, ecko_reply: 1 }\n".to_owned(),
            2,
            "",
            "wrong:1:20: interfaces[1]: interface eth0 is named twice\n\
             wrong:2:15: icmp.rate: 0 is not a whole number from 1 to 1000000\n\
             wrong:2:18: icmp.ecko_reply: unknown key; did you mean `echo_reply`?\n",
        ),
    ] {
        fs::write(folder.path().join(name), text).unwrap();
        let output = xelb(folder.path(), &["validate", "-f", name]);
        let said = |bytes| String::from_utf8(bytes).unwrap();
        assert_eq!(said(output.stdout), stdout, "{name}");
        assert_eq!(said(output.stderr), stderr, "{name}");
        assert_eq!(output.status.code(), Some(code), "{name}");
    }
}

#[test]
fn files_and_interfaces_of_the_balancer_may_be_missing_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("xelb.yaml");
    let checked = |text: &str, options: &[&str]| {
        fs::write(&path, text).unwrap();
        let output = xelb(folder.path(), &[&["validate", "-f", "xelb.yaml"], options].concat());
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let elsewhere: &[&str] = &["--not-this-host", "--strict"];
    let (code, said) = checked("interfaces: [xelb-none0]\n", &["--strict"]);
    assert_eq!(code, Some(2), "{said}");
    assert_eq!(checked("interfaces: [xelb-none0]\n", elsewhere), (Some(0), String::new()));
    let with_file = "interfaces: [eth0]\nhash_seed_file: /nowhere/seed\n";
    let (code, said) = checked(with_file, &[]);
    assert!(code == Some(2) && said.contains("/nowhere/seed"), "{said}");
    assert_eq!(checked(with_file, elsewhere), (Some(0), String::new()));
    let (code, said) = checked(INVALID, elsewhere);
    assert!(code == Some(2) && said.contains("lisseners: unknown key"), "{said}");
}

#[test]
fn validate_speaks_json() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("invalid.yaml"), INVALID).unwrap();
    fs::write(folder.path().join("empty.yaml"), "").unwrap();
    let remark = |line: Option<u32>, path: &str, message: &str| {
        let column = line.map(|_| 1);
        serde_json::json!({
            "file": null, "line": line, "column": column, "path": path, "message": message,
        })
    };
    for (name, mut error) in [
        ("invalid.yaml", remark(Some(2), "lisseners", "unknown key; did you mean `listeners`?")),
        (
            "empty.yaml",
            remark(None, "", "`interfaces` is missing; for example `interfaces: [eth0]`"),
        ),
    ] {
        let output = xelb(folder.path(), &["validate", "-f", name, "-o", "json"]);
        assert_eq!((output.status.code(), output.stderr), (Some(2), Vec::new()), "{name}");
        let said: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        error["file"] = name.into();
        let expected = serde_json::json!({
            "file": name, "valid": false, "listeners": 0, "target_groups": 0, "targets": 0,
            "errors": [error], "warnings": [],
        });
        assert_eq!(said, expected);
    }
}

/// What is printed is what is checked in.
#[test]
fn the_schema_is_printed() {
    let output = xelb(Path::new("."), &["schema"]);
    assert_eq!(output.stdout, include_bytes!("../../docs/xelb.schema.json"));
}

#[test]
fn a_cause_is_reported_once() {
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

#[test]
fn import_prints_a_configuration_and_counts_remarks() {
    let folder = tempfile::tempdir().unwrap();
    let rules = "-A -t 203.0.113.10:80 -s rr\n-a -t 203.0.113.10:80 -r 10.0.1.11:80 -g -w 1\n";
    fs::write(folder.path().join("rules"), rules).unwrap();
    let output = xelb(folder.path(), &["import", "ipvs", "rules", "--interface", "lo"]);
    let said = |bytes| String::from_utf8(bytes).unwrap();
    let stderr = said(output.stderr);
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    assert!(
        stderr.starts_with(
            "rules: 2 remarks in the result: needs a hand 0, differs 2, no counterpart 0"
        ),
        "{stderr}"
    );
    fs::write(folder.path().join("made.yaml"), &output.stdout).unwrap();
    let output = xelb(folder.path(), &["validate", "-f", "made.yaml"]);
    assert_eq!(said(output.stdout), "made.yaml is valid: 1 listener, 1 target group, 1 target\n");
    let two = ["import", "ipvs", "rules", "--address", "10.0.0.1", "--address", "10.0.0.2"];
    let output = xelb(folder.path(), &two);
    assert_eq!(output.status.code(), Some(2));
    assert!(said(output.stderr).starts_with("--address: a listener has one VIP"));
    // What the user gives is an error, not a remark.
    let output = xelb(folder.path(), &["import", "ipvs", "rules", "--interface", "a/b"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(said(output.stderr).contains("interfaces[0]"));
}

/// What a shell is told for the last of these words, and whether that was quick and silent.
fn completed(folder: &Path, line: &str) -> Vec<String> {
    let words: Vec<&str> = line.split(' ').collect();
    let begun = Instant::now();
    let output = Command::new(env!("CARGO_BIN_EXE_xelb"))
        .arg("--")
        .args(&words)
        .current_dir(folder)
        .env("XELB_COMPLETE", "bash")
        .env("_CLAP_COMPLETE_INDEX", (words.len() - 1).to_string())
        .env("_CLAP_IFS", "\n")
        .env("XDG_CONFIG_HOME", folder)
        .env("XELB_SOCKET", "agent.sock")
        .output()
        .unwrap();
    assert!(begun.elapsed() < Duration::from_secs(5), "{line}: {:?}", begun.elapsed());
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{line}");
    assert!(output.status.success(), "{line}: {:?}", output.status);
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().filter(|name| !name.starts_with('-')).map(str::to_owned).collect()
}

#[test]
fn names_are_completed_from_the_agent() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("xelb")).unwrap();
    let contexts = folder.path().join("xelb/contexts.yaml");
    let text = "contexts: { lb1: { socket: /run/a.sock }, lb2: { socket: agent.sock } }\n";
    fs::write(&contexts, text).unwrap();
    fs::set_permissions(&contexts, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    fake_agent::start(&folder.path().join("agent.sock"));
    for (line, expected) in [
        ("xelb get targets ", &["web", "web/10.0.1.11"][..]),
        ("xelb get listeners w", &["web"]),
        ("xelb get targets x", &[]),
        ("xelb target drain web/", &["web/10.0.1.11"]),
        ("xelb target drain web ", &["10.0.1.11"]),
        ("xelb describe target w", &["web/10.0.1.11"]),
        ("xelb describe tar", &["target-group", "target"]),
        ("xelb delete tg w", &["web"]),
        ("xelb get targets --context lb", &["lb1", "lb2"]),
        ("xelb --context lb2 get targets web/", &["web/10.0.1.11"]),
        ("xelb get targets --socket none.sock w", &[]),
        ("xelb target dr", &["drain"]),
    ] {
        let mut found = completed(folder.path(), line);
        found.sort();
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        assert_eq!(found, expected, "{line}");
    }
}

#[test]
fn completion_without_an_agent_is_silent_and_ends() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(completed(folder.path(), "xelb get targets w"), [""; 0]);
    // One that takes connections and says nothing.
    let _listener = UnixListener::bind(folder.path().join("agent.sock")).unwrap();
    let begun = Instant::now();
    assert_eq!(completed(folder.path(), "xelb get targets w"), [""; 0]);
    assert!(begun.elapsed() >= Duration::from_secs(1), "it has been asked");
    // A token that never comes: a FIFO.
    let fifo = folder.path().join("token");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let line = "xelb get targets --server https://127.0.0.1:1 --token-file token w";
    assert_eq!(completed(folder.path(), line), [""; 0]);
}
