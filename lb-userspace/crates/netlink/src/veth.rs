//! One look at a veth pair: what its other end has for frames that XDP sends. It waits for the kernel, which
//! answers at once; `xdp_transmit` judges.

use std::io;

use netlink_packet_core::NLM_F_REQUEST;
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};
use nix::sys::{
    socket::{setsockopt, sockopt::ReceiveTimeout},
    time::{TimeVal, TimeValLike as _},
};

use super::{
    FarEnd, LinkDetails, decode, encode,
    netdev::Netdev,
    network_lookup::{XdpOnLink, new_link},
    xdp_transmit,
};

/// Longer than this means that a reply was lost.
const REPLY_TIMEOUT_S: i64 = 2;

/// A veth pair, seen from one end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Veth {
    /// What the other end has for frames that XDP sends.
    pub far_end: FarEnd,
    /// Name of the other end, where it is in the same network namespace.
    pub peer: Option<String>,
}

impl Veth {
    /// Looks at the interface with this index, in the network namespace of the calling thread; `None`
    /// where it is no veth.
    pub fn inspect(index: u32) -> io::Result<Option<Self>> {
        let socket = Socket::new(NETLINK_ROUTE)?;
        setsockopt(&socket, ReceiveTimeout, &TimeVal::seconds(REPLY_TIMEOUT_S))?;
        let Some(link) = ask(&socket, index, None)?.filter(|link| link.kind == "veth") else {
            return Ok(None);
        };
        let other = match link.peer {
            // A peer in a namespace without an id here is invisible.
            Some((index, namespace)) => ask(&socket, index, namespace).unwrap_or_default(),
            None => None,
        };
        // A program in generic mode makes no NAPI context: it does not count.
        let is_native = |xdp: XdpOnLink| !xdp.generic;
        let program = other.as_ref().map(|other| other.xdp.is_some_and(is_native));
        let takes = Netdev::open()?.map(|mut netdev| netdev.takes()).transpose()?;
        let takes = takes.and_then(|takes| takes.get(&index).copied());
        let here = link.peer.is_some_and(|(_, namespace)| namespace.is_none());
        let peer = other.filter(|_| here).map(|other| other.name);
        Ok(Some(Self { far_end: xdp_transmit::far_end(program, takes), peer }))
    }
}

/// An interface; `None` where the kernel refuses.
fn ask(socket: &Socket, index: u32, namespace: Option<i32>) -> io::Result<Option<LinkDetails>> {
    let mut datagram = Vec::new();
    encode::append(encode::one_link(index, namespace), NLM_F_REQUEST, 1, &mut datagram);
    socket.send_to(&datagram, &SocketAddr::new(0, 0), 0)?;
    let (answer, _) = socket.recv_from_full()?;
    Ok(decode::messages(&answer).find_map(new_link))
}
