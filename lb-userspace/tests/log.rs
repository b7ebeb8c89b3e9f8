//! The log of the binary: on a terminal, in the journal, for programs.

use std::{
    fs::{self, File},
    os::unix::{fs::MetadataExt as _, net::UnixDatagram},
    path::Path,
    process::{Command, ExitStatus, Stdio},
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

const LIMIT: Duration = Duration::from_secs(20);

/// Where the error output goes, and whether that is the journal.
fn command(folder: &Path, journal: bool) -> Command {
    let path = folder.join("stderr");
    let file = File::create(&path).unwrap();
    let data = file.metadata().unwrap();
    let inode = if journal { data.ino() } else { data.ino() + 1 };
    let mut command = Command::new(env!("CARGO_BIN_EXE_xelb"));
    command
        .current_dir(folder)
        .env("JOURNAL_STREAM", format!("{}:{inode}", data.dev()))
        .env_remove("XELB_LOG")
        .env_remove("XELB_LOG_FORMAT")
        .stdout(Stdio::null())
        .stderr(file);
    command
}

fn stderr(folder: &Path) -> String {
    fs::read_to_string(folder.join("stderr")).unwrap()
}

#[test]
fn the_last_words_have_the_form_of_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let invalid = "interfaces: eth0\nlisseners: []\n";
    fs::write(folder.path().join("x.yaml"), invalid).unwrap();
    // Format, journal, how a line begins; every line for text, the only one for JSON.
    let cases = [
        (None, false, "x.yaml:"),
        (None, true, "<3>x.yaml:"),
        (Some("json"), false, "{"),
        (Some("json"), true, "<3>{"),
    ];
    for (format, journal, start) in cases {
        let mut xelb = command(folder.path(), journal);
        if let Some(format) = format {
            xelb.env("XELB_LOG_FORMAT", format);
        }
        // The filter of the log is not for the reason of the end.
        let status = xelb.args(["agent", "--config", "x.yaml"]).env("XELB_LOG", "off").status();
        let text = stderr(folder.path());
        assert_eq!(status.unwrap().code(), Some(2), "{text}");
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), if format.is_some() { 1 } else { 2 }, "{text}");
        assert!(lines.iter().all(|line| line.starts_with(start)), "{start}: {text}");
    }
}

/// Runs an agent that has nothing to do until it is ready, and ends it.
fn idle_agent(folder: &Path, journal: bool, format: &str) -> (ExitStatus, String) {
    let ready = UnixDatagram::bind(folder.join("notify")).unwrap();
    ready.set_read_timeout(Some(LIMIT)).unwrap();
    let mut agent = command(folder, journal)
        .args(["agent", "--state-dir", "state", "--bpffs", "bpffs", "--socket", "socket"])
        .args(["--log-format", format])
        .env("NOTIFY_SOCKET", folder.join("notify"))
        .spawn()
        .unwrap();
    let mut buffer = [0; 1024];
    let length = ready.recv(&mut buffer).unwrap_or_else(|_| panic!("{}", stderr(folder)));
    assert!(buffer[..length].starts_with(b"READY=1\n"), "{buffer:?}");
    kill(Pid::from_raw(agent.id().try_into().unwrap()), Signal::SIGTERM).unwrap();
    (agent.wait().unwrap(), stderr(folder))
}

#[test]
fn an_agent_logs_in_the_form_that_was_asked_for() {
    for (format, journal) in [("text", false), ("text", true), ("json", false), ("json", true)] {
        let folder = tempfile::tempdir().unwrap();
        let (status, text) = idle_agent(folder.path(), journal, format);
        assert!(status.success(), "{text}");
        assert!(text.contains("stopped;"), "{text}");
        for line in text.lines() {
            let rest = line.strip_prefix("<6>");
            assert_eq!(rest.is_some(), journal, "{line}");
            let rest = rest.unwrap_or(line);
            if format == "json" {
                let object: serde_json::Value = serde_json::from_str(rest).unwrap();
                assert_eq!(object["level"], "INFO", "{line}");
                assert_eq!(object.get("timestamp").is_none(), journal, "{line}");
            } else {
                // The journal knows the time.
                let begins_with_time = rest.get(4..5) == Some("-") && rest.get(10..11) == Some("T");
                assert_eq!(!begins_with_time, journal, "{line}");
            }
        }
    }
}
