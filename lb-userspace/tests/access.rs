//! Options that say who may use the API: what is wrong with them is said before anything changes.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Output},
};

use rcgen::{CertificateParams, KeyPair};

fn xelb(folder: &Path, arguments: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_xelb"))
        .args(arguments.split_whitespace())
        .current_dir(folder)
        .env("XELB_SOCKET", "xelb.sock")
        .env_remove("XELB_LOG")
        .env_remove("XELB_TOKEN")
        .output()
        .unwrap()
}

fn write(folder: &Path, name: &str, mode: u32, text: &str) {
    fs::write(folder.join(name), text).unwrap();
    fs::set_permissions(folder.join(name), Permissions::from_mode(mode)).unwrap();
}

/// A certificate and its key, tokens files good and bad.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let path = folder.path();
    write(path, "cert.pem", 0o644, &params.self_signed(&key).unwrap().pem());
    write(path, "key.pem", 0o600, &key.serialize_pem());
    write(path, "open.pem", 0o644, &key.serialize_pem());
    let line = "alice read e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n";
    write(path, "tokens", 0o600, line);
    write(path, "open-tokens", 0o604, line);
    write(path, "bad-tokens", 0o600, &format!("{line}bob admin 00\n"));
    write(path, "cert-tokens", 0o600, "cert:alice read\n");
    write(path, "empty", 0o600, "# nobody\n");
    write(path, "invalid.yaml", 0o644, "lisseners: []\n");
    folder
}

#[test]
fn wrong_access_of_an_agent_is_wrong_usage() {
    let tls = "--tls-cert cert.pem --tls-key key.pem";
    let listen = "agent --listen 127.0.0.1:0";
    expect_wrong_usage(&[
        (listen.to_owned(), "--tls-cert <FILE>\n  --tls-key <FILE>\n  --tokens <FILE>"),
        (format!("{listen} {tls}"), "--tokens <FILE>"),
        (format!("{listen} {tls} --tls-client-ca cert.pem"), "--tokens <FILE>"),
        (format!("{listen} --tokens tokens"), "--tls-cert <FILE>"),
        (format!("{listen} --tls-cert cert.pem --tokens tokens"), "--tls-key <FILE>"),
        (format!("agent {tls} --tokens tokens"), "--listen <ADDRESS:PORT>"),
        ("agent --tokens tokens".to_owned(), "--listen <ADDRESS:PORT>"),
        ("agent --listen localhost:1".to_owned(), "invalid value 'localhost:1'"),
        (format!("{listen} {tls} --tokens missing"), "cannot read missing"),
        (format!("{listen} {tls} --tokens open-tokens"), "open-tokens has mode 0604: others may"),
        (format!("{listen} {tls} --tokens bad-tokens"), "line 2: `admin` is not a role"),
        (format!("{listen} {tls} --tokens cert-tokens"), "add --tls-client-ca FILE"),
        (format!("{listen} {tls} --tokens empty"), "empty: the file has no lines; `xelb"),
        (
            format!("{listen} --tls-cert cert.pem --tls-key open.pem --tokens tokens"),
            "open.pem has mode 0644",
        ),
        (
            format!("{listen} --tls-cert key.pem --tls-key key.pem --tokens tokens"),
            "key.pem has no certificate (PEM)",
        ),
        (
            format!("{listen} {tls} --tls-client-ca empty --tokens tokens"),
            "--tls-client-ca: empty has no certificate",
        ),
        ("agent --read-socket read.sock".to_owned(), "--read-group <GROUP>"),
        ("agent --read-group root".to_owned(), "--read-socket <PATH>"),
        (
            "agent --read-socket read.sock --read-group no-such-group".to_owned(),
            "no group `no-such-group`; create it with `groupadd --system no-such-group`",
        ),
        (
            "agent --socket-group no-such-group".to_owned(),
            "--socket-group: there is no group `no-such-group`",
        ),
        (
            "agent --read-socket xelb.sock --read-group root".to_owned(),
            "--read-socket and --socket are both xelb.sock",
        ),
    ]);
}

#[test]
fn wrong_access_of_a_client_is_wrong_usage() {
    expect_wrong_usage(&[
        ("token alice".to_owned(), "<ROLE>"),
        ("token alice root".to_owned(), "`root` is not a role; use `read`, `proxy`, `operate`"),
        ("token a:b read".to_owned(), "use up to 64 letters"),
        ("status --server http://localhost:1".to_owned(), "is not https://HOST:PORT"),
        ("status --server localhost".to_owned(), "is not https://HOST:PORT"),
        ("status --client-cert cert.pem".to_owned(), "--client-key <FILE>"),
        ("target drain web 10.0.1.13 --client-key key.pem".to_owned(), "--client-cert <FILE>"),
        ("detach --server https://localhost:1".to_owned(), "`xelb detach` works on this host: it"),
        (
            "doctor --server https://localhost:1 --interface eth0".to_owned(),
            "looks at its own interfaces: leave --interface out",
        ),
        (
            "doctor target --vip 10.0.0.1 --server https://localhost:1".to_owned(),
            "`xelb doctor target` works on this host",
        ),
        ("status --server https://localhost:1 --ca missing".to_owned(), "cannot read missing"),
        (
            "status --server https://localhost:1 --ca cert.pem --token-file open.pem".to_owned(),
            "open.pem has mode 0644",
        ),
    ]);
}

/// These arguments exit with 2, say something, and begin nothing.
fn expect_wrong_usage(cases: &[(String, &str)]) {
    let folder = folder();
    for (arguments, says) in cases {
        // A configuration that is wrong, too, would be said otherwise.
        let rest = if arguments.starts_with("agent") { " --config invalid.yaml" } else { "" };
        let output = xelb(folder.path(), &format!("{arguments}{rest}"));
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments}: {stderr}");
        assert!(stderr.contains(says), "{arguments}: {stderr}");
        assert!(output.stdout.is_empty(), "{arguments}");
        assert!(!folder.path().join("xelb.sock").exists(), "{arguments}");
    }
}

#[test]
fn a_remote_agent_that_is_not_there_is_a_failure() {
    let folder = folder();
    // The listener on this port was just closed.
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for command in [
        "status",
        "get targets",
        "target drain web 10.0.1.13",
        "target drain web 10.0.1.13 --client-cert cert.pem --client-key key.pem",
    ] {
        let output =
            xelb(folder.path(), &format!("{command} --server https://{address} --ca cert.pem"));
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{command}: {stderr}");
        let wanted = format!("error: no agent answers at https://{address}; does `xelb agent`");
        assert!(stderr.starts_with(&wanted), "{command}: {stderr}");
    }
}

#[test]
fn a_token_and_its_line_belong_together() {
    let folder = tempfile::tempdir().unwrap();
    let print = || {
        let output = xelb(folder.path(), "token alice operate");
        assert_eq!(output.status.code(), Some(0));
        String::from_utf8(output.stdout).unwrap()
    };
    let text = print();
    let (token, line) = text.split_once('\n').unwrap();
    let token = token.strip_prefix("token: xelb_").unwrap();
    let hex = |text: &str| text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit());
    assert!(hex(token), "{text}");
    let digest = line.trim_end().strip_prefix("line:  alice operate ").unwrap();
    assert!(hex(digest) && digest != token, "{text}");
    assert_ne!(text, print());
}
