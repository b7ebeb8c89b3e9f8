//! The TUN device that probes leave by: its reader gets their IP packets from the kernel. The
//! kernel removes it when no process has it open.

use std::{
    fs::{File, OpenOptions},
    io,
    os::{fd::AsRawFd as _, unix::fs::OpenOptionsExt as _},
};

use nix::net::if_::if_nametoindex;
use tokio::io::unix::AsyncFd;

use super::{TunnelError, instance::Instance};

/// Its MTU: the least that IPv6 allows. It makes the segments of both sides small enough for any
/// path MTU, including an outer header.
pub(super) const MTU: u16 = 1280;

/// Room for one packet. A longer one, after a change of the MTU, is truncated and not parsed.
const PACKET_BYTES_MAX: usize = 2048;

#[derive(Debug)]
pub(super) struct Device {
    file: AsyncFd<File>,
    /// Whose names it has.
    pub(super) instance: Instance,
    /// Index of the interface.
    pub(super) index: u32,
}

impl Device {
    /// Makes the device of the first free lane, in the network namespace of the calling thread.
    /// Needs a tokio runtime.
    pub(super) fn make() -> Result<Self, TunnelError> {
        for instance in Instance::all() {
            let file = OpenOptions::new()
                .read(true)
                .write(true)
                .custom_flags(libc::O_NONBLOCK)
                .open("/dev/net/tun")
                .map_err(TunnelError::Open)?;
            let device = instance.device();
            match name(&file, &device).and_then(|()| Self::register(file, instance)) {
                Err(error) if error.raw_os_error() == Some(libc::EBUSY) => {}
                result => return result.map_err(|error| TunnelError::Make { device, error }),
            }
        }
        Err(TunnelError::Taken)
    }

    fn register(file: File, instance: Instance) -> io::Result<Self> {
        let index = if_nametoindex(instance.device().as_str())?;
        // SAFETY: a `File` owns its descriptor: it stays open, and the same, until it is dropped.
        let registered = unsafe { AsyncFd::register(file) };
        let file = registered.map_err(|error| error.into_parts().1)?;
        Ok(Self { file, instance, index })
    }

    /// Waits for the next packet and hands it to `take`. An error is for good: the device is gone.
    pub(super) async fn next(&self, take: impl FnOnce(&[u8])) -> io::Result<()> {
        let mut buffer = [0; PACKET_BYTES_MAX];
        loop {
            let mut ready = self.file.readable().await?;
            match ready.try_io(|file| io::Read::read(&mut file.get_ref(), &mut buffer)) {
                Ok(Ok(length)) => {
                    take(buffer.get(..length).unwrap_or_default());
                    return Ok(());
                }
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(Err(error)) => return Err(error),
                Err(_would_block) => {}
            }
        }
    }
}

/// Attaches the open file to a new interface.
fn name(file: &File, name: &str) -> io::Result<()> {
    let mut request = libc::ifreq {
        ifr_name: [0; libc::IFNAMSIZ],
        ifr_ifru: libc::__c_anonymous_ifr_ifru { ifru_ifindex: 0 },
    };
    for (room, byte) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *room = byte.cast_signed();
    }
    // Without TUN_EXCL, an interface of another process would be taken over.
    let flags = libc::IFF_TUN | libc::IFF_NO_PI | libc::IFF_TUN_EXCL;
    // The field is short and the flag its highest bit: the number may be negative.
    let [low, high, ..] = flags.to_le_bytes();
    request.ifr_ifru.ifru_flags = libc::c_short::from_le_bytes([low, high]);
    // SAFETY: the kernel reads and writes a `struct ifreq` there, which `request` is.
    let result = unsafe { libc::ioctl(file.as_raw_fd(), libc::TUNSETIFF, &raw mut request) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
