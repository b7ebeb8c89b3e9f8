//! Files with a configuration, and the files that one names.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    sync::mpsc,
    thread,
    time::Duration,
};

use nix::{sys::stat::Mode, unistd::mkfifo};

use super::*;

/// The least that is a configuration of one group and one listener.
const SMALL: &str = "interfaces: [eth0]
target_groups:
  - name: web
    protocol: tcp
    port: 80
    forwarding: ipip
    targets:
      - address: 10.0.1.11
listeners:
  - name: web
    address: 203.0.113.10
    port: 80
    protocol: tcp
    default_action: { forward: { target_group: web } }
";

/// A configuration whose health check says this.
fn text(check: &str) -> String {
    let (head, listeners) = SMALL.split_once("listeners:").unwrap();
    format!("{head}    health_check: {{ {check} }}\nlisteners:{listeners}")
}

fn document(text: &str) -> Document {
    config::parse(text, "").unwrap_or_else(|errors| panic!("{text}: {errors}")).0
}

fn file_error(path: &Path) -> String {
    let name = path.display().to_string();
    let message_of = load(path).unwrap_err().to_string();
    message_of.strip_prefix(&name).unwrap_or(&message_of).to_owned()
}

#[test]
fn a_good_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("xelb.yaml");
    fs::write(&path, SMALL).unwrap();
    let (document, config, warnings) = load(&path).unwrap();
    assert_eq!(config::validate(&document).unwrap().0, config);
    // One that says that checks do not take the path of packets.
    assert_eq!(warnings.len(), 1);
}

/// A directory with these files.
fn directory(files: &[(&str, &str)]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(directory.path().join(name), text).unwrap();
    }
    directory
}

#[test]
fn the_files_of_a_directory_are_one_configuration() {
    let (groups, listeners) = SMALL.split_once("listeners:").unwrap();
    let listeners = format!("listeners:{listeners}");
    let made = directory(&[
        ("20-listeners.yaml", &listeners),
        ("10-groups.yaml", groups),
        (".10-groups.yaml.swp", "x"),
        ("10-groups.yaml~", "x"),
        ("30-more.yml", "x"),
    ]);
    let (document, config, warnings) = load(made.path()).unwrap();
    assert_eq!(config::validate(&document).unwrap().0, config);
    assert_eq!(config, config::parse(SMALL, "").unwrap().1);
    let shown = made.path().join("30-more.yml").display().to_string();
    let last = warnings.last().unwrap().to_string();
    let why = "is not read: only files whose names end in .yaml are; rename it";
    assert_eq!(last, format!("{shown}: {why}"));
    assert_eq!(files_of(made.path()).len(), 2);
    let file = made.path().join("10-groups.yaml");
    assert_eq!(files_of(&file), Vec::<PathBuf>::new());
}

/// One file that cannot be used is enough, and all such files are named.
#[test]
fn every_unusable_file_of_a_directory_is_named() {
    let made = directory(&[("10-base.yaml", "interfaces: [eth0]\n"), ("20-bad.yaml", "a: [")]);
    let path = |name: &str| made.path().join(name);
    fs::write(path("30-latin.yaml"), b"# caf\xe9\n").unwrap();
    mkfifo(&path("40-pipe.yaml"), Mode::S_IRWXU).unwrap();
    fs::create_dir(path("50-folder.yaml")).unwrap();
    std::os::unix::fs::symlink("nothing", path("60-link.yaml")).unwrap();
    let shown = load(made.path()).unwrap_err().to_string();
    let shown = shown.replace(&format!("{}/", made.path().display()), "");
    assert_eq!(
        shown,
        "30-latin.yaml:1:6: is not UTF-8 text; save the file as UTF-8\n\
         40-pipe.yaml: is not a regular file\n\
         50-folder.yaml: is a directory; name a file in it\n\
         60-link.yaml: cannot read the file: No such file or directory (os error 2)"
    );
    for name in ["30-latin.yaml", "40-pipe.yaml", "60-link.yaml"] {
        fs::remove_file(path(name)).unwrap();
    }
    fs::remove_dir(path("50-folder.yaml")).unwrap();
    let shown = load(made.path()).unwrap_err().to_string();
    let bad = path("20-bad.yaml").display().to_string();
    assert!(shown.starts_with(&format!("{bad}:1:4: is not valid YAML")), "{shown}");
}

#[test]
fn the_files_of_a_directory_are_bounded() {
    let made = directory(&[]);
    let half = format!("{SMALL}{}", "#".repeat(9 << 20));
    for name in ["1.yaml", "2.yaml"] {
        fs::write(made.path().join(name), &half).unwrap();
    }
    let shown = load(made.path()).unwrap_err().to_string();
    assert!(shown.ends_with("2.yaml: with the files before it, is larger than 16 MiB"), "{shown}");
    let made = directory(&[]);
    for number in 0..=FILES_MAX {
        fs::write(made.path().join(format!("{number}.yaml")), "listeners: []\n").unwrap();
    }
    let shown = load(made.path()).unwrap_err().to_string();
    let wanted = ": has 257 files that end in .yaml, more than the maximum of 256";
    assert!(shown.ends_with(wanted), "{shown}");
}

#[test]
fn the_file_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("xelb.yaml");
    assert_eq!(
        file_error(&path),
        ": cannot read the file: No such file or directory (os error 2)",
        "missing"
    );
    let empty =
        "is a directory without a configuration: no file in it has a name that ends in .yaml";
    assert_eq!(file_error(dir.path()), format!(": {empty}"));
    assert_eq!(file_error(Path::new("/dev/zero")), ": is not a regular file");

    fs::write(&path, b"interfaces: [eth0]\n# caf\xe9\n").unwrap();
    assert_eq!(file_error(&path), ":2:6: is not UTF-8 text; save the file as UTF-8");
    fs::write(&path, [0xff, 0xfe, b'a', 0]).unwrap();
    assert_eq!(file_error(&path), ":1:1: is not UTF-8 text; save the file as UTF-8");

    fs::write(&path, "listeners: [").unwrap();
    assert!(file_error(&path).starts_with(":1:12: is not valid YAML"), "{}", file_error(&path));
}

#[test]
fn a_file_of_16_mib_is_read_and_no_larger_one() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("xelb.yaml");
    let mut text = SMALL.to_owned();
    let line = format!("#{}\n", "-".repeat(1022));
    text.push_str(&line.repeat((16 << 20) / 1024));
    text.truncate(16 << 20);
    fs::write(&path, &text).unwrap();
    load(&path).unwrap();
    text.push('-');
    fs::write(&path, &text).unwrap();
    assert_eq!(file_error(&path), ": is larger than 16 MiB");
}

/// Opening a named pipe waits for a writer, unless it is opened with `O_NONBLOCK`.
#[test]
fn a_pipe_is_not_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pipe");
    mkfifo(&path, Mode::S_IRWXU).unwrap();
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(file_error(&path)));
    let message_of = receiver.recv_timeout(Duration::from_secs(10));
    assert_eq!(message_of.as_deref(), Ok(": is not a regular file"));
}

/// What looking at the files says, within a time.
fn message_of(document: Document) -> String {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(check_named_files(&document, &Programs::Anywhere)));
    let message_of = receiver.recv_timeout(Duration::from_secs(10)).expect("no file is waited for");
    message_of.map_or_else(|errors| errors.to_string(), |()| String::new())
}

/// A preview must neither wait for a file nor reveal whether it exists.
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
            let checked = config::validate(&document(&text(&check)));
            assert!(checked.is_ok(), "{check}: {checked:?}");
        }
    }
}

#[test]
fn unusable_files_are_reported_without_waiting() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    mkfifo(&pipe, Mode::S_IRWXU).unwrap();
    for (path, says) in [
        (pipe.as_path(), "is not a regular file"),
        (Path::new("/dev/zero"), "is not a regular file"),
        (folder.path(), "is a directory"),
        (Path::new("/etc/passwd"), "has no certificate (PEM)"),
        (
            Path::new("/nonexistent/ca.pem"),
            "cannot read /nonexistent/ca.pem: No such file or directory (os error 2)",
        ),
    ] {
        let message_of =
            message_of(document(&text(&format!("protocol: https, verify: {}", path.display()))));
        let at = "target_groups[0].health_check.verify: ";
        assert!(
            message_of.starts_with(at) && message_of.contains(says),
            "{}: {message_of}",
            path.display()
        );
    }
    for (path, says) in [
        ("/etc/passwd", "command: /etc/passwd is not a program that can be executed"),
        ("/dev/zero", "command: /dev/zero is not a program that can be executed"),
        ("/nonexistent", "command: /nonexistent: No such file or directory (os error 2)"),
    ] {
        let message_of = message_of(document(&text(&format!("protocol: exec, command: [{path}]"))));
        assert_eq!(message_of, format!("target_groups[0].health_check.{says}"));
    }
    assert_eq!(message_of(document(&text("protocol: exec, command: [/bin/true]"))), "");
}

#[test]
fn a_seed_is_read_from_a_private_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("seed");
    for (text, mode, says) in [
        ("0123456789abcdef0123456789ABCDEF\n", 0o600, None),
        ("0123456789abcdef0123456789ABCDEF", 0o640, None),
        ("0123456789abcdef0123456789ABCDEF", 0o644, Some("others may not read it")),
        ("0123456789abcdef\n0123456789ABCDEF", 0o600, Some("must hold 32 hexadecimal digits")),
        ("", 0o600, Some("must hold 32 hexadecimal digits")),
    ] {
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        match (read_seed(&path), says) {
            (Ok(seed), None) => {
                assert_eq!(seed, [0x0123_4567_89ab_cdef; 2], "{text}");
            }
            (Err(error), Some(says)) => assert!(error.contains(says), "{text}: {error}"),
            (read, _) => panic!("{text}: {read:?}"),
        }
    }
}

/// What an agent refuses that runs no programs, or runs them from another directory.
#[test]
fn programs_are_refused_with_their_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("xelb.yaml");
    let text = text("protocol: exec\n      command: [/bin/true]\n").replace(
        "health_check: { protocol: exec\n      command: [/bin/true]\n }",
        "health_check:\n      protocol: exec\n      command: [/bin/true]",
    );
    fs::write(&path, &text).unwrap();
    let line = text.lines().position(|line| line.contains("command:")).unwrap() + 1;
    let at = format!("{}:{line}:16: target_groups[0].health_check.command:", path.display());
    let off = Limits { exec_checks: false, ..Limits::MOST };
    let elsewhere = Programs::In(folder.path().to_owned());
    let real = fs::canonicalize("/bin/true").unwrap();
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
                "/bin/true, which leads to {}, is not in {}, the directory that checks may run \
                 programs from: put it there, or set its directory (`--exec-checks DIR` of `xelb \
                 agent`)",
                real.display(),
                folder.path().display()
            ),
        ),
    ] {
        let errors = load_within(&path, &limits, &programs).unwrap_err();
        assert_eq!(errors.to_string().trim_end(), format!("{at} {says}"));
    }
    // A preview says so without a look at any file.
    let exec = document(&self::text("protocol: exec, command: [/x]"));
    let errors = config::validate_within(&exec, &off).unwrap_err();
    assert!(errors.to_string().contains("--exec-checks off"), "{errors}");
    assert!(load_within(&path, &Limits::MOST, &Programs::In("/".into())).is_ok());
}

#[test]
fn certificates_and_keys_are_looked_at() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, kind: &str| {
        let path = folder.path().join(name);
        fs::write(&path, format!("-----BEGIN {kind}-----\nAAAA\n-----END {kind}-----\n")).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        path
    };
    let certificate = file("shop.pem", "CERTIFICATE");
    let key = file("shop.key", "PRIVATE KEY");
    let path = folder.path().join("xelb.yaml");
    let says = |certificate: &Path, key: &Path| {
        let text = format!(
            "interfaces: [eth0]\n\
             target_groups: [{{ name: web, protocol: http, port: 80 }}]\n\
             listeners:\n\
             \u{20} - name: shop\n\
             \u{20}   address: 203.0.113.10\n\
             \u{20}   port: 443\n\
             \u{20}   protocol: https\n\
             \u{20}   certificates: [{{ certificate: {}, key: {} }}]\n\
             \u{20}   default_action: {{ forward: {{ target_group: web }} }}\n",
            certificate.display(),
            key.display()
        );
        fs::write(&path, text).unwrap();
        load(&path).map(drop).map_err(|errors| errors.to_string())
    };
    assert_eq!(says(&certificate, &key), Ok(()));
    let swapped = says(&key, &certificate).unwrap_err();
    assert!(swapped.contains("has a private key and no certificate: exchange"), "{swapped}");
    assert!(swapped.contains("has a certificate and no private key: exchange"), "{swapped}");
    assert!(swapped.contains("xelb.yaml:8:"), "{swapped}");
    fs::set_permissions(&key, Permissions::from_mode(0o644)).unwrap();
    assert!(says(&certificate, &key).unwrap_err().contains("others may not read it"));
}
