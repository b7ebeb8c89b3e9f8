//! Listeners of TLS from the document to the target: real processes, `openssl`, `curl` and Python.

use std::{fs, os::unix::fs::PermissionsExt as _, thread, time::Duration};

use anyhow::{Context as _, Result, ensure};
use lb_tests::{
    Lab, Process, Xelb,
    agent::{SOCKET, configuration_path},
    process::Task,
    topology::VIP_V4,
    wait,
};
use rcgen::{CertificateParams, KeyPair};

use crate::scene::{
    LIMIT, fails, in_lab, json, run, says, start, state_dir_arguments, wait_json, write,
};

/// Where the proxy is scraped.
const METRICS: &str = "127.0.0.1:9901";

/// By then, a busy machine has told the proxy a state, and the proxy uses it.
const TOLD: Duration = Duration::from_millis(500);

/// A target that writes the bytes of its first connection to a file.
const RECORDER: &str = "
import socket, sys
server = socket.create_server(('10.0.0.12', 8025))
while True:
    connection, _ = server.accept()
    data = b''
    while not data.endswith(b'QUIT\\n'):
        more = connection.recv(4096)
        if not more:
            break
        data += more
    if data:
        open(sys.argv[1], 'wb').write(data)
        connection.sendall(b'221 bye\\n')
    connection.close()
";

/// Two listeners of TLS: web servers that see nothing but bytes, and a group that wants a PROXY header.
fn document(lab: &Lab, weight: u32) -> String {
    let folder = lab.directory().display();
    let certificates = format!(
        "[{{ certificate: {folder}/first.pem, key: {folder}/first.key }}, {{ certificate: \
         {folder}/second.pem, key: {folder}/second.key }}]"
    );
    format!(
        "interfaces: [eth0]
target_groups:
  - name: bytes
    protocol: tcp
    port: 80
    health_check: {{ interval: 400ms, healthy_threshold: 2 }}
    targets: [{{ address: 10.0.0.11, weight: {weight} }}, {{ address: 10.0.0.12 }}]
  - name: mail
    protocol: tcp
    port: 8025
    health_check: {{ interval: 400ms, healthy_threshold: 2 }}
    targets: [{{ address: 10.0.0.12 }}]
    attributes: {{ proxy_protocol: v2 }}
  - {{ name: packets, protocol: tcp, port: 81, forwarding: ipip, targets: [{{ address: 10.0.0.11 }}] }}
listeners:
  - name: bytes
    address: {VIP_V4}
    port: 443
    protocol: tls
    certificates: {certificates}
    default_action: {{ forward: {{ target_group: bytes }} }}
    attributes: {{ access_log: {{ file: {folder}/bytes.log, format: nlb }} }}
  - name: mail
    address: {VIP_V4}
    port: 465
    protocol: tls
    tls: {{ policy: modern, alpn: [smtp] }}
    certificates: {certificates}
    default_action: {{ forward: {{ target_group: mail }} }}
  - {{ name: packets, address: {VIP_V4}, port: 81, protocol: tcp, default_action: {{ forward: {{ target_group: packets }} }} }}
"
    )
}

fn certificate(lab: &Lab, stem: &str, name: &str) -> Result<()> {
    let key = KeyPair::generate()?;
    let parameters = CertificateParams::new(vec![name.to_owned()])?;
    let folder = lab.directory();
    fs::write(folder.join(format!("{stem}.pem")), parameters.self_signed(&key)?.pem())?;
    let key_file = folder.join(format!("{stem}.key"));
    fs::write(&key_file, key.serialize_pem())?;
    fs::set_permissions(key_file, fs::Permissions::from_mode(0o600))?;
    Ok(())
}

fn apply(lab: &Lab, xelb: &Xelb, text: &str) -> Result<String> {
    write(lab, text)?;
    let path = configuration_path(lab).display().to_string();
    Ok(run(lab, xelb, &["apply", "-f", &path])?.success()?)
}

/// Agent and proxy with the document, and all targets of both groups in service.
fn serve(lab: &Lab, xelb: &Xelb) -> Result<(Process, Process, Process)> {
    certificate(lab, "first", "first.example")?;
    certificate(lab, "second", "*.second.example")?;
    let notes = lab.directory().join("notes").display().to_string();
    let recorder = Task::new("python3", &["-c", RECORDER, &notes]).log_to(&lab.log("python"))?;
    let recorder = lab.target(2).spawn(recorder)?;
    let agent = start(lab, xelb, &state_dir_arguments(lab))?;
    apply(lab, xelb, &document(lab, 100))?;
    let state = lab.directory().join("proxy").display().to_string();
    let arguments = [
        "proxy",
        "--socket",
        SOCKET,
        "--state-dir",
        &state,
        "--workers",
        "2",
        "--metrics",
        METRICS,
    ];
    let task = Task::new(xelb.program(), &arguments).log_to(&lab.log("proxy"))?;
    let proxy = lab.lb().spawn(task)?;
    wait_json(lab, xelb, "get proxies", |all| all[0]["state"] == "current")?;
    wait_bytes(lab, xelb, ["healthy", "healthy"])?;
    wait_json(lab, xelb, "get targets mail", |all| all[0]["state"] == "healthy")?;
    thread::sleep(TOLD);
    Ok((agent, proxy, recorder))
}

fn wait_bytes(lab: &Lab, xelb: &Xelb, states: [&str; 2]) -> Result<()> {
    wait_json(lab, xelb, "get targets bytes", |all| {
        [0, 1].iter().all(|index| all[*index]["state"] == states[*index])
    })
    .map(drop)
}

/// What a shell of a client prints.
fn shell(lab: &Lab, script: &str) -> Result<String> {
    let folder = lab.directory().display();
    let script = format!("cd {folder} && {script}");
    Ok(lab.client(1).command("sh", &["-c", script.as_str()], Duration::from_mins(1))?)
}

/// One request over HTTPS, which the listener knows nothing of; the target answers with its name.
fn curl(lab: &Lab, name: &str, certificate: &str) -> Result<String> {
    shell(
        lab,
        &format!(
            "curl -sS --http1.1 --max-time 10 --cacert {certificate} --resolve {name}:443:{VIP_V4} \
             https://{name}/"
        ),
    )
}

#[test]
fn tls_ends_here_and_bytes_go_on() -> Result<()> {
    in_lab(|lab, xelb| {
        let (_agent, mut proxy, _recorder) = serve(lab, xelb)?;
        let mut names = std::collections::BTreeSet::new();
        for _ in 0..4 {
            names.insert(curl(lab, "first.example", "first.pem")?);
        }
        ensure!(names.len() == 2, "both targets answer: {names:?}");
        curl(lab, "a.second.example", "second.pem")?;
        // A name that no certificate has gets the first one, which says who it is.
        let unknown = curl(lab, "unknown.example", "first.pem").unwrap_err().to_string();
        ensure!(unknown.contains("SSL"), "{unknown}");
        let subject = shell(
            lab,
            &format!(
                "echo | openssl s_client -connect {VIP_V4}:443 -servername unknown.example 2>&1 | \
                 openssl x509 -noout -ext subjectAltName"
            ),
        )?;
        ensure!(subject.contains("first.example"), "{subject}");

        // The target sees the client in a PROXY header, then its bytes. ALPN is offered where asked.
        let talk = shell(
            lab,
            &format!(
                "(printf 'EHLO a\\nQUIT\\n'; sleep 2) | openssl s_client -quiet -alpn smtp -connect \
                 {VIP_V4}:465 -servername first.example 2>openssl.txt"
            ),
        )?;
        ensure!(talk.contains("221 bye"), "{talk}");
        let notes = fs::read(lab.directory().join("notes"))?;
        let header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c";
        ensure!(notes.starts_with(header), "{notes:?}");
        ensure!(notes.ends_with(b"EHLO a\nQUIT\n"), "{notes:?}");
        ensure!(notes.get(20..24) == Some(&VIP_V4.octets()[..]), "{notes:?}");
        for (port, offered, expected) in
            [(465, "smtp", "ALPN protocol: smtp"), (443, "http/1.1", "No ALPN negotiated")]
        {
            let said = shell(
                lab,
                &format!("echo | openssl s_client -alpn {offered} -connect {VIP_V4}:{port} 2>&1"),
            )?;
            ensure!(said.contains(expected), "{port}: {said}");
        }

        observed(lab, xelb)?;
        drained_and_dead(lab, xelb)?;
        proxy.signal(nix::sys::signal::Signal::SIGTERM)?;
        proxy.wait(LIMIT)?;
        let lines = fs::read_to_string(lab.directory().join("bytes.log"))?;
        let line =
            lines.lines().find(|line| line.contains(" a.second.example ")).context("a line")?;
        let fields: Vec<&str> = line.split(' ').collect();
        ensure!((fields.len(), fields[0], fields[3]) == (22, "tls", "bytes"), "{line}");
        Ok(())
    })
}

/// Status, lists, metrics and explanations know the listeners.
fn observed(lab: &Lab, xelb: &Xelb) -> Result<()> {
    let listeners = json(lab, xelb, "get listeners")?;
    let bytes = listeners.as_array().context("a list")?.iter().find(|one| one["name"] == "bytes");
    let bytes = bytes.context("the listener")?;
    ensure!(bytes["protocol"] == "tls" && bytes["target_group"] == "bytes", "{bytes}");
    let groups = says(lab, xelb, "get target-groups")?;
    ensure!(
        groups.lines().any(|line| line.starts_with("bytes ") && line.contains("2 of 2")),
        "{groups}"
    );
    let status = says(lab, xelb, "status")?;
    ensure!(!status.contains("no listener forwards to target group bytes"), "{status}");
    let text = lab.lb().command("curl", &["-sSf", &format!("http://{METRICS}/metrics")], LIMIT)?;
    for part in [
        "xelb_http_listener_info{listener=\"bytes\",address=\"198.51.100.1:443\",protocol=\"tls\"} 1",
        "xelb_http_group_targets{group=\"bytes\",state=\"healthy\"} 2",
        "xelb_http_client_tls_errors_total{listener=\"bytes\"} ",
        "xelb_http_tls_connections_total{listener=\"mail\"} ",
        "xelb_http_tls_connections_per_target_total{group=\"bytes\",target=\"10.0.0.11:80\"} ",
    ] {
        let part = part.replace("198.51.100.1", &VIP_V4.to_string());
        ensure!(text.contains(&part), "{part}: {text}");
    }
    let url = format!("https://{VIP_V4}/");
    let refused = run(lab, xelb, &["explain", "http", "GET", &url])?;
    fails(
        &refused,
        2,
        &["listener bytes (tls at ", "ends TLS, and what is inside goes to target group bytes"],
    )
}

/// A drained target gets nothing more, and a dead one is left.
fn drained_and_dead(lab: &mut Lab, xelb: &Xelb) -> Result<()> {
    says(lab, xelb, "target drain bytes 10.0.0.11")?;
    wait_bytes(lab, xelb, ["draining", "healthy"])?;
    thread::sleep(TOLD);
    let names: std::collections::BTreeSet<String> =
        (0..6).map(|_| curl(lab, "first.example", "first.pem")).collect::<Result<_>>()?;
    ensure!(names.len() == 1, "{names:?}");
    let last = run(lab, xelb, &["target", "drain", "bytes", "10.0.0.12"])?;
    let harm =
        "listener bytes: its target group bytes has 2 targets, none of which takes connections";
    fails(&last, 2, &[harm])?;
    says(lab, xelb, "target undrain bytes 10.0.0.11")?;
    wait_bytes(lab, xelb, ["healthy", "healthy"])?;
    thread::sleep(TOLD);

    lab.kill_web_server(2);
    // A connection that is refused goes to another target at once.
    for _ in 0..4 {
        curl(lab, "first.example", "first.pem")?;
    }
    wait_bytes(lab, xelb, ["healthy", "unhealthy"])?;
    thread::sleep(TOLD);
    curl(lab, "first.example", "first.pem")?;
    Ok(())
}

#[test]
fn changes_cost_no_connection() -> Result<()> {
    in_lab(|lab, xelb| {
        let (_agent, _proxy, _recorder) = serve(lab, xelb)?;
        let folder = lab.directory().display().to_string();
        let script = format!(
            "cd {folder}; for number in $(seq 150); do curl -sS --http1.1 --max-time 10 --cacert first.pem \
             --resolve first.example:443:{VIP_V4} https://first.example/ >/dev/null || echo failed; done; \
             echo done"
        );
        let load = Task::new("sh", &["-c", &script]).log_to(&lab.log("load"))?;
        let mut load = lab.client(1).spawn(load)?;
        for change in 0..10 {
            apply(lab, xelb, &document(lab, 50 + change))?;
            thread::sleep(Duration::from_millis(100));
        }
        load.wait(Duration::from_mins(1))?;
        let text = fs::read_to_string(lab.log("load"))?;
        ensure!(text.trim() == "done", "{text}");
        wait::until("the last change is served", LIMIT, || {
            let proxies = json(lab, xelb, "get proxies").map_err(|error| error.to_string())?;
            if proxies[0]["state"] == "current" { Ok(()) } else { Err(proxies.to_string()) }
        })?;
        Ok(())
    })
}
