//! The table that `ipvsadm -L -n` prints: a service a line, and its servers below it.

use lb_common::target::Mode;
use lb_config::Protocol;

use super::{
    dump::{Method, Rules},
    scheduler::{persistence, scheduler},
};
use crate::{ledger::Ledger, remark::brief};

/// What the lines with `->` belong to.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place {
    /// Nothing: no service has come.
    Outside,
    /// The service with this number.
    Service(usize),
    /// A service that is not imported.
    Refused,
}

/// One line.
pub(super) fn line(
    number: usize,
    words: &[&str],
    place: &mut Place,
    rules: &mut Rules,
    ledger: &mut Ledger,
) {
    match words {
        ["IP", "Virtual", "Server", ..] | ["Prot", ..] | ["->", "RemoteAddress:Port", ..] => {
            ledger.dropped(number, "a heading of the table");
        }
        ["TCP", vip, rest @ ..] => {
            service(number, Some(Protocol::Tcp), vip, rest, place, rules, ledger);
        }
        ["UDP", vip, rest @ ..] => {
            service(number, Some(Protocol::Udp), vip, rest, place, rules, ledger);
        }
        ["SCTP" | "FWM", vip, rest @ ..] => service(number, None, vip, rest, place, rules, ledger),
        ["->", server, method, weight, ..] => match *place {
            Place::Service(index) => {
                rules.server(index, number, server, weight, method_of(method), ledger);
            }
            Place::Refused => {
                ledger.dropped(number, "the service of this server is not imported");
            }
            Place::Outside => ledger.hand(number, "a server without a service above it"),
        },
        _ => {
            let message = format!("`{}` is no line of `ipvsadm -S -n` or `-L -n`", first(words));
            ledger.dropped(number, message);
        }
    }
}

fn first(words: &[&str]) -> String {
    brief(words.first().copied().unwrap_or_default())
}

fn method_of(name: &str) -> Method {
    match name {
        "Route" => Ok(Mode::L2dsr),
        "Tunnel" => Ok(Mode::Ipip),
        "Masq" => Ok(Mode::Nat),
        "FullNat" => Ok(Mode::Fullnat),
        "Local" => {
            Err("forwarding Local, a server on the balancer itself: a target is another host")
        }
        _ => Err("this forwarding method is not known; Route, Tunnel and Masq are"),
    }
}

fn service(
    number: usize,
    protocol: Option<Protocol>,
    vip: &str,
    rest: &[&str],
    place: &mut Place,
    rules: &mut Rules,
    ledger: &mut Ledger,
) {
    rules.seen += 1;
    *place = Place::Refused;
    let Some(service) = rules.add(number, protocol, vip, ledger) else { return };
    let mut words = rest.iter().copied().peekable();
    let name = words.next().unwrap_or("wlc");
    let is_flag = |word: &&str| word.starts_with('(') || word.contains("-port");
    let flags = words.next_if(is_flag).unwrap_or_default();
    scheduler(service, name, flags.trim_matches(['(', ')']), number, ledger);
    while let Some(word) = words.next() {
        match word {
            "persistent" => {
                let _seconds = words.next();
                persistence(service, number, ledger);
            }
            "ops" => service.is_stateless = true,
            "mask" | "pe" => {
                let _value = words.next();
                ledger.dropped(
                    number,
                    format!("`{word}` of the persistence: the whole address of a client is hashed"),
                );
            }
            other => {
                ledger.dropped(number, format!("`{}` of the service: not known", brief(other)));
            }
        }
    }
    if let Some(index) = rules.last() {
        *place = Place::Service(index);
    }
}
