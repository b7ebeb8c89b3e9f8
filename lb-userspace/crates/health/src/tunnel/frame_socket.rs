//! Frames, put on an interface without help of the kernel's stack.

use std::{
    io,
    mem::size_of,
    os::fd::{AsRawFd as _, OwnedFd},
};

use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};

use super::{TunnelError, encapsulation::Frame};

/// A packet socket (packet(7)) that receives nothing.
#[derive(Debug)]
pub(super) struct FrameSocket(OwnedFd);

impl FrameSocket {
    pub(super) fn open() -> Result<Self, TunnelError> {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        // No protocol: nothing is received.
        let socket = socket(AddressFamily::Packet, SockType::Raw, flags, None);
        socket.map(Self).map_err(|errno| TunnelError::PacketSocket(errno.into()))
    }

    /// Sends a frame out of its interface, or not at all.
    pub(super) fn send(&self, frame: &Frame) -> io::Result<()> {
        let mut address = libc::sockaddr_ll {
            sll_family: 0,
            sll_protocol: 0,
            sll_ifindex: i32::try_from(frame.interface).map_err(io::Error::other)?,
            sll_hatype: 0,
            sll_pkttype: 0,
            sll_halen: 0,
            sll_addr: [0; 8],
        };
        address.sll_family = u16::try_from(libc::AF_PACKET).map_err(io::Error::other)?;
        let length = u32::try_from(size_of::<libc::sockaddr_ll>()).map_err(io::Error::other)?;
        // SAFETY: both pointers are to live values of the lengths given, and are only read from.
        let sent = unsafe {
            libc::sendto(
                self.0.as_raw_fd(),
                frame.bytes.as_ptr().cast(),
                frame.bytes.len(),
                0,
                (&raw const address).cast(),
                length,
            )
        };
        if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }
}
