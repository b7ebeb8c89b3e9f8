//! The path of the probes of a health check.

use lb_common::target::Mode;

use crate::{
    model::{HealthProtocol, Via},
    section::Section,
    values,
};

/// Reads `via` of the health check of a target group. `Address` if it is not set, or wrong. Without a
/// forwarding mode, that is wrong, or the group `is_proxied`.
pub(super) fn via(
    check: &Section<'_>,
    mode: Option<Mode>,
    is_proxied: bool,
    protocol: Option<&HealthProtocol>,
) -> Via {
    let read = check.read("via", |node| match node.as_text() {
        Some("address") => Ok(Via::Address),
        Some("tunnel") => Ok(Via::Tunnel),
        _ => Err(values::wrong(node, "a value of `via`: address or tunnel")),
    });
    let Some(via) = read else {
        if check.entry("via").is_none()
            && !is_proxied
            && let Some(unseen) = mode.and_then(unseen)
            && protocol.is_some_and(runs_over_tcp)
        {
            let message = format!(
                "the health check goes to the target's own address, and does not see whether the \
                 target {unseen}; set `via: tunnel` for checks that take the path of clients' \
                 packets, or `via: address`"
            );
            check.findings.warn(&check.at, message);
        }
        return Via::Address;
    };
    if via == Via::Tunnel
        && let Some(entry) = check.entry("via")
    {
        if is_proxied {
            let message = "`tunnel` belongs to forwarding ipip, gue and l2dsr; requests to this group \
                           go through the proxy, as probes with `via: address` do";
            check.findings.error(&entry.at, message);
        }
        if let Some(why) = mode.and_then(translates) {
            check.findings.error(&entry.at, why);
        }
        if protocol.is_some_and(|protocol| !runs_over_tcp(protocol)) {
            let message = "`tunnel` belongs to health checks over a TCP connection";
            check.findings.error(&entry.at, message);
        }
    }
    via
}

/// What probes to the target's own address do not see; `None` for a mode where they see all.
const fn unseen(mode: Mode) -> Option<&'static str> {
    match mode {
        Mode::Ipip | Mode::Gue => Some("unwraps tunnel packets and has the VIP"),
        Mode::L2dsr => Some("has the VIP"),
        Mode::Nat | Mode::Fullnat => None,
    }
}

/// Why probes of a mode cannot use the tunnel; `None` if they can.
fn translates(mode: Mode) -> Option<String> {
    match mode {
        Mode::Ipip | Mode::Gue | Mode::L2dsr => None,
        Mode::Nat | Mode::Fullnat => Some(format!(
            "`tunnel` belongs to forwarding ipip, gue and l2dsr; this group is {}, whose packets go \
             to the target's own address, as probes with `via: address` do",
            mode.name()
        )),
    }
}

/// Whether probes of a protocol can use the tunnel: those over a connection that `health::tcp`
/// opens.
const fn runs_over_tcp(protocol: &HealthProtocol) -> bool {
    match protocol {
        HealthProtocol::Tcp | HealthProtocol::Http(_) | HealthProtocol::Grpc(_) => true,
        HealthProtocol::Udp(_) | HealthProtocol::Icmp | HealthProtocol::Exec(_) => false,
    }
}
