//! One probe through the tunnel: from its socket to the meaning of its outcome.

use std::{
    fmt, io,
    net::SocketAddr,
    os::fd::AsFd,
    sync::{Arc, Mutex, atomic::Ordering::Relaxed},
};

use lb_common::Mode;
use lb_plan::Reason;
use socket2::SockRef;

use super::{lock::lock, probe_in_flight::ProbeInFlight, shared::Shared, source_address};
use crate::Outcome;

/// TTL and hop limit of probes: they end at the target. One that lacks the VIP and forwards
/// packets would send them back into the network, from where they come to a balancer and, by it,
/// to some other target that answers in its place.
const TTL: u32 = 1;

/// A probe through the tunnel. Dropping it ends it.
pub struct TunnelProbe {
    shared: Arc<Shared>,
    in_flight: Arc<ProbeInFlight>,
    source: SocketAddr,
    /// Local addresses of its sockets.
    locals: Mutex<Vec<SocketAddr>>,
}

impl TunnelProbe {
    pub(super) fn new(shared: Arc<Shared>, in_flight: ProbeInFlight, source: SocketAddr) -> Self {
        Self { shared, in_flight: Arc::new(in_flight), source, locals: Mutex::default() }
    }

    /// Where its sockets connect to.
    #[must_use]
    pub fn vip(&self) -> SocketAddr {
        self.in_flight.vip
    }

    #[cfg(test)]
    pub(super) fn in_flight(&self) -> &ProbeInFlight {
        &self.in_flight
    }

    /// Routes a socket through the tunnel, before it is connected.
    pub fn attach_socket(&self, socket: &impl AsFd) -> io::Result<()> {
        let socket = SockRef::from(socket);
        socket.set_mark(self.shared.mark().into())?;
        match self.in_flight.vip {
            SocketAddr::V4(_) => socket.set_ttl_v4(TTL)?,
            SocketAddr::V6(_) => socket.set_unicast_hops_v6(TTL)?,
        }
        socket.bind(&self.source.into())?;
        let local = socket.local_addr()?.as_socket();
        let local = local.ok_or_else(|| io::Error::other("the socket has no IP address"))?;
        self.shared.join(local, &self.in_flight);
        lock(&self.locals).push(local);
        Ok(())
    }

    /// The meaning of an outcome, given which packets of the probe were seen.
    pub(super) fn judge(&self, outcome: Outcome) -> Outcome {
        if matches!(outcome, Outcome::Inconclusive { .. } | Outcome::NoDescriptor(_)) {
            return outcome;
        }
        let send_error = lock(&self.in_flight.send_error).clone();
        if self.in_flight.sent.load(Relaxed) == 0 {
            // Whatever answered, the target it was not.
            let detail = send_error.unwrap_or_else(|| {
                self.shared.report_astray();
                format!(
                    "the probe did not reach the interface of probes; was its routing rule \
                     removed (`ip rule`), or does a firewall of this host drop packets with mark \
                     {:#x}?",
                    self.shared.mark()
                )
            });
            return Outcome::Inconclusive { detail };
        }
        match (outcome, send_error) {
            (Outcome::Failure { .. }, Some(detail)) => Outcome::Inconclusive { detail },
            (Outcome::Failure { reason, detail }, None) => {
                Outcome::Failure { reason, detail: self.explain(reason, &detail) }
            }
            (other, _) => other,
        }
    }

    /// Adds to the detail of a failure how the probe went, and what silence may come from.
    fn explain(&self, reason: Reason, detail: &str) -> String {
        let ProbeInFlight { vip, target, .. } = &*self.in_flight;
        let mode = Mode::try_from(target.mode).map_or("?", Mode::name);
        let mut detail = format!("{detail} (sent by {mode} to VIP {vip}");
        if reason == Reason::Timeout {
            let needs = match Mode::try_from(target.mode) {
                Ok(Mode::L2dsr) => "does it have the VIP?",
                _ => "does it unwrap packets, and does it have the VIP?",
            };
            detail = format!("{detail}: {needs}");
            if let Some(hint) = source_address::strict_source_check(*vip, target.interface) {
                detail = format!("{detail} {hint}");
            }
        }
        detail + ")"
    }
}

impl Drop for TunnelProbe {
    fn drop(&mut self) {
        for local in lock(&self.locals).drain(..) {
            self.shared.leave(local, &self.in_flight);
        }
    }
}

impl fmt::Debug for TunnelProbe {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Ride").field("vip", &self.vip()).finish_non_exhaustive()
    }
}

/// A probe equals only itself.
impl PartialEq for TunnelProbe {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.in_flight, &other.in_flight)
    }
}

impl Eq for TunnelProbe {}
