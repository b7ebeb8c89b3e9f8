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

/// Ids of what is loaded: of maps or programs.
#[derive(Clone, Copy, Debug)]
#[repr(i32)]
pub enum Kind {
    /// `BPF_PROG_GET_NEXT_ID`.
    Programs = 11,
    /// `BPF_MAP_GET_NEXT_ID`.
    Maps = 12,
}

/// The ids of all maps or programs. None of them is opened: opened maps of programs sometimes
/// stayed for ever, without users (Linux 6.18). Probably since the kernel clears such a map when
/// its last user goes, and another one that comes and goes before it has is counted and never
/// forgotten (`prog_array_map_clear`).
pub fn ids(kind: Kind) -> io::Result<Vec<u32>> {
    let mut all = Vec::new();
    loop {
        // Where to start, the next one, flags.
        let mut attributes = [all.last().copied().unwrap_or(0), 0, 0];
        // SAFETY: the kernel reads these bytes, and writes the second word.
        let answer = unsafe {
            libc::syscall(
                libc::SYS_bpf,
                kind as libc::c_int,
                attributes.as_mut_ptr(),
                size_of_val(&attributes),
            )
        };
        if answer != 0 {
            let error = io::Error::last_os_error();
            // There are no more.
            return if error.kind() == io::ErrorKind::NotFound { Ok(all) } else { Err(error) };
        }
        let [_, next, _] = attributes;
        all.push(next);
    }
}

/// A command that answers with a file descriptor.
pub(crate) fn descriptor<T>(command: libc::c_int, attributes: &T) -> io::Result<OwnedFd> {
    let descriptor = call(command, attributes)?;
    // SAFETY: the kernel has just made this descriptor for this call.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}
