//! A link between an interface and a program as a file descriptor that can be handed on: aya keeps
//! those of its links to itself.

use std::{
    ffi::CString,
    io,
    os::{
        fd::{AsFd, AsRawFd as _, FromRawFd as _, OwnedFd, RawFd},
        unix::ffi::OsStrExt as _,
    },
    path::Path,
};

use aya::{
    programs::{ProgramError, Xdp},
    sys::SyscallError,
};

/// Commands of bpf(2) (linux/bpf.h, `enum bpf_cmd`).
const OBJ_GET: libc::c_long = 7;
const LINK_CREATE: libc::c_long = 28;
const LINK_UPDATE: libc::c_long = 29;
const LINK_DETACH: libc::c_long = 34;

/// `BPF_XDP` of `enum bpf_attach_type`.
const ATTACH_XDP: u32 = 37;

/// linux/if_link.h.
const FLAG_GENERIC: u32 = 1 << 1;
const FLAG_NATIVE: u32 = 1 << 2;

/// The arguments: `{ prog_fd, target_ifindex, attach_type, flags }`,
/// `{ link_fd, new_prog_fd, flags, old_prog_fd }`, `{ link_fd }`, and the two halves of a pointer to a path.
type Attributes = [u32; 4];

/// Attaches a program to an interface.
pub(super) fn create(program: &Xdp, index: u32, native: bool) -> Result<OwnedFd, ProgramError> {
    let program = number(program.fd()?);
    let flags = if native { FLAG_NATIVE } else { FLAG_GENERIC };
    let made = bpf(LINK_CREATE, [program, index, ATTACH_XDP, flags]);
    let made = made.and_then(|made| RawFd::try_from(made).map_err(io::Error::other));
    let made = made.map_err(|io_error| failed("bpf_link_create", io_error))?;
    // SAFETY: the kernel has made this descriptor for this process just now.
    Ok(unsafe { OwnedFd::from_raw_fd(made) })
}

/// Makes another program that of a link, at once; fails when the link is dead, as after its interface
/// was removed.
pub(super) fn update(link: &OwnedFd, program: &Xdp) -> Result<(), ProgramError> {
    let updated = bpf(LINK_UPDATE, [number(link), number(program.fd()?), 0, 0]);
    updated.map(drop).map_err(|io_error| failed("bpf_link_update", io_error))
}

/// The link that is pinned there.
pub(super) fn pinned(path: &Path) -> io::Result<OwnedFd> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let words = (path.as_ptr() as u64).to_ne_bytes();
    let [low, high] = bytemuck::cast(words);
    let opened = bpf(OBJ_GET, [low, high, 0, 0])?;
    let opened = RawFd::try_from(opened).map_err(io::Error::other)?;
    // SAFETY: the kernel has made this descriptor for this process just now.
    Ok(unsafe { OwnedFd::from_raw_fd(opened) })
}

/// Takes the program off the interface of a link at once. Without it, the kernel does that some time
/// after the last pin and the last descriptor are gone.
pub(super) fn detach(link: &impl AsFd) -> io::Result<()> {
    bpf(LINK_DETACH, [number(link), 0, 0, 0]).map(drop)
}

/// The link in a descriptor that the service manager passed to this process under a name, if there is
/// one. It is this process's then.
pub(super) fn passed(number: RawFd) -> Option<OwnedFd> {
    // SAFETY: fcntl(2) with F_GETFD looks at the number only.
    let is_open = unsafe { libc::fcntl(number, libc::F_GETFD) } >= 0;
    // SAFETY: it is open, and nothing else in this process uses what the service manager passed.
    is_open.then(|| unsafe { OwnedFd::from_raw_fd(number) })
}

fn failed(call: &'static str, io_error: io::Error) -> ProgramError {
    ProgramError::SyscallError(SyscallError { call, io_error })
}

/// A descriptor as the kernel takes it; those of open files are not negative.
fn number(descriptor: &impl AsFd) -> u32 {
    descriptor.as_fd().as_raw_fd().unsigned_abs()
}

fn bpf(command: libc::c_long, mut attributes: Attributes) -> io::Result<libc::c_long> {
    // SAFETY: the kernel reads so many bytes there, which live until the call is over.
    let result = unsafe {
        libc::syscall(libc::SYS_bpf, command, attributes.as_mut_ptr(), size_of::<Attributes>())
    };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}
