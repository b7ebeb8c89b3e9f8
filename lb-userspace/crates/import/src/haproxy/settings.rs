//! What the lines of a proxy say, those of its `defaults` section first.

use std::net::IpAddr;

use super::{sections::Statement, tables};
use crate::{duration, ledger::Ledger, remark::brief, service::HttpProbe};

/// What a health check sends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Request {
    /// Nothing: it opens a connection.
    #[default]
    None,
    /// An HTTP request (`option httpchk`).
    Http,
}

/// Settings of a proxy of mode tcp.
#[derive(Clone, Debug, Default)]
pub(super) struct Settings {
    pub(super) mode: Option<String>,
    pub(super) is_disabled: bool,
    pub(super) is_sticky: bool,
    /// `source ... usesrc clientip`: servers see the client's address.
    pub(super) is_transparent: bool,
    pub(super) sources: Vec<(IpAddr, usize)>,
    /// The longest of the timeouts of silent connections.
    pub(super) idle_ms: Option<u64>,
    pub(super) connect_ms: Option<u64>,
    pub(super) check_ms: Option<u64>,
    pub(super) request: Request,
    pub(super) http: HttpProbe,
    pub(super) default_server: Vec<String>,
    /// Lines that the result comes from.
    pub(super) lines: Vec<usize>,
    /// Those of the health check.
    pub(super) check_lines: Vec<usize>,
    /// Those of an HTTP check.
    pub(super) http_lines: Vec<usize>,
}

impl Settings {
    /// Takes a line; false when it is none of a proxy's settings.
    pub(super) fn read(&mut self, statement: &Statement, ledger: &mut Ledger) -> bool {
        let (line, value) = (statement.line, statement.word(1));
        match statement.word(0) {
            "mode" => {
                self.mode = Some(value.to_owned());
                self.lines.push(line);
            }
            "disabled" => {
                self.is_disabled = true;
                self.lines.push(line);
            }
            "enabled" => {
                self.is_disabled = false;
                self.lines.push(line);
            }
            "balance" => self.balance(value, line, ledger),
            "stick" if statement.words.iter().any(|word| word == "src") => {
                self.is_sticky = true;
                ledger.changed(
                    line,
                    "stick on src becomes `stickiness: source_ip`: the client's address is hashed, \
                     not remembered",
                );
            }
            "source" => self.source(statement, ledger),
            "timeout" => self.timeout(value, statement.word(2), line, ledger),
            "contimeout" => self.timeout("connect", value, line, ledger),
            "clitimeout" => self.timeout("client", value, line, ledger),
            "srvtimeout" => self.timeout("server", value, line, ledger),
            "default-server" => {
                self.default_server.extend(statement.words.iter().skip(1).cloned());
                self.check_lines.push(line);
            }
            "option" => self.option(statement, ledger),
            "http-check" => self.http_check(statement, ledger),
            "tcp-check" => ledger.hand(
                line,
                "tcp-check: an xelb check of `tcp` opens a connection, and sends and expects nothing",
            ),
            keyword => {
                let Some(reason) = tables::reason(tables::STATEMENTS, keyword) else { return false };
                ledger.dropped(line, format!("{keyword}: {reason}"));
            }
        }
        true
    }

    fn balance(&mut self, name: &str, line: usize, ledger: &mut Ledger) {
        self.is_sticky = name == "source";
        let message = match name {
            "source" => {
                "balance source becomes `stickiness: source_ip`; clients get another target at the \
                 change"
            }
            "roundrobin" | "static-rr" => {
                "balance roundrobin: xelb hashes each flow onto a ring with weights (Maglev); shares \
                 are as even, the order is not"
            }
            "first" => "balance first: xelb uses all targets at once",
            "leastconn" | "random" => {
                "balance leastconn or random: xelb hashes each flow by weights and counts no \
                 connections, so that long connections may be uneven"
            }
            _ => "balance: xelb hashes each flow by addresses and ports, not by what it carries",
        };
        ledger.changed(line, message);
    }

    fn source(&mut self, statement: &Statement, ledger: &mut Ledger) {
        let line = statement.line;
        if statement.words.iter().any(|word| word == "usesrc") {
            self.is_transparent = true;
            ledger.changed(
                line,
                "source with usesrc becomes mode nat: targets see the client's address, and need a \
                 route to clients through the balancer",
            );
            return;
        }
        let text = statement.word(1);
        let address = text.parse().or_else(|_| text.split(':').next().unwrap_or("").parse());
        match address {
            Ok(address) => {
                self.sources.push((address, line));
                ledger.hand(
                    line,
                    "source becomes an address of `source_nat`: it must belong to xelb alone, no \
                     program of the host may use it",
                );
            }
            Err(_) => ledger.hand(line, format!("`{}` is not an address", brief(text))),
        }
    }

    fn timeout(&mut self, name: &str, value: &str, line: usize, ledger: &mut Ledger) {
        let milliseconds = match duration::with_unit(value) {
            Ok(milliseconds) => milliseconds,
            Err(message) => {
                ledger.hand(line, message);
                return;
            }
        };
        match name {
            "client" | "server" | "tunnel" => {
                self.idle_ms = self.idle_ms.max(Some(milliseconds));
                ledger.changed(
                    line,
                    "timeouts of client, server and tunnel: xelb closes no silent connection; it \
                     remembers one for `idle_timeout` (350s, or the longest of these)",
                );
            }
            "connect" => {
                self.connect_ms = Some(milliseconds);
                ledger.dropped(
                    line,
                    "timeout connect: the client connects to the target itself; only health checks \
                     have a timeout",
                );
            }
            "check" => {
                self.check_ms = Some(milliseconds);
                self.check_lines.push(line);
            }
            _ => ledger.dropped(line, "a timeout of requests, queues or half-closed connections"),
        }
    }

    fn option(&mut self, statement: &Statement, ledger: &mut Ledger) {
        let (name, line) = (statement.word(1), statement.line);
        match name {
            "httpchk" if statement.is_negated => self.request = Request::None,
            "httpchk" => {
                self.request = Request::Http;
                self.http_lines.push(line);
                let rest: Vec<&str> = statement.words.iter().skip(2).map(String::as_str).collect();
                self.request(&rest, line, ledger);
            }
            "tcp-check" => {
                self.request = Request::None;
                self.check_lines.push(line);
            }
            "mysql-check" | "pgsql-check" | "redis-check" | "smtpchk" | "ldap-check"
            | "ssl-hello-chk" | "spop-check" | "external-check" => ledger.hand(
                line,
                "this check becomes a TCP connection; a program of yours can do more: \
                 `health_check: { protocol: exec, command: [/etc/xelb/checks/NAME] }`",
            ),
            _ => {
                let reason = tables::reason(tables::OPTIONS, name)
                    .unwrap_or("an option of HAProxy's connections, requests or logs");
                ledger.dropped(line, format!("option {}: {reason}", brief(name)));
            }
        }
    }

    /// `[METHOD] [URI [VERSION]]` of `option httpchk`.
    fn request(&mut self, words: &[&str], line: usize, ledger: &mut Ledger) {
        let (method, uri, version) = match words {
            [] => ("OPTIONS", "/", ""),
            [uri] => ("OPTIONS", *uri, ""),
            [method, uri] => (*method, *uri, ""),
            [method, uri, version @ ..] => (*method, *uri, version.last().copied().unwrap_or("")),
        };
        if method != "GET" {
            ledger.changed(
                line,
                "the method of option httpchk (OPTIONS, if none is given) becomes GET",
            );
        }
        self.http.path = Some(uri.to_owned());
        // An old way to send a header: `HTTP/1.1\r\nHost:\ www`, whose escapes are gone by now.
        let lower = version.to_ascii_lowercase();
        if let Some(at) = lower.find("host:")
            && let Some(host) = version.get(at + 5..)
        {
            self.http.host = host.split_whitespace().next().map(str::to_owned);
        }
    }

    fn http_check(&mut self, statement: &Statement, ledger: &mut Ledger) {
        let line = statement.line;
        let words: Vec<&str> = statement.words.iter().skip(1).map(String::as_str).collect();
        match words.as_slice() {
            ["expect", "status", codes] => self.http.matcher = Some((*codes).to_owned()),
            ["expect", "string", text] => self.http.body = Some((*text).to_owned()),
            ["send", rest @ ..] => {
                let mut rest = rest.iter();
                while let Some(word) = rest.next() {
                    match (*word, rest.next()) {
                        ("uri", Some(uri)) => self.http.path = Some((*uri).to_owned()),
                        ("hdr", Some(name)) if name.eq_ignore_ascii_case("host") => {
                            self.http.host = rest.next().map(|host| (*host).to_owned());
                        }
                        ("meth", Some(&"GET")) | ("ver", _) => {}
                        (other, _) => {
                            ledger.changed(line, format!("http-check send {}", brief(other)));
                        }
                    }
                }
            }
            _ => {
                ledger.hand(
                    line,
                    "this http-check: xelb sends one GET, and compares the status (`matcher`) and a \
                     text of the body (`body`)",
                );
                return;
            }
        }
        self.http_lines.push(line);
    }
}
