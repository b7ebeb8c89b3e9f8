//! A look at packets that an XDP program passes to the stack: whether their senders have left checksums to a
//! device that is not there (CHECKSUM_PARTIAL), as between containers of one machine.

use std::{
    io,
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
};

/// Packets that are read at a time.
const PACKETS_MAX: usize = 256;
/// Room for a few packets: one without its checksum is enough, and the rest costs the kernel nothing.
const RECEIVE_BYTES: libc::c_int = 64 * 1024;
/// Bytes of `struct virtio_net_hdr` (linux/virtio_net.h).
const HEADER_BYTES: usize = 10;
const VIRTIO_NET_HDR_F_NEEDS_CSUM: u8 = 1;
/// linux/if_packet.h
const PACKET_VNET_HDR: libc::c_int = 15;

/// A socket that reads heads of IPv4 packets that arrive at an interface.
#[derive(Debug)]
pub struct ChecksumSniffer {
    socket: OwnedFd,
}

impl ChecksumSniffer {
    /// Opens it in the network namespace of the calling thread.
    pub fn open(index: u32) -> io::Result<Self> {
        let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
        // SAFETY: no pointers. Protocol 0 receives nothing before the socket is bound.
        let descriptor = unsafe { libc::socket(libc::AF_PACKET, kind, 0) };
        if descriptor < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor is new, and has no other owner.
        let socket = unsafe { OwnedFd::from_raw_fd(descriptor) };
        set(&socket, libc::SOL_SOCKET, libc::SO_RCVBUF, RECEIVE_BYTES)?;
        set(&socket, libc::SOL_PACKET, PACKET_VNET_HDR, 1)?;
        // SAFETY: numbers only, for which zero is a value.
        let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
        address.sll_family = u16::try_from(libc::AF_PACKET).unwrap_or_default();
        // IPv4, not all: what this host sends is then left out.
        address.sll_protocol = u16::try_from(libc::ETH_P_IP).unwrap_or_default().to_be();
        address.sll_ifindex = i32::try_from(index).unwrap_or_default();
        let length = libc::socklen_t::try_from(size_of_val(&address)).unwrap_or_default();
        // SAFETY: the kernel reads `length` bytes of `address`, which lives until the call returns.
        let bound = unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), length) };
        if bound < 0 { Err(io::Error::last_os_error()) } else { Ok(Self { socket }) }
    }

    /// Reads what has arrived; says whether a packet of it has no checksum yet.
    #[must_use]
    pub fn has_seen_partial(&self) -> bool {
        let mut seen = false;
        for _ in 0..PACKETS_MAX {
            let mut head = [0_u8; HEADER_BYTES];
            // SAFETY: the kernel writes at most `HEADER_BYTES` bytes to `head`, which this function owns.
            let received = unsafe {
                libc::recv(self.socket.as_raw_fd(), head.as_mut_ptr().cast(), head.len(), 0)
            };
            if received <= 0 {
                break;
            }
            seen |= head[0] & VIRTIO_NET_HDR_F_NEEDS_CSUM != 0;
        }
        seen
    }
}

fn set(socket: &OwnedFd, level: i32, option: i32, value: libc::c_int) -> io::Result<()> {
    let length = libc::socklen_t::try_from(size_of_val(&value)).unwrap_or_default();
    // SAFETY: the kernel reads `length` bytes of `value`, which lives until the call returns.
    let result = unsafe {
        libc::setsockopt(socket.as_raw_fd(), level, option, (&raw const value).cast(), length)
    };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
