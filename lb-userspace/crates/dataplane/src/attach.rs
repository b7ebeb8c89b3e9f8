//! Attaching the program to one interface: native, generic, or what the driver allows.

use std::io;

use aya::programs::{
    ProgramError, Xdp,
    links::{FdLink, LinkError},
    xdp::XdpMode as AyaMode,
};

use super::{
    attach_error::AttachError,
    attached::{Attached, XdpMode, mode_name},
};

/// Index of the interface with this name.
pub(super) fn interface_index(name: &str) -> Result<u32, AttachError> {
    nix::net::if_::if_nametoindex(name)
        .map_err(|_| AttachError::NoInterface { name: name.to_owned() })
}

/// Name of the interface with this index.
#[must_use]
pub fn interface_name(index: u32) -> Option<String> {
    let name = nix::net::if_::if_indextoname(index).ok()?;
    // What nix 0.31 gives for an index that does not exist.
    Some(name.to_string_lossy().into_owned()).filter(|name| !name.is_empty())
}

/// Attaches to `name` and returns the link, unpinned.
pub fn attach(
    program: &mut Xdp,
    name: &str,
    mode: XdpMode,
) -> Result<(Attached, FdLink), AttachError> {
    attach_at(program, name, interface_index(name)?, mode)
}

/// The same for a known index of the interface; `name` may be its old name.
pub(super) fn attach_at(
    program: &mut Xdp,
    name: &str,
    index: u32,
    mode: XdpMode,
) -> Result<(Attached, FdLink), AttachError> {
    attach_by(name, index, mode, |native| create_link(program, name, index, native))
}

/// The same, with another way to make the link, natively or not.
pub(super) fn attach_by<L>(
    name: &str,
    index: u32,
    mode: XdpMode,
    mut create: impl FnMut(bool) -> Result<L, AttachError>,
) -> Result<(Attached, L), AttachError> {
    let attached = |native, reason: &str| Attached {
        name: name.to_owned(),
        index,
        native,
        reason: reason.to_owned(),
        ..Attached::default()
    };
    let native_refused = match mode {
        XdpMode::Generic => None,
        XdpMode::Native | XdpMode::Auto => match create(true) {
            Ok(link) => return Ok((attached(true, "the driver supports XDP programs"), link)),
            Err(AttachError::Unsupported { reason, .. }) if mode == XdpMode::Auto => Some(reason),
            Err(error) => return Err(error),
        },
    };
    let link = create(false)?;
    let reason = native_refused.map_or_else(
        || "set with --xdp-mode generic".to_owned(),
        |reason| format!("the driver does not support XDP programs ({reason})"),
    );
    Ok((attached(false, &reason), link))
}

fn create_link(
    program: &mut Xdp,
    name: &str,
    index: u32,
    native: bool,
) -> Result<FdLink, AttachError> {
    let mode = if native { AyaMode::Driver } else { AyaMode::Skb };
    let fail = |source| explain(name, native, source);
    let id = program.attach_to_if_index(index, mode).map_err(fail)?;
    let link = program.take_link(id).map_err(fail)?;
    FdLink::try_from(link).map_err(|error| link_error(name, &error))
}

fn link_error(name: &str, error: &LinkError) -> AttachError {
    AttachError::Link { name: name.to_owned(), reason: error.to_string() }
}

/// Turns the kernel's number into what the operator can do about it.
pub(super) fn explain(name: &str, native: bool, source: ProgramError) -> AttachError {
    let number = match &source {
        ProgramError::SyscallError(error) => error.io_error.raw_os_error(),
        _ => None,
    };
    let name = name.to_owned();
    match number {
        Some(libc::EBUSY | libc::EEXIST) => AttachError::Busy { name },
        // ENOSPC: a veth whose other end has more transmit queues than this one has receive queues.
        Some(number @ (libc::EOPNOTSUPP | libc::EINVAL | libc::ERANGE | libc::ENOSPC)) => {
            let reason = io::Error::from_raw_os_error(number).to_string();
            AttachError::Unsupported { name, mode: mode_name(native), reason }
        }
        _ => AttachError::Program { name, source },
    }
}
