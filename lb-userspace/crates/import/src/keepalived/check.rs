//! Checkers: TCP_CHECK, HTTP_GET and SSL_GET, and those that have no exact counterpart.

use lb_config::Protocol;

use super::{
    datagram,
    tree::{Node, seconds},
};
use crate::{
    address,
    ledger::Ledger,
    remark::{Kind, brief},
    service::{Check, HttpProbe, Probe},
};

/// Most retries that make sense: thresholds are at most 10.
const RETRIES_USUAL: u64 = 1;
const RETRIES_OF_REQUESTS: u64 = 3;

/// What says when to probe; a checker inherits from its server, and that from the virtual server.
#[derive(Clone, Debug)]
pub(super) struct Times {
    delay_loop_ms: u64,
    connect_timeout_ms: u64,
    retry: Option<u64>,
    pub(super) virtual_host: Option<(String, usize)>,
    lines: Vec<usize>,
}

impl Default for Times {
    /// The defaults of keepalived.
    fn default() -> Self {
        Self {
            delay_loop_ms: 60_000,
            connect_timeout_ms: 5000,
            retry: None,
            virtual_host: None,
            lines: Vec::new(),
        }
    }
}

impl Times {
    /// Reads a keyword, if it is one of these.
    pub(super) fn read(&mut self, node: &Node, ledger: &mut Ledger) -> bool {
        match node.word(0) {
            "delay_loop" => set(&mut self.delay_loop_ms, seconds(node, ledger)),
            "connect_timeout" | "misc_timeout" | "timeout" => {
                set(&mut self.connect_timeout_ms, seconds(node, ledger));
            }
            "retry" | "nb_get_retry" => {
                self.retry = node.word(1).parse().ok();
                if self.retry.is_none() {
                    let message = format!("`{}` is not a number of retries", brief(node.word(1)));
                    ledger.hand(node.line, message);
                }
            }
            "delay_before_retry" => {
                ledger.changed(
                    node.line,
                    "delay_before_retry: xelb probes a failing target at the same `interval`; lower it \
                     if failures must be seen sooner",
                );
                return true;
            }
            "warmup" => {
                ledger.dropped(node.line, "warmup: first probes are spread over 500 ms");
                return true;
            }
            _ => return false,
        }
        self.lines.push(node.line);
        true
    }

    fn check(&self, probe: Probe, retries: u64, node: &Node) -> Check {
        let mut lines = node.frame().to_vec();
        lines.extend(&self.lines);
        Check {
            probe,
            port: None,
            interval_ms: self.delay_loop_ms,
            timeout_ms: self.connect_timeout_ms.min(self.delay_loop_ms),
            // One success is enough, and the first failure is tried again.
            healthy: 1,
            unhealthy: self.retry.unwrap_or(retries).saturating_add(1),
            lines,
        }
    }
}

fn set(value: &mut u64, read: Option<u64>) {
    if let Some(read) = read {
        *value = read;
    }
}

/// Whether a keyword is a checker.
pub(super) fn is_checker(word: &str) -> bool {
    word.ends_with("_CHECK") || matches!(word, "HTTP_GET" | "SSL_GET")
}

/// Reads a checker; `None`, with a remark, when it has no counterpart.
pub(super) fn read(
    node: &Node,
    protocol: Protocol,
    times: &Times,
    ledger: &mut Ledger,
) -> Option<Check> {
    let mut times = times.clone();
    let mut port = None;
    let mut others = Vec::new();
    for child in &node.children {
        if times.read(child, ledger) {
            continue;
        }
        match child.word(0) {
            "connect_port" => match address::port(child.word(1)) {
                Ok(read) => {
                    port = Some(read);
                    times.lines.push(child.line);
                }
                Err(message) => ledger.hand(child.line, message),
            },
            "connect_ip" => {
                ledger.hand(child.line, "connect_ip: checks go to the target's own address");
            }
            "bindto" | "bind_to" | "bind_if" | "bind_port" | "fwmark" => ledger.dropped(
                child.line,
                "the source of checks: they come from the address that the route of the host gives",
            ),
            "alpha" | "smtp_alert" => {
                ledger.dropped(child.line, "it is about alerts or the state at the start");
            }
            _ => others.push(child),
        }
    }
    let mut check = match node.word(0) {
        "TCP_CHECK" => times.check(Probe::Tcp, RETRIES_USUAL, node),
        "HTTP_GET" => http(false, &mut others, times, node, ledger),
        "SSL_GET" => http(true, &mut others, times, node, ledger),
        "PING_CHECK" => times.check(Probe::Icmp, RETRIES_USUAL, node),
        "UDP_CHECK" => {
            let probe = datagram::udp(&mut others, &mut times.lines, ledger);
            times.check(probe, RETRIES_USUAL, node)
        }
        "DNS_CHECK" => {
            let probe = datagram::dns(&mut others, &mut times.lines, ledger);
            times.check(probe, RETRIES_OF_REQUESTS, node)
        }
        name => return without_counterpart(name, node, &others, protocol, &times, ledger),
    };
    check.port = port;
    for other in others {
        let message = format!("`{}` of {}", brief(other.word(0)), brief(node.word(0)));
        ledger.remark(Kind::Dropped, other.lines(), message);
    }
    Some(check)
}

/// Checkers that become a connection, where that is possible.
fn without_counterpart(
    name: &str,
    node: &Node,
    others: &[&Node],
    protocol: Protocol,
    times: &Times,
    ledger: &mut Ledger,
) -> Option<Check> {
    let instead = if protocol == Protocol::Tcp { "a TCP connection" } else { "a ping" };
    let message = match name {
        "MISC_CHECK" => {
            let path = others.iter().find(|other| other.word(0) == "misc_path");
            let command = path.map_or("", |path| path.word(1));
            let program = command.split_whitespace().next().unwrap_or_default();
            let file = program.rsplit('/').next().unwrap_or_default();
            format!(
                "MISC_CHECK becomes {instead}. To run the program, install it as \
                 /etc/xelb/checks/{} and write `health_check: {{ protocol: exec, command: \
                 [/etc/xelb/checks/{}] }}`; it finds the target in XELB_TARGET_ADDRESS and \
                 XELB_TARGET_PORT, and runs as nobody",
                brief(file),
                brief(file)
            )
        }
        "SMTP_CHECK" => format!("SMTP_CHECK becomes {instead}: xelb does not speak SMTP"),
        _ => format!("{} becomes {instead}", brief(name)),
    };
    ledger.remark(Kind::Hand, node.lines(), message);
    (protocol == Protocol::Tcp).then(|| times.check(Probe::Tcp, RETRIES_USUAL, node))
}

/// HTTP_GET and SSL_GET: the first `url`.
fn http(
    tls: bool,
    others: &mut Vec<&Node>,
    mut times: Times,
    node: &Node,
    ledger: &mut Ledger,
) -> Check {
    let mut probe = HttpProbe { tls, matcher: Some("200-299".to_owned()), ..HttpProbe::default() };
    if let Some((host, line)) = times.virtual_host.take() {
        probe.host = Some(host);
        times.lines.push(line);
    }
    let mut urls = 0_u32;
    others.retain(|other| match other.word(0) {
        "url" if urls == 0 => {
            urls += 1;
            times.lines.extend(other.frame());
            for child in &other.children {
                url(child, &mut probe, &mut times.lines, ledger);
            }
            false
        }
        "url" => {
            let message = "a second url: a target group has one check with one path";
            ledger.remark(Kind::Hand, other.lines(), message);
            false
        }
        "virtualhost" => {
            probe.host = Some(other.word(1).to_owned());
            times.lines.push(other.line);
            false
        }
        "enable_sni" | "http_protocol" => {
            times.lines.push(other.line);
            false
        }
        _ => true,
    });
    times.check(Probe::Http(probe), RETRIES_OF_REQUESTS, node)
}

fn url(node: &Node, probe: &mut HttpProbe, lines: &mut Vec<usize>, ledger: &mut Ledger) {
    let value = node.word(1);
    match node.word(0) {
        "path" => probe.path = Some(value.to_owned()),
        "virtualhost" => probe.host = Some(value.to_owned()),
        // Codes and ranges, as in `200-299 301`.
        "status_code" => probe.matcher = Some(node.words[1..].join(",")),
        "digest" => {
            ledger.hand(
                node.line,
                "digest: xelb compares no hash of the body; `body` looks for a text in it",
            );
            return;
        }
        other => {
            ledger.hand(node.line, format!("`{}` of url: see `body` and `matcher`", brief(other)));
            return;
        }
    }
    lines.push(node.line);
}
