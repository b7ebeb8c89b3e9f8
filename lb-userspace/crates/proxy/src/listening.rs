//! Listening sockets: one for each worker, on one address (SO_REUSEPORT).

use std::{
    io,
    net::{SocketAddr, TcpListener},
};

use socket2::{Domain, Protocol, Socket, Type};

/// Connections that may wait to be accepted; the kernel bounds it by `net.core.somaxconn`.
const BACKLOG: i32 = 4096;

/// Opens a socket for each worker. With port 0 all get the port that the first one has found. With
/// `freebind` the host need not have the address: it may get it, or a route to itself, later.
pub(crate) fn listen(
    address: SocketAddr,
    workers: usize,
    freebind: bool,
) -> io::Result<Vec<TcpListener>> {
    let mut address = address;
    let mut sockets = Vec::with_capacity(workers);
    for _ in 0..workers {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        socket.set_reuse_port(true)?;
        if address.is_ipv6() {
            // An IPv4 address is a listener of its own.
            socket.set_only_v6(true)?;
        }
        match (freebind, address.is_ipv6()) {
            (true, true) => socket.set_freebind_v6(true)?,
            (true, false) => socket.set_freebind_v4(true)?,
            (false, _) => {}
        }
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        let socket = TcpListener::from(socket);
        address = socket.local_addr()?;
        sockets.push(socket);
    }
    Ok(sockets)
}
