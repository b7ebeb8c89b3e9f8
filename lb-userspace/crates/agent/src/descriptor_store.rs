//! Descriptors that the service manager keeps while a unit restarts, and closes when it is stopped
//! (systemd.service(5), `FileDescriptorStoreMax=`). Without a service manager nothing is kept.

use std::{
    env,
    io::{self, IoSlice},
    os::{
        fd::{AsRawFd as _, BorrowedFd, RawFd},
        unix::{ffi::OsStrExt as _, net::UnixDatagram},
    },
};

use nix::sys::socket::{ControlMessage, MsgFlags, UnixAddr, sendmsg};
use sd_notify::NotifyState;

/// Gives a descriptor to the service manager, by a name of letters, digits and dashes. Says whether
/// there is a service manager.
pub fn keep(name: &str, descriptor: BorrowedFd<'_>) -> io::Result<bool> {
    let Some(path) = env::var_os("NOTIFY_SOCKET") else {
        return Ok(false);
    };
    let address = match path.as_bytes() {
        [b'@', name @ ..] => UnixAddr::new_abstract(name)?,
        path => UnixAddr::new(path)?,
    };
    let socket = UnixDatagram::unbound()?;
    let text = format!("FDSTORE=1\nFDNAME={name}\n");
    sendmsg(
        socket.as_raw_fd(),
        &[IoSlice::new(text.as_bytes())],
        &[ControlMessage::ScmRights(&[descriptor.as_raw_fd()])],
        MsgFlags::empty(),
        Some(&address),
    )?;
    Ok(true)
}

/// Has the service manager close a descriptor that it keeps.
pub fn forget(name: Option<&str>) -> io::Result<()> {
    let Some(name) = name else {
        return Ok(());
    };
    sd_notify::notify(&[NotifyState::Custom(&format!("FDSTOREREMOVE=1\nFDNAME={name}"))])
}

/// The numbers and names of the descriptors that the service manager has kept for this process.
#[must_use]
pub fn passed() -> Vec<(RawFd, String)> {
    sd_notify::listen_fds_with_names().map(Iterator::collect).unwrap_or_default()
}
