//! Frontends: where clients connect, and the backend that follows.

use super::{
    place,
    sections::{Section, Statement},
    settings::Settings,
};
use crate::{
    ledger::Ledger,
    remark::{Kind, brief},
    service::{Endpoint, Found},
};

/// A frontend, or the front half of a listen section.
#[derive(Debug)]
pub(super) struct Frontend {
    name: String,
    endpoints: Vec<Endpoint>,
    interfaces: Vec<(String, usize)>,
    pub(super) default_backend: Option<(String, usize)>,
    /// All its lines.
    lines: Vec<usize>,
    line: usize,
}

impl Frontend {
    /// One without endpoints, but for those of old configurations: `listen NAME ADDRESS:PORT`.
    pub(super) fn new(section: &Section) -> Self {
        let mut front = Self {
            name: section.word(1).to_owned(),
            endpoints: Vec::new(),
            interfaces: Vec::new(),
            default_backend: None,
            lines: section.lines().collect(),
            line: section.line,
        };
        let place = section.word(2);
        if section.word(0) != "backend" && place.contains(':') {
            for (vip, first, last) in place::bind(place, false).into_iter().flatten() {
                front.endpoints.push(front.endpoint(vip, first, last, section.line));
            }
        }
        front
    }

    fn endpoint(
        &self,
        address: crate::service::Vip,
        first: u16,
        last: u16,
        line: usize,
    ) -> Endpoint {
        Endpoint {
            name: self.name.clone(),
            address,
            first_port: first,
            last_port: last,
            idle_s: None,
            span: (self.line, self.lines.iter().copied().max().unwrap_or(self.line)),
            lines: vec![line],
        }
    }

    /// A `bind` line.
    pub(super) fn bind(&mut self, statement: &Statement, ledger: &mut Ledger) {
        let line = statement.line;
        let mut options = statement.words.iter().skip(2).map(String::as_str);
        let (mut is_tls, mut v4v6) = (false, false);
        while let Some(option) = options.next() {
            match option {
                "ssl" => is_tls = true,
                "v4v6" => v4v6 = true,
                "interface" => {
                    self.interfaces.extend(options.next().map(|name| (name.to_owned(), line)));
                }
                "name" => {
                    let _name = options.next();
                }
                "accept-proxy" => ledger.hand(
                    line,
                    "accept-proxy: the PROXY header passes on to the targets, which must read it",
                ),
                // Its values are part of TLS, sockets and processes.
                _ if is_tls => {}
                "transparent" | "tfo" | "defer-accept" | "v6only" => {
                    ledger.dropped(line, format!("`{option}` of bind: xelb has no sockets"));
                }
                other => ledger.dropped(line, format!("`{}` of bind", brief(other))),
            }
        }
        if is_tls {
            ledger.hand(
                line,
                "bind with ssl: HAProxy ends TLS here; xelb passes TLS on, so that the targets need \
                 the certificates. Add a listener when they have them",
            );
            return;
        }
        for place in place::bind(statement.word(1), v4v6) {
            match place {
                Ok((vip, first, last)) => {
                    let endpoint = self.endpoint(vip, first, last, line);
                    self.endpoints.push(endpoint);
                }
                Err(message) => ledger.hand(line, message),
            }
        }
    }

    /// A `default_backend` or `use_backend` line.
    pub(super) fn backend(&mut self, statement: &Statement, ledger: &mut Ledger) {
        let (name, line) = (statement.word(1).to_owned(), statement.line);
        let is_default = statement.word(0) == "default_backend";
        if statement.words.len() > 2 && !is_default {
            ledger.hand(
                line,
                "use_backend with a condition: a TCP listener has one group; its traffic goes to the \
                 default backend. Give each service an address or port of its own",
            );
        } else if is_default || self.default_backend.is_none() {
            self.default_backend = Some((name, line));
        }
    }

    /// What the settings of the proxy mean for its endpoints.
    pub(super) fn settings(&mut self, settings: &Settings) {
        for endpoint in &mut self.endpoints {
            endpoint.idle_s = settings.idle_ms.map(|idle| idle.div_ceil(1000));
            endpoint.lines.push(self.line);
            endpoint.lines.extend(&settings.lines);
        }
    }
}

/// Leads each frontend to its backend.
pub(super) fn join(frontends: Vec<Frontend>, found: &mut Found, ledger: &mut Ledger) {
    for mut front in frontends {
        let name = brief(&front.name);
        let Some((backend, line)) = front.default_backend.take() else {
            let message = format!("frontend {name} has no default_backend that is imported");
            ledger.remark(Kind::Hand, front.lines, message);
            continue;
        };
        // Of several with one name, HAProxy takes the last.
        let service = found.services.iter_mut().rev().find(|service| service.name == backend);
        let Some(service) = service else {
            let message = format!(
                "frontend {name} leads to backend {}, which is not imported",
                brief(&backend)
            );
            ledger.remark(Kind::Hand, front.lines, message);
            continue;
        };
        if front.endpoints.is_empty() {
            let message = format!("frontend {name} has no address that is imported");
            ledger.remark(Kind::Hand, front.lines, message);
            continue;
        }
        for endpoint in &mut front.endpoints {
            endpoint.lines.push(line);
        }
        let longest = service.endpoints.iter().filter_map(|endpoint| endpoint.idle_s).max();
        for endpoint in &mut front.endpoints {
            endpoint.idle_s = endpoint.idle_s.max(longest);
        }
        service.endpoints.append(&mut front.endpoints);
        found.interfaces.append(&mut front.interfaces);
    }
}
