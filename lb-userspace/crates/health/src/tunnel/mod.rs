//! Probes through the tunnel (`via: tunnel`): targets get the same packets as from clients, with
//! the same encapsulation and the VIP inside. A target without a decapsulator or without the VIP
//! then fails its checks, instead of being a black hole.
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
//! `probe_path`, `socket_registry` and `encapsulation` are pure; `tun_device`, `routing` and `frame_socket` talk to the kernel.
//! [`TunnelSetup`] is the agent's side, [`TunnelProber`] that of the scheduler.

mod encapsulation;
mod frame_socket;
mod instance;
mod lock;
mod probe_in_flight;
mod probe_path;
mod prober;
mod routing;
mod setup;
mod shared;
mod socket_registry;
mod source_address;
mod tun_device;
mod tun_reader;
mod tunnel_probe;

pub use probe_path::{ProbePath, ProbePaths, ProbeRoute, vip_of};
pub use prober::TunnelProber;
pub use setup::TunnelSetup;
pub use tunnel_probe::TunnelProbe;

use std::io;

/// Why probes cannot use the tunnel.
#[derive(Debug, thiserror::Error)]
enum TunnelError {
    #[error(
        "cannot open /dev/net/tun ({0}): load the module tun, and give the agent access to the \
         device (containers: --device /dev/net/tun; systemd: PrivateDevices=no, DeviceAllow)"
    )]
    Open(io::Error),
    #[error(
        "the interfaces xelb-probe0 to xelb-probe7 exist already: too many agents run in this \
         network namespace, or another program has created them (`ip link del` removes them)"
    )]
    Taken,
    #[error("cannot create the interface {device} ({error}): the agent needs CAP_NET_ADMIN")]
    Make { device: String, error: io::Error },
    #[error("cannot open a packet socket ({0}): the agent needs CAP_NET_RAW")]
    PacketSocket(io::Error),
    #[error("cannot {what} ({error})")]
    Netlink { what: String, error: io::Error },
    #[error("the interface of probes was removed ({0})")]
    Gone(io::Error),
}
