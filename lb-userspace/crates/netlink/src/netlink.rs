//! The two netlink sockets: one for requests, one for events. I/O only; what the bytes mean is
//! `decode`'s to say.
//!
//! It deliberately uses plain sockets instead of rtnetlink's connection: that one sends one
//! request per wake-up, and a reply that it cannot decode leaves its request waiting forever. Here
//! many requests go in one datagram, and each ends with its sequence number, decodable or not.

use std::{collections::BTreeMap, io, net::IpAddr, time::Duration};

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_MULTIPART, NLM_F_REQUEST,
};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_sys::{AsyncSocket, AsyncSocketExt, SocketAddr, TokioSocket, protocols::NETLINK_ROUTE};
use nix::sys::socket::{setsockopt, sockopt::RcvBufForce};

use super::{
    decode::{self, Event, Message},
    encode,
    neighbour_refresh::Ask,
    rtnetlink::{Link, Neighbour, NeighbourKey, Route},
};

/// Why next hops cannot be followed.
#[derive(Debug, thiserror::Error)]
pub enum ResolverError {
    /// It was started outside a tokio runtime.
    #[error("next hops can only be followed inside a tokio runtime (this is a bug of xelb)")]
    NoRuntime(#[source] tokio::runtime::TryCurrentError),
    /// The kernel gave no socket.
    #[error(
        "cannot open a netlink socket to follow routes and neighbours; is AF_NETLINK allowed \
         (systemd: RestrictAddressFamilies)?"
    )]
    Socket(#[source] io::Error),
    /// The kernel does not tell about changes.
    #[error("cannot subscribe to netlink group {group} to follow routes and neighbours")]
    Subscribe {
        /// Name of the group, as in linux/rtnetlink.h.
        group: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// What changes next hops, with names for people.
const GROUPS: [(u32, &str); 9] = [
    (libc::RTNLGRP_LINK, "RTNLGRP_LINK"),
    (libc::RTNLGRP_NEIGH, "RTNLGRP_NEIGH"),
    (libc::RTNLGRP_IPV4_IFADDR, "RTNLGRP_IPV4_IFADDR"),
    (libc::RTNLGRP_IPV4_ROUTE, "RTNLGRP_IPV4_ROUTE"),
    (libc::RTNLGRP_IPV4_RULE, "RTNLGRP_IPV4_RULE"),
    (libc::RTNLGRP_IPV6_IFADDR, "RTNLGRP_IPV6_IFADDR"),
    (libc::RTNLGRP_IPV6_ROUTE, "RTNLGRP_IPV6_ROUTE"),
    (libc::RTNLGRP_IPV6_RULE, "RTNLGRP_IPV6_RULE"),
    (libc::RTNLGRP_NEXTHOP, "RTNLGRP_NEXTHOP"),
];

/// The one that old kernels (before 5.3) do not have; they have no nexthop objects either.
const GROUP_OPTIONAL: u32 = libc::RTNLGRP_NEXTHOP;

/// The kernel's datagrams are at most 32 KiB (commit d35c99ff77ec, Linux 4.9).
const DATAGRAM_BYTES_MAX: usize = 64 * 1024;

/// Room for bursts of events: 1,000 neighbours that change at once take about 1 MiB of the
/// kernel's accounting.
const RECEIVE_BYTES: usize = 4 * 1024 * 1024;

/// Events that an overrun throws away at most: more than the buffer holds, so that only a host
/// that makes them faster than they are thrown away gets there.
const DISCARD_MAX: usize = 1 << 16;

/// Requests in one datagram. Their replies wait in the socket's buffer, at about 1 KiB each.
const BATCH_MAX: usize = 64;

/// The kernel answers at once; longer than this means that a reply was lost.
const REPLY_TIMEOUT: Duration = Duration::from_secs(5);

/// The socket for requests.
pub(super) struct Requests {
    socket: TokioSocket,
    sequence: u32,
    buffer: Vec<u8>,
}

/// The socket for events.
pub(super) struct Events {
    socket: TokioSocket,
    buffer: Vec<u8>,
}

/// Everything that the kernel said to one request.
pub(super) struct Reply<T> {
    /// What was decoded of it.
    pub(super) values: Vec<T>,
    /// The kernel's refusal.
    pub(super) errno: Option<i32>,
    done: bool,
}

/// What changes interfaces.
pub(super) const LINK_GROUPS: [(u32, &str); 1] = [(libc::RTNLGRP_LINK, "RTNLGRP_LINK")];

/// What changes the addresses of interfaces.
pub(super) const ADDRESS_GROUPS: [(u32, &str); 2] = [
    (libc::RTNLGRP_IPV4_IFADDR, "RTNLGRP_IPV4_IFADDR"),
    (libc::RTNLGRP_IPV6_IFADDR, "RTNLGRP_IPV6_IFADDR"),
];

impl Events {
    /// Subscribes to what changes next hops, in the network namespace of the calling thread.
    pub(super) fn open() -> Result<Self, ResolverError> {
        Self::of(&GROUPS)
    }

    /// Subscribes to these groups, in the network namespace of the calling thread.
    pub(super) fn of(groups: &[(u32, &'static str)]) -> Result<Self, ResolverError> {
        let mut socket = open()?;
        for &(group, name) in groups {
            match socket.socket_mut().add_membership(group) {
                Err(source) if group != GROUP_OPTIONAL => {
                    return Err(ResolverError::Subscribe { group: name, source });
                }
                _ => {}
            }
        }
        let buffer = Vec::with_capacity(DATAGRAM_BYTES_MAX);
        Ok(Self { socket, buffer })
    }

    /// Waits for the next events. Safe to cancel: nothing is lost.
    pub(super) async fn next(&mut self) -> io::Result<Vec<Event>> {
        match receive(&self.socket, &mut self.buffer).await {
            Ok(()) => Ok(decode::messages(&self.buffer).filter_map(decode::event).collect()),
            Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => {
                self.discard();
                Ok(vec![Event::Overrun])
            }
            Err(error) => Err(error),
        }
    }

    /// Throws away what waits. After an overrun, the oldest events are in the buffer and the newest
    /// are lost: processed after a full dump, they would restore an outdated state for good.
    fn discard(&mut self) {
        for _ in 0..DISCARD_MAX {
            self.buffer.clear();
            let received = self.socket.socket_ref().recv_from(&mut self.buffer, 0);
            // Losing more meanwhile (ENOBUFS) changes nothing.
            if received.is_err_and(|error| error.raw_os_error() != Some(libc::ENOBUFS)) {
                return;
            }
        }
    }
}

impl Requests {
    /// Opens it in the network namespace of the calling thread.
    pub(super) fn open() -> Result<Self, ResolverError> {
        Ok(Self { socket: open()?, sequence: 0, buffer: Vec::with_capacity(DATAGRAM_BYTES_MAX) })
    }

    /// All interfaces, by index.
    pub(super) async fn links(&mut self) -> io::Result<BTreeMap<u32, Link>> {
        self.dump(encode::all_links(), |message| {
            (message.kind == libc::RTM_NEWLINK).then(|| decode::link(message.payload)).flatten()
        })
        .await
        .map(BTreeMap::from_iter)
    }

    /// All neighbours of both families.
    pub(super) async fn neighbours(&mut self) -> io::Result<BTreeMap<NeighbourKey, Neighbour>> {
        self.dump(encode::all_neighbours(), |message| {
            (message.kind == libc::RTM_NEWNEIGH)
                .then(|| decode::neighbour(message.payload))
                .flatten()
        })
        .await
        .map(BTreeMap::from_iter)
    }

    /// How packets to these addresses would go, in their order.
    pub(super) async fn routes(&mut self, addresses: &[IpAddr]) -> io::Result<Vec<Route>> {
        let requests =
            addresses.iter().map(|address| (encode::route(*address), NLM_F_REQUEST)).collect();
        let replies = self.exchange(requests, |message| {
            (message.kind == libc::RTM_NEWROUTE)
                .then(|| decode::route(message.payload).unwrap_or(Route::Failed(libc::EBADMSG)))
        });
        Ok(replies
            .await?
            .into_iter()
            .map(|reply| match (reply.errno, reply.values.into_iter().next()) {
                (None, Some(route)) => route,
                (None, None) => Route::Failed(libc::EBADMSG),
                (Some(errno), _) => decode::route_refusal(errno),
            })
            .collect())
    }

    /// Asks the kernel to resolve neighbours and to keep them; the errno of each, if it refused.
    pub(super) async fn keep(&mut self, asks: &[Ask]) -> io::Result<Vec<Option<i32>>> {
        let flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE;
        let requests = asks.iter().map(|ask| (encode::neighbour(ask, true), flags)).collect();
        let replies = self.exchange(requests, |_| None::<()>).await?;
        Ok(replies.into_iter().map(|reply| reply.errno).collect())
    }

    /// Takes the mark "managed" off neighbours. It neither waits nor reads the answer, so that a
    /// destructor may do it; the kernel handles a request while it is being sent.
    pub(super) fn release(&mut self, asks: &[Ask]) {
        for batch in asks.chunks(BATCH_MAX) {
            let mut datagram = Vec::new();
            for ask in batch {
                self.sequence = self.sequence.wrapping_add(1);
                let request = encode::neighbour(ask, false);
                encode::append(request, NLM_F_REQUEST, self.sequence, &mut datagram);
            }
            let sent = self.socket.socket_ref().send_to(&datagram, &SocketAddr::new(0, 0), 0);
            if let Err(error) = sent {
                tracing::debug!(%error, "neighbours stay marked as managed");
            }
        }
    }

    /// Asks for a whole table; the first refusal ends it.
    pub(super) async fn dump<T>(
        &mut self,
        request: RouteNetlinkMessage,
        decode: fn(Message<'_>) -> Option<T>,
    ) -> io::Result<Vec<T>> {
        let request = vec![(request, NLM_F_REQUEST | NLM_F_DUMP)];
        let replies = self.exchange(request, decode).await?;
        let mut values = Vec::new();
        for reply in replies {
            if let Some(errno) = reply.errno {
                return Err(io::Error::from_raw_os_error(errno));
            }
            values.extend(reply.values);
        }
        Ok(values)
    }

    /// Sends requests, many in a datagram, and gathers what the kernel says to each.
    pub(super) async fn exchange<T>(
        &mut self,
        requests: Vec<(RouteNetlinkMessage, u16)>,
        decode: fn(Message<'_>) -> Option<T>,
    ) -> io::Result<Vec<Reply<T>>> {
        let mut requests = requests.into_iter();
        let mut replies = Vec::new();
        loop {
            let first = self.sequence.wrapping_add(1);
            let mut batch = Vec::new();
            let mut datagram = Vec::new();
            for (request, flags) in requests.by_ref().take(BATCH_MAX) {
                self.sequence = self.sequence.wrapping_add(1);
                encode::append(request, flags, self.sequence, &mut datagram);
                batch.push(Reply::new());
            }
            if batch.is_empty() {
                return Ok(replies);
            }
            let kernel = SocketAddr::new(0, 0);
            self.socket.send_to(&datagram, &kernel).await?;
            tokio::time::timeout(REPLY_TIMEOUT, self.collect(first, &mut batch, decode)).await??;
            replies.append(&mut batch);
        }
    }

    /// Reads until each reply of a batch is complete. Answers to earlier requests, which a
    /// time-out may leave behind, are skipped.
    async fn collect<T>(
        &mut self,
        first: u32,
        batch: &mut [Reply<T>],
        decode: fn(Message<'_>) -> Option<T>,
    ) -> io::Result<()> {
        while batch.iter().any(|reply| !reply.done) {
            receive(&self.socket, &mut self.buffer).await?;
            for message in decode::messages(&self.buffer) {
                let index = usize::try_from(message.sequence.wrapping_sub(first));
                let Some(reply) = index.ok().and_then(|index| batch.get_mut(index)) else {
                    continue;
                };
                reply.take(message, decode);
            }
        }
        Ok(())
    }
}

impl<T> Reply<T> {
    const fn new() -> Self {
        Self { values: Vec::new(), errno: None, done: false }
    }

    fn take(&mut self, message: Message<'_>, decode: fn(Message<'_>) -> Option<T>) {
        if message.flags & NLM_F_DUMP_INTR != 0 {
            // The table changed during the dump: what it gave may have holes.
            self.errno = Some(libc::EINTR);
        }
        match i32::from(message.kind) {
            libc::NLMSG_ERROR | libc::NLMSG_DONE => {
                self.done = true;
                let code = message.payload.first_chunk().copied();
                let code = code.map_or(0, i32::from_ne_bytes);
                if code < 0 {
                    self.errno = Some(-code);
                }
            }
            _ => {
                self.values.extend(decode(message));
                self.done |= message.flags & NLM_F_MULTIPART == 0;
            }
        }
    }
}

fn open() -> Result<TokioSocket, ResolverError> {
    // TokioSocket::new panics outside a runtime.
    tokio::runtime::Handle::try_current().map_err(ResolverError::NoRuntime)?;
    let mut socket = TokioSocket::new(NETLINK_ROUTE).map_err(ResolverError::Socket)?;
    socket.socket_mut().bind_auto().map_err(ResolverError::Socket)?;
    // Without CAP_NET_ADMIN the default has to do: a burst then costs a resync.
    if let Err(error) = setsockopt(socket.socket_ref(), RcvBufForce, &RECEIVE_BYTES) {
        tracing::debug!(%error, "netlink socket keeps its default buffer");
    }
    Ok(socket)
}

/// Reads one datagram of the kernel; those of other processes are skipped.
async fn receive(socket: &TokioSocket, buffer: &mut Vec<u8>) -> io::Result<()> {
    loop {
        buffer.clear();
        if socket.recv_from(buffer).await?.port_number() == 0 {
            return Ok(());
        }
    }
}
