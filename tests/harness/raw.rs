//! Frames as a test makes them, put on an interface without help of the kernel's stack.

use std::{
    io,
    mem::{size_of, zeroed},
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
};

use crate::{
    error::{Context as _, Result},
    host::Host,
};

/// Sends a frame, from its Ethernet header on, out of an interface of a host.
pub fn send(host: &Host, interface: &str, frame: &[u8]) -> Result<()> {
    let (name, frame) = (interface.to_owned(), frame.to_vec());
    let label = format!("sending a frame out of {interface} of {}", host.name());
    host.run(move || send_here(&name, &frame)).context(|| label)
}

fn send_here(interface: &str, frame: &[u8]) -> io::Result<()> {
    let index = nix::net::if_::if_nametoindex(interface)?;
    // SAFETY: socket(2) takes no pointers. Protocol 0: nothing is received.
    let descriptor =
        unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0) };
    if descriptor < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made this descriptor for this call.
    let socket = unsafe { OwnedFd::from_raw_fd(descriptor) };
    // SAFETY: sockaddr_ll is plain numbers, for which all zeros is a value.
    let mut address: libc::sockaddr_ll = unsafe { zeroed() };
    address.sll_family = libc::AF_PACKET.try_into().map_err(io::Error::other)?;
    address.sll_ifindex = index.try_into().map_err(io::Error::other)?;
    let length = size_of::<libc::sockaddr_ll>().try_into().map_err(io::Error::other)?;
    // SAFETY: both pointers are to live values of the lengths given; nothing is written to them.
    let sent = unsafe {
        libc::sendto(
            socket.as_raw_fd(),
            frame.as_ptr().cast(),
            frame.len(),
            0,
            (&raw const address).cast(),
            length,
        )
    };
    match usize::try_from(sent) {
        Ok(sent) if sent == frame.len() => Ok(()),
        Ok(_) => Err(io::ErrorKind::WriteZero.into()),
        Err(_) => Err(io::Error::last_os_error()),
    }
}
