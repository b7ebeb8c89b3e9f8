//! The API from other hosts and for other users, with the real agent and the real command line.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};
use lb_tests::{
    Lab, Xelb,
    agent::{SOCKET, configuration_path},
    process::Finished,
    wait,
};
use nix::sys::signal::Signal;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use serde_json::Value;

use crate::scene::{
    LIMIT, WEB, fails, in_lab, run, run_program, says, start, state_dir_arguments, write,
};

/// Where the agent listens for TLS.
pub(crate) const SERVER: &str = "https://127.0.0.1:7443";

/// Somebody who is neither root nor in root's group.
const NOBODY: u32 = 65_534;

/// An authority and the files that it makes, in one folder.
pub(crate) struct Files {
    folder: PathBuf,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Files {
    pub(crate) fn new(folder: PathBuf) -> Result<Self> {
        fs::create_dir_all(&folder)?;
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        fs::write(folder.join("ca.pem"), issuer.pem())?;
        Ok(Self { folder, issuer })
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    pub(crate) fn private(&self, name: &str, text: &str) -> Result<()> {
        fs::write(self.folder.join(name), text)?;
        Ok(fs::set_permissions(self.folder.join(name), Permissions::from_mode(0o600))?)
    }

    /// Makes `NAME.crt` and `NAME.key`.
    pub(crate) fn sign(&self, name: &str) -> Result<()> {
        let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()])?;
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate()?;
        fs::write(self.path(&format!("{name}.crt")), params.signed_by(&key, &self.issuer)?.pem())?;
        self.private(&format!("{name}.key"), &key.serialize_pem())
    }

    /// Makes a token with the program; keeps it in a file, and returns its line.
    pub(crate) fn token(&self, lab: &Lab, xelb: &Xelb, name: &str, role: &str) -> Result<String> {
        let text = run(lab, xelb, &["token", name, role])?.success()?;
        let part = |start| text.lines().find_map(|line| line.strip_prefix(start));
        self.private(name, part("token: ").context("no token")?)?;
        Ok(format!("{}\n", part("line:  ").context("no line")?))
    }
}

/// Arguments of an agent with every door.
pub(crate) fn arguments(lab: &Lab, files: &Files) -> Vec<String> {
    let mut all = state_dir_arguments(lab);
    let (cert, key) = (files.path("agent.crt"), files.path("agent.key"));
    let (ca, tokens) = (files.path("ca.pem"), files.path("tokens"));
    let group = NOBODY.to_string();
    let read = read_socket(lab).display().to_string();
    all.extend(
        [
            ["--listen", "127.0.0.1:7443"],
            ["--tls-cert", &cert],
            ["--tls-key", &key],
            ["--tls-client-ca", &ca],
            ["--tokens", &tokens],
            ["--read-socket", &read],
            ["--read-group", &group],
        ]
        .concat()
        .into_iter()
        .map(str::to_owned),
    );
    all
}

pub(crate) fn read_socket(lab: &Lab) -> PathBuf {
    lab.directory().join("read.sock")
}

/// A command over TLS with a user's token.
fn by_token(lab: &Lab, xelb: &Xelb, files: &Files, name: &str, words: &str) -> Result<Finished> {
    let (ca, file) = (files.path("ca.pem"), files.path(name));
    let mut all: Vec<&str> = words.split(' ').collect();
    all.extend(["--server", SERVER, "--ca", &ca, "--token-file", &file]);
    run(lab, xelb, &all)
}

/// Subjects, checks and severities of findings; numbers in them differ from one look to the next.
fn checks(findings: &str) -> Result<Vec<[Value; 3]>> {
    let findings: Vec<Value> = serde_json::from_str(findings)?;
    let checks =
        findings.iter().map(|one| ["subject", "check", "severity"].map(|key| one[key].clone()));
    Ok(checks.collect())
}

#[test]
fn the_command_line_reaches_an_agent_over_tls_as_far_as_it_may() -> Result<()> {
    in_lab(|lab, xelb| {
        let files = Files::new(lab.directory().join("tls"))?;
        for name in ["agent", "carol", "stranger"] {
            files.sign(name)?;
        }
        let alice = files.token(lab, xelb, "alice", "operate")?;
        let bob = files.token(lab, xelb, "bob", "configure")?;
        files.private("tokens", &format!("{alice}{bob}cert:carol read\n"))?;
        let agent = start(lab, xelb, &arguments(lab, &files))?;
        write(lab, WEB)?;
        let apply = format!("apply -f {}", configuration_path(lab).display());

        let refused = by_token(lab, xelb, &files, "alice", &apply)?;
        fails(&refused, 1, &["this needs the role `configure`, and alice has `operate`"])?;
        by_token(lab, xelb, &files, "bob", &apply)?.success()?;
        xelb.wait_healthy(lab, 2, LIMIT)?;
        let drain = "target drain web 10.0.0.12";
        by_token(lab, xelb, &files, "alice", drain)?.success()?;

        let ca = files.path("ca.pem");
        let by_certificate = |name: &str, words: &str| {
            let (certificate, key) =
                (files.path(&format!("{name}.crt")), files.path(&format!("{name}.key")));
            let mut all: Vec<&str> = words.split(' ').collect();
            all.extend(["--server", SERVER, "--ca", &ca]);
            all.extend(["--client-cert", &certificate, "--client-key", &key]);
            run(lab, xelb, &all)
        };
        let targets = by_certificate("carol", "get targets")?.success()?;
        ensure!(targets.contains("draining"), "{targets}");
        fails(&by_certificate("carol", drain)?, 1, &["and carol has `read`"])?;
        // The agent looks at its host in the same way as the command does there.
        let there = by_certificate("carol", "doctor -o json")?;
        let here = run(lab, xelb, &["doctor", "-o", "json"])?;
        ensure!(there.status.code() == here.status.code(), "{there:?} {here:?}");
        let (there, here) = (checks(&there.stdout)?, checks(&here.stdout)?);
        ensure!(there == here && there.len() > 10, "{there:?}\n{here:?}");
        fails(&by_certificate("stranger", "status")?, 1, &["\"stranger\" has no role"])?;
        let nobody = run(lab, xelb, &["status", "--server", SERVER, "--ca", &ca])?;
        fails(&nobody, 1, &["not permitted: no credential"])?;
        let believed = run(lab, xelb, &["status", "--server", SERVER])?;
        ensure!(!believed.status.success(), "it believes anybody: {}", believed.stdout);

        // Alice leaves, and the certificate is a new one: a signal is enough.
        files.private("tokens", &format!("{bob}cert:carol read\n"))?;
        files.sign("agent")?;
        agent.signal(Signal::SIGHUP)?;
        wait::until("alice is nobody", LIMIT, || {
            let finished = by_token(lab, xelb, &files, "alice", "status");
            let finished = finished.map_err(|error| error.to_string())?;
            let unknown = finished.stderr.contains("unknown token");
            if unknown { Ok(()) } else { Err(finished.stderr) }
        })?;
        by_token(lab, xelb, &files, "bob", "status")?.success()?;
        let parts = ["certificate and tokens reloaded", "is refused: unknown token"];
        // Lines are written by a thread of their own.
        wait::until("the log says so", LIMIT, || {
            let log = fs::read_to_string(lab.log("agent")).map_err(|error| error.to_string())?;
            if parts.iter().all(|part| log.contains(part)) { Ok(()) } else { Err(log) }
        })?;
        let log = fs::read_to_string(lab.log("agent"))?;
        ensure!(!log.contains("xelb_"), "a token is in the log:\n{log}");
        Ok(())
    })
}

/// A command as a user who is only in this group.
fn as_user(lab: &Lab, xelb: &Xelb, group: u32, socket: &Path, words: &str) -> Result<Finished> {
    let (user, group) = (NOBODY.to_string(), group.to_string());
    let (program, socket) = (xelb.program().display().to_string(), socket.display().to_string());
    let mut all = vec!["--reuid", &user, "--regid", &group, "--clear-groups", &program];
    all.extend(words.split(' '));
    all.extend(["--socket", &socket]);
    run_program(lab, "setpriv", &all)
}

#[test]
fn the_read_socket_permits_its_group_only_reads() -> Result<()> {
    in_lab(|lab, xelb| {
        let files = Files::new(lab.directory().join("tls"))?;
        files.sign("agent")?;
        let line = files.token(lab, xelb, "alice", "operate")?;
        files.private("tokens", &line)?;
        let mut agent = start(lab, xelb, &arguments(lab, &files))?;
        fs::set_permissions(lab.directory(), Permissions::from_mode(0o755))?;
        let (read, main) = (read_socket(lab), PathBuf::from(SOCKET));
        as_user(lab, xelb, NOBODY, &read, "status")?.success()?;
        let drain = "target drain web 10.0.0.11";
        let refused = as_user(lab, xelb, NOBODY, &read, drain)?;
        fails(&refused, 1, &["needs the role `operate`", "(uid 65534) has `read`"])?;
        let parts = ["not permitted to use"];
        fails(&as_user(lab, xelb, 4711, &read, "status")?, 1, &parts)?;
        fails(&as_user(lab, xelb, NOBODY, &main, "status")?, 1, &parts)?;
        // Root, too, can only look there.
        let by_root = format!("{drain} --socket {}", read.display());
        let by_root: Vec<&str> = by_root.split(' ').collect();
        fails(&run(lab, xelb, &by_root)?, 1, &["root (uid 0) has `read`"])?;
        says(lab, xelb, "status")?;

        agent.signal(Signal::SIGTERM)?;
        agent.wait(LIMIT)?;
        ensure!(!read.exists() && !main.exists(), "a socket is left behind");
        Ok(())
    })
}

/// The files of a configuration are those of the host of the agent: the client looks for none, and the agent
/// says which one it cannot use.
#[test]
fn files_of_a_configuration_are_looked_for_by_the_remote_agent() -> Result<()> {
    in_lab(|lab, xelb| {
        let files = Files::new(lab.directory().join("tls"))?;
        files.sign("agent")?;
        files.sign("carol")?;
        let bob = files.token(lab, xelb, "bob", "configure")?;
        files.private("tokens", &bob)?;
        let _agent = start(lab, xelb, &arguments(lab, &files))?;
        let seed = files.path("seed");
        write(lab, &format!("hash_seed_file: {seed}\n{WEB}"))?;
        let path = configuration_path(lab).display().to_string();
        let previewed = by_token(lab, xelb, &files, "bob", &format!("apply -f {path} --dry-run"))?;
        let note = "note: the files that it names are on the host of the agent";
        ensure!(previewed.stderr.contains(note), "{}", previewed.stderr);
        previewed.success()?;
        let refused = by_token(lab, xelb, &files, "bob", &format!("apply -f {path}"))?;
        fails(&refused, 2, &["error: hash_seed_file: "])?;
        // Only whoever reads the file knows its lines.
        ensure!(!refused.stderr.contains("xelb.yaml"), "{}", refused.stderr);
        let compared = by_token(lab, xelb, &files, "bob", &format!("diff -f {path}"))?.success()?;
        ensure!(compared.contains("+ hash_seed_file: "), "{compared}");
        // On the host of the agent, the place is known.
        fails(&run(lab, xelb, &["apply", "-f", &path])?, 2, &["xelb.yaml:1:", "hash_seed_file"])?;
        files.private("seed", "00112233445566778899aabbccddeeff\n")?;
        by_token(lab, xelb, &files, "bob", &format!("apply -f {path}"))?.success()?;
        Ok(())
    })
}
