//! The system call bpf(2), for what the lab does without a library.

use std::{
    io,
    os::fd::{FromRawFd as _, OwnedFd},
};

/// A command that answers with a number. `T` is the head of `union bpf_attr`, without padding; the
/// kernel takes the rest as zero.
pub(crate) fn call<T>(command: libc::c_int, attributes: &T) -> io::Result<i32> {
    // SAFETY: the kernel reads `size_of::<T>()` bytes at `attributes`, which lives for the call and
    // has no padding; the pointers in it lead to what is only read.
    let answer = unsafe {
        libc::syscall(libc::SYS_bpf, command, std::ptr::from_ref(attributes), size_of::<T>())
    };
    match i32::try_from(answer) {
        Ok(answer @ 0..) => Ok(answer),
        _ => Err(io::Error::last_os_error()),
    }
}

/// A command that answers with a file descriptor.
pub(crate) fn descriptor<T>(command: libc::c_int, attributes: &T) -> io::Result<OwnedFd> {
    let descriptor = call(command, attributes)?;
    // SAFETY: the kernel has just made this descriptor for this call.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}
