//! The driver of a scaled group: one key, which says its kind.

use std::net::SocketAddr;

use super::{host_driver, sections};
use crate::{
    Document,
    model::Driver,
    named_file::NamedFile,
    section::{Section, list_of},
    tree::Value,
    values,
};

const KINDS: [&str; 5] = ["exec", "static", "systemd", "docker", "webhook"];
const PROGRAM: &str = "/etc/xelb/checks/local-processes";

pub(super) fn driver(scaling: &Section<'_>, port: Option<u16>) -> Option<Driver> {
    scaling
        .required("driver", "driver: { exec: { program: /etc/xelb/checks/local-processes } }")?;
    let section = scaling.section("driver")?;
    let given: Vec<&str> = KINDS.into_iter().filter(|key| section.entry(key).is_some()).collect();
    let driver = match given.as_slice() {
        ["exec"] => exec(section.section("exec")?),
        ["static"] => Some(declared(section.section("static")?, port)),
        ["systemd"] => host_driver::systemd(section.section("systemd")?),
        ["docker"] => host_driver::docker(section.section("docker")?, port),
        ["webhook"] => webhook(section.section("webhook")?),
        [] => {
            let message = format!("names no driver: write one of {}", list_of(&KINDS));
            section.findings.error(&section.at, message);
            None
        }
        several => {
            let message = format!("names several drivers, {}: keep one", list_of(several));
            section.findings.error(&section.at, message);
            None
        }
    };
    section.finish();
    driver
}

fn exec(section: Section<'_>) -> Option<Driver> {
    let program = section
        .require("program", &format!("program: {PROGRAM}"), |node| values::file(node, PROGRAM));
    if let (Some(program), Some(entry)) = (&program, section.entry("program")) {
        section.findings.file(&entry.at, NamedFile::Program(program.clone()));
    }
    let parameters = parameters(&section);
    section.finish();
    Some(Driver::Exec { program: program?, parameters: parameters? })
}

/// Any keys: only the driver knows them.
fn parameters(section: &Section<'_>) -> Option<Document> {
    match section.entry("parameters") {
        None => Some(Document::default()),
        Some(entry) if matches!(entry.node.value, Value::Map(_)) => {
            Some(Document(entry.node.clone()))
        }
        Some(entry) => {
            let message = format!("must be a section with keys, not {}", entry.node.value.kind());
            section.findings.error(&entry.at, message);
            None
        }
    }
}

fn declared(section: Section<'_>, port: Option<u16>) -> Driver {
    let mut targets = Vec::new();
    section.required("targets", "targets: [{ address: 10.0.1.11 }]");
    for target in sections(&section, "targets") {
        let address = target.require("address", "address: 10.0.1.11", values::member_address);
        let port = target.read("port", values::port).or(port);
        let (at, findings) = (target.at.clone(), target.findings);
        target.finish();
        let Some(target) = address.zip(port).map(SocketAddr::from) else { continue };
        if targets.contains(&target) {
            findings.error(&at, format!("{target} is named twice"));
        }
        targets.push(target);
    }
    if let Some(list) = section.list("targets").filter(|list| list.items().len() == 0) {
        section.findings.error(&list.at, "is empty; name at least one target");
    }
    section.finish();
    Driver::Static { targets }
}

fn webhook(section: Section<'_>) -> Option<Driver> {
    let url = section.require("url", "url: https://scaler.example.org/members", |node| {
        values::webhook_url(node, "https://scaler.example.org/members")
    });
    let secret_file =
        section.require("secret_file", "secret_file: /etc/xelb/webhook-secret", |node| {
            values::file(node, "/etc/xelb/webhook-secret")
        });
    if let (Some(file), Some(entry)) = (&secret_file, section.entry("secret_file")) {
        section.findings.file(&entry.at, NamedFile::Secret(file.clone()));
    }
    let ca = section.read("ca", |node| values::file(node, "/etc/xelb/ca.pem"));
    if let (Some(file), Some(entry)) = (&ca, section.entry("ca")) {
        section.findings.file(&entry.at, NamedFile::Authorities(file.clone()));
    }
    let parameters = parameters(&section);
    section.finish();
    Some(Driver::Webhook { url: url?, secret_file: secret_file?, ca, parameters: parameters? })
}
