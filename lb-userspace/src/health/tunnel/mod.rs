//! Probes that take the data path's way (`via: tunnel`): what reaches a target is what a client's
//! packet would be, same encapsulation, the VIP inside. A target without a decapsulator or
//! without the VIP then fails its checks, instead of being a black hole.
//!
//! Probers use the kernel's sockets as ever, so that every protocol over them works unchanged:
//!
//! ```text
//! socket, marked, to VIP:port ── routing rule ──> TUN device ──> carrier: which probe? (registry)
//!                                                                    │ wrap: `lb_ebpf::process`
//!     ^ answer: VIP -> this host, directly                           v
//!     └──────────────────────────────── target <── frame ── packet socket
//! ```
//!
//! `aim`, `registry` and `wrap` are pure; `device`, `rules` and `frames` talk to the kernel.
//! [`TunnelKeeper`] is the agent's side, [`TunnelProber`] that of the scheduler.

mod aim;
mod carrier;
mod device;
mod frames;
mod keeper;
mod lane;
mod prober;
mod registry;
mod ride;
mod rules;
mod shared;
mod source;
mod wrap;

pub use aim::{Aim, AimTable, Lead, vip_of};
pub use keeper::TunnelKeeper;
pub use prober::TunnelProber;
pub use ride::Ride;

use std::io;

/// Why probes cannot take the data path's way.
#[derive(Debug, thiserror::Error)]
enum TunnelError {
    #[error(
        "cannot open /dev/net/tun ({0}): load the module tun, and let the agent have the device \
         (containers: --device /dev/net/tun; systemd: PrivateDevices=no, DeviceAllow)"
    )]
    Open(io::Error),
    #[error(
        "there are interfaces xelb-probe0 to xelb-probe7 already: so many agents run in this network \
         namespace, or somebody else made them (`ip link del` removes them)"
    )]
    Taken,
    #[error("cannot make the interface {device} ({error}): the agent needs CAP_NET_ADMIN")]
    Make { device: String, error: io::Error },
    #[error("cannot open a packet socket ({0}): the agent needs CAP_NET_RAW")]
    PacketSocket(io::Error),
    #[error("cannot {what} ({error})")]
    Netlink { what: String, error: io::Error },
    #[error("the interface of probes is gone ({0})")]
    Gone(io::Error),
}
