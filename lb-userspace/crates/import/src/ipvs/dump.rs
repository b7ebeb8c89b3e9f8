//! Rules as `ipvsadm -S -n` writes them: `-A -t VIP:PORT -s SCHEDULER`, `-a -t VIP:PORT -r SERVER ...`.

use std::collections::HashMap;

use lb_common::target::Mode;
use lb_config::Protocol;

use super::scheduler::{persistence, scheduler};
use crate::{
    address,
    ledger::Ledger,
    remark::{Kind, brief},
    service::{Endpoint, Server, Service, Vip},
};

/// Services so far.
#[derive(Debug, Default)]
pub(super) struct Rules {
    services: Vec<Service>,
    /// Where a service is, by protocol, address and port.
    known: HashMap<(Protocol, String), usize>,
    /// How many lines had the form of a rule or service.
    pub(super) seen: usize,
}

/// A forwarding method of IPVS, or why it has no counterpart.
pub(super) type Method = Result<Mode, &'static str>;

/// One rule, taken apart.
#[derive(Debug, Default)]
struct Rule<'a> {
    verb: Option<char>,
    service: Option<(Option<Protocol>, &'a str)>,
    server: Option<&'a str>,
    scheduler: Option<&'a str>,
    flags: &'a str,
    is_persistent: bool,
    is_one_packet: bool,
    weight: Option<&'a str>,
    method: Option<Method>,
    tunnel: Option<&'a str>,
    tunnel_port: Option<&'a str>,
    /// Options without a counterpart.
    others: Vec<&'a str>,
}

/// Long options and the short ones that they are.
const LONG: &[(&str, &str)] = &[
    ("--add-service", "-A"),
    ("--edit-service", "-E"),
    ("--delete-service", "-D"),
    ("--add-server", "-a"),
    ("--edit-server", "-e"),
    ("--delete-server", "-d"),
    ("--clear", "-C"),
    ("--tcp-service", "-t"),
    ("--udp-service", "-u"),
    ("--sctp-service", "--sctp"),
    ("--fwmark-service", "-f"),
    ("--scheduler", "-s"),
    ("--persistent", "-p"),
    ("--sched-flags", "-b"),
    ("--real-server", "-r"),
    ("--gatewaying", "-g"),
    ("--ipip", "-i"),
    ("--masquerading", "-m"),
    ("--weight", "-w"),
    ("--ops", "-o"),
    ("--netmask", "-M"),
    ("--u-threshold", "-x"),
    ("--l-threshold", "-y"),
];

impl<'a> Rule<'a> {
    fn of(words: &[&'a str]) -> Self {
        let mut rule = Self::default();
        let mut words = words.iter().copied().peekable();
        while let Some(word) = words.next() {
            let short =
                LONG.iter().find(|(long, _)| *long == word).map_or(word, |(_, short)| short);
            let mut value = || words.next_if(|next| !next.starts_with('-'));
            match short {
                "-A" | "-E" | "-a" | "-e" | "-D" | "-d" | "-C" => {
                    rule.verb = short.chars().nth(1);
                }
                // As in `-at ADDRESS`, the way that some write it.
                "-At" | "-at" | "-Au" | "-au" => {
                    rule.verb = short.chars().nth(1);
                    let tcp = short.ends_with('t');
                    let protocol = if tcp { Protocol::Tcp } else { Protocol::Udp };
                    rule.service = value().map(|place| (Some(protocol), place));
                }
                "-t" => rule.service = value().map(|place| (Some(Protocol::Tcp), place)),
                "-u" => rule.service = value().map(|place| (Some(Protocol::Udp), place)),
                "--sctp" => rule.service = value().map(|place| (None, place)),
                "-f" => rule.service = value().map(|mark| (None, mark)),
                "-r" => rule.server = value(),
                "-s" => rule.scheduler = value(),
                // In services it has flags of the scheduler; DPVS has it for servers: full NAT.
                "-b" => match value() {
                    Some(flags) => rule.flags = flags,
                    None => rule.method = Some(Ok(Mode::Fullnat)),
                },
                "-p" => {
                    rule.is_persistent = true;
                    let _seconds = value();
                }
                "-o" => rule.is_one_packet = true,
                "-w" => rule.weight = value(),
                "-g" => rule.method = Some(Ok(Mode::L2dsr)),
                "-i" => rule.method = Some(Ok(Mode::Ipip)),
                "-m" => rule.method = Some(Ok(Mode::Nat)),
                "--tun-type" => rule.tunnel = value(),
                "--tun-port" => rule.tunnel_port = value(),
                "-n" | "--numeric" => {}
                _ => {
                    rule.others.push(word);
                    let _value = value();
                }
            }
        }
        rule
    }

    /// The forwarding method, with the kind of tunnel.
    fn method(&self) -> Method {
        match (self.method.unwrap_or(Ok(Mode::L2dsr)), self.tunnel) {
            (Ok(Mode::Ipip), Some("gue")) => Ok(Mode::Gue),
            (Ok(Mode::Ipip), Some("gre")) => Err("tunnels with GRE; ipip and gue are there"),
            (method, _) => method,
        }
    }
}

impl Rules {
    /// One command.
    pub(super) fn command(&mut self, line: usize, words: &[&str], ledger: &mut Ledger) {
        let rule = Rule::of(words);
        match rule.verb {
            Some('A' | 'E') => self.service_rule(line, &rule, ledger),
            Some('a' | 'e') => self.server_rule(line, &rule, ledger),
            Some('C') => {
                self.seen += 1;
                ledger.dropped(line, "-C clears the table; a document of xelb is always whole");
            }
            Some(_) => {
                ledger.hand(
                    line,
                    "a rule that deletes: give the table that results, as \
                    `ipvsadm -S -n` prints it",
                );
            }
            None => ledger.dropped(line, "this command makes no service and no server"),
        }
        for other in rule.others {
            let reason = match other {
                "-M" => "the whole address of a client is hashed, not its network",
                "-x" | "-y" => "limits of connections: xelb counts none for a target",
                "--pe" => "persistence by SIP call: xelb looks at addresses and ports only",
                other if other.starts_with("--tun-") => "xelb chooses checksums itself",
                _ => "it is no part of a service or server of xelb",
            };
            ledger.dropped(line, format!("option {}: {reason}", brief(other)));
        }
    }

    fn service_rule(&mut self, line: usize, rule: &Rule<'_>, ledger: &mut Ledger) {
        self.seen += 1;
        let Some((protocol, place)) = rule.service else {
            ledger.hand(line, "the rule names no service (-t or -u ADDRESS:PORT)");
            return;
        };
        let Some(service) = self.add(line, protocol, place, ledger) else { return };
        let name = rule.scheduler.unwrap_or("wlc");
        scheduler(service, name, rule.flags, line, ledger);
        if rule.is_persistent {
            persistence(service, line, ledger);
        }
        service.is_stateless = rule.is_one_packet;
    }

    /// Adds a service; `None`, with a remark, when it has no counterpart.
    pub(super) fn add(
        &mut self,
        line: usize,
        protocol: Option<Protocol>,
        place: &str,
        ledger: &mut Ledger,
    ) -> Option<&mut Service> {
        let Some(protocol) = protocol else {
            let message = "a service by firewall mark, or of SCTP: listeners are TCP or UDP, by \
                           address and port; a listener may have a prefix and a range of ports";
            ledger.dropped(line, message);
            return None;
        };
        let (vip, port) = match endpoint(place) {
            Ok(parts) => parts,
            Err(message) => {
                ledger.hand(line, message);
                return None;
            }
        };
        let name = service_name(protocol, &vip.to_string(), port);
        let mut service = Service::new(&name, Mode::L2dsr, line);
        service.protocol = protocol;
        if port == 0 {
            ledger.hand(
                line,
                "port 0 becomes `port: all`: add a `health_check` with the port that \
                is to be probed; the agent asks for `allow_own_address` if the VIP is the host's",
            );
        }
        service.endpoints.push(Endpoint {
            name,
            address: Vip::Address(vip),
            first_port: port.max(1),
            last_port: if port == 0 { u16::MAX } else { port },
            idle_s: None,
            span: (line, line),
            lines: vec![line],
        });
        self.known.insert((protocol, place.to_owned()), self.services.len());
        self.services.push(service);
        self.services.last_mut()
    }

    fn server_rule(&mut self, line: usize, rule: &Rule<'_>, ledger: &mut Ledger) {
        self.seen += 1;
        let Some((protocol, place)) = rule.service else {
            ledger.hand(line, "the rule names no service (-t or -u ADDRESS:PORT)");
            return;
        };
        let known = protocol.and_then(|protocol| self.known.get(&(protocol, place.to_owned())));
        let Some(index) = known.copied() else {
            ledger.dropped(line, "the service of this server is not imported");
            return;
        };
        let Some(server) = rule.server else {
            ledger.hand(line, "the rule names no server (-r ADDRESS:PORT)");
            return;
        };
        self.server(index, line, server, rule.weight.unwrap_or("1"), rule.method(), ledger);
        if let (Some(text), Some(service)) = (rule.tunnel_port, self.services.get_mut(index)) {
            match address::port(text) {
                Ok(port) => service.gue_port = Some(port),
                Err(message) => ledger.hand(line, message),
            }
        }
    }

    /// The last service, for the servers below it.
    pub(super) fn last(&self) -> Option<usize> {
        self.services.len().checked_sub(1)
    }

    /// Adds a server to a service.
    pub(super) fn server(
        &mut self,
        index: usize,
        line: usize,
        place: &str,
        weight: &str,
        method: Method,
        ledger: &mut Ledger,
    ) {
        let Some(service) = self.services.get_mut(index) else { return };
        let mode = match method {
            Ok(mode) => mode,
            Err(reason) => {
                ledger.dropped(line, reason);
                return;
            }
        };
        let Ok(weight) = weight.parse() else {
            ledger.hand(line, format!("`{}` is not a weight", brief(weight)));
            return;
        };
        let (address, port) = match server_place(place) {
            Ok(parts) => parts,
            Err(message) => {
                ledger.hand(line, message);
                return;
            }
        };
        if service.servers.is_empty() {
            service.forwarding = mode;
        } else if service.forwarding != mode {
            let message = format!(
                "server of mode {} in a service of mode {}: a target group has one mode",
                mode.name(),
                service.forwarding.name()
            );
            ledger.remark(Kind::Hand, [line], message);
            return;
        }
        if weight == 0 {
            ledger.changed(line, "weight 0: the target takes no new flows");
        }
        service.span.1 = line;
        let address = address.into();
        service.servers.push(Server { address, port, weight, backup: false, lines: vec![line] });
    }

    /// The services, with what holds for all of them.
    pub(super) fn finish(self, ledger: &mut Ledger) -> Vec<Service> {
        if self.services.iter().any(|service| !service.servers.is_empty()) {
            ledger.remark(
                Kind::Changed,
                [],
                "IPVS checks no health; xelb does: TCP targets with a connection every 5s; say \
                 otherwise in `health_check`",
            );
        }
        self.services
    }
}

fn endpoint(place: &str) -> Result<(std::net::IpAddr, u16), String> {
    let (host, port) = address::split_port(place);
    let vip = address::address(host).map_err(|message| numeric(&message))?;
    match port {
        None | Some("0") => Ok((vip, 0)),
        Some(port) => Ok((vip, address::port(port).map_err(|message| numeric(&message))?)),
    }
}

fn server_place(place: &str) -> Result<(std::net::IpAddr, Option<u16>), String> {
    let (host, port) = address::split_port(place);
    let server = address::address(host).map_err(|message| numeric(&message))?;
    match port {
        None | Some("0") => Ok((server, None)),
        Some(port) => Ok((server, Some(address::port(port).map_err(|message| numeric(&message))?))),
    }
}

/// Names of hosts and ports come from a missing `-n`.
fn numeric(message: &str) -> String {
    format!("{message}; give the output of `ipvsadm -S -n`, with numbers")
}

/// A name that says protocol, address and port.
fn service_name(protocol: Protocol, address: &str, port: u16) -> String {
    match port {
        0 => format!("{protocol}-{address}"),
        port => format!("{protocol}-{address}-{port}"),
    }
}
