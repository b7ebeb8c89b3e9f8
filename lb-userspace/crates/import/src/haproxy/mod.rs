//! haproxy.cfg: frontends, backends and listen sections of mode tcp. Those of mode http are told: xelb
//! serves no HTTP yet.

mod frontend;
mod place;
mod sections;
mod server;
mod settings;
mod tables;

use std::collections::HashMap;

use lb_common::target::Mode;

use crate::{
    common_check::common_check,
    error::ImportError,
    ledger::Ledger,
    remark::{Kind, brief},
    service::{Found, Server, Service},
};
use frontend::Frontend;
use sections::{Section, Statement};
use settings::Settings;

/// Reads a file.
pub(crate) fn read(text: &str, ledger: &mut Ledger) -> Result<Found, ImportError> {
    let (sections, conditions) = sections::parse(text)?;
    if sections.is_empty() {
        return Err(ImportError::Nothing {
            wanted: "no section (global, defaults, frontend, backend, listen)",
            format: "HAProxy (haproxy.cfg)",
        });
    }
    ledger_conditions(conditions, ledger);
    let mut found = Found::default();
    let mut frontends: Vec<Frontend> = Vec::new();
    let mut defaults: HashMap<&str, Settings> = HashMap::new();
    let mut latest = "";
    for section in &sections {
        let from = section.words.iter().position(|word| word == "from").map(|at| at + 1);
        let base = from.map_or(latest, |at| section.word(at));
        let base = defaults.get(base).cloned().unwrap_or_default();
        match section.word(0) {
            "defaults" => {
                latest =
                    if section.words.len() > 1 && from != Some(2) { section.word(1) } else { "" };
                let settings = default_settings(section, base, from.is_some(), ledger);
                defaults.insert(latest, settings);
            }
            "frontend" | "backend" | "listen" => {
                proxy(section, base, &mut found, &mut frontends, ledger);
            }
            kind => {
                let message = format!("section {}: {}", brief(kind), reason(kind));
                ledger.remark(Kind::Dropped, section.lines(), message);
            }
        }
    }
    frontend::join(frontends, &mut found, ledger);
    for service in found.services.iter().filter(|service| service.endpoints.is_empty()) {
        let message = format!("backend {}: no imported frontend leads to it", brief(&service.name));
        ledger.hand(service.span.0, message);
    }
    Ok(found)
}

fn ledger_conditions(conditions: Vec<usize>, ledger: &mut Ledger) {
    if !conditions.is_empty() {
        let message = "conditions (.if, .else) are not resolved: all lines between them are read";
        ledger.remark(Kind::Hand, conditions, message);
    }
}

fn reason(kind: &str) -> &'static str {
    match kind {
        "global" => "it is about HAProxy's own process (users, logs, sockets, limits, TLS)",
        "userlist" | "cache" | "http-errors" | "fcgi-app" => "it is about HTTP",
        "peers" => "xelb shares no tables: all balancers compute the same target for a flow",
        "resolvers" => {
            "xelb asks the DNS servers of the host, or those of `resolver` in its configuration"
        }
        "crt-store" | "acme" => "xelb ends no TLS: the targets have the certificates",
        _ => "it is about logs, mail or programs beside HAProxy",
    }
}

fn default_settings(
    section: &Section,
    base: Settings,
    is_derived: bool,
    ledger: &mut Ledger,
) -> Settings {
    // A section without `from` begins anew.
    let mut settings = if is_derived { base } else { Settings::default() };
    settings.lines.push(section.line);
    for statement in &section.statements {
        if statement.word(0) == "default-server" {
            server::default_server(statement, ledger);
        }
        if !settings.read(statement, ledger) {
            let message = format!("`{}` is not known in defaults", brief(statement.word(0)));
            ledger.dropped(statement.line, message);
        }
    }
    settings
}

/// A frontend, a backend, or both.
fn proxy(
    section: &Section,
    mut settings: Settings,
    found: &mut Found,
    frontends: &mut Vec<Frontend>,
    ledger: &mut Ledger,
) {
    let (kind, name) = (section.word(0), section.word(1));
    let own = section.last("mode").map(|statement| statement.word(1).to_owned());
    let mode = own.or_else(|| settings.mode.clone()).unwrap_or_else(|| "tcp".to_owned());
    if mode != "tcp" {
        not_tcp(section, &mode, ledger);
        return;
    }
    let mut front = Frontend::new(section);
    let mut service = Service::new(name, Mode::Fullnat, section.line);
    service.span = (section.line, section.lines().max().unwrap_or(section.line));
    let mut servers = Vec::new();
    for statement in &section.statements {
        match statement.word(0) {
            "server" | "server-template" => servers.push(statement),
            "dispatch" => match place::server(statement.word(1)) {
                Ok((address, port)) => {
                    let lines = vec![statement.line];
                    service.servers.push(Server { address, port, weight: 1, backup: false, lines });
                }
                Err(message) => ledger.hand(statement.line, message),
            },
            "bind" if kind != "backend" => front.bind(statement, ledger),
            "default_backend" | "use_backend" => front.backend(statement, ledger),
            "default-server" => {
                server::default_server(statement, ledger);
                settings.read(statement, ledger);
            }
            word => {
                if !settings.read(statement, ledger) {
                    let message = format!("`{}` is not known in {kind}", brief(word));
                    ledger.dropped(statement.line, message);
                }
            }
        }
    }
    if settings.is_disabled {
        let message = format!("{kind} {} is disabled", brief(name));
        ledger.remark(Kind::Dropped, section.lines(), message);
        return;
    }
    if kind != "frontend" {
        pool(&mut service, &servers, &settings, ledger);
        found.sources.extend(&settings.sources);
        let is_pool = !service.servers.is_empty();
        if kind == "listen" && front.default_backend.is_none() && is_pool {
            front.default_backend = Some((name.to_owned(), section.line));
        }
        if is_pool || kind == "backend" {
            found.services.push(service);
        }
    }
    if kind != "backend" {
        front.settings(&settings);
        frontends.push(front);
    }
}

/// The servers of a backend, and what its settings mean for them.
fn pool(service: &mut Service, servers: &[&Statement], settings: &Settings, ledger: &mut Ledger) {
    let mut checks = Vec::new();
    for statement in servers {
        let Some(read) = server::read(statement, settings, ledger) else { continue };
        service.slow_start_s = service.slow_start_s.max(read.slow_start_s);
        service.servers.push(read.server);
        checks.extend(read.check);
    }
    service.check = common_check(checks, ledger);
    service.is_sticky = settings.is_sticky;
    if settings.is_transparent {
        service.forwarding = Mode::Nat;
    }
    service.lines.extend(&settings.lines);
}

/// A proxy of another mode, such as http.
fn not_tcp(section: &Section, mode: &str, ledger: &mut Ledger) {
    let (kind, name) = (section.word(0), brief(section.word(1)));
    let lines = section.statements.len() + 1;
    let message = if mode == "http" {
        format!(
            "{kind} {name}, mode http, {lines} lines: xelb serves no HTTP yet; keep HAProxy for it, \
             with a TCP listener of xelb in front of the HAProxy hosts"
        )
    } else {
        format!("{kind} {name}, mode {}, {lines} lines: not TCP", brief(mode))
    };
    ledger.remark(Kind::Dropped, section.lines(), message);
}
