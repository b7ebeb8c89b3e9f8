//! A one-element array map in this process's memory.
//!
//! Packets read it at the same time: every access here is one aligned volatile load or store of a
//! word, or is to memory that no packet reads at that time.

use std::{
    io,
    marker::PhantomData,
    num::NonZeroUsize,
    os::fd::{AsFd, BorrowedFd},
    ptr::NonNull,
    sync::atomic::{AtomicU64, Ordering, fence},
};

use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};

/// The element of an array map with the flag `BPF_F_MMAPABLE`, or all of them.
#[derive(Debug)]
pub(super) struct MappedArray<T> {
    element: NonNull<T>,
    length: NonZeroUsize,
    kind: PhantomData<T>,
}

// SAFETY: the mapping is shared memory; it belongs to the process and not to a thread.
unsafe impl<T: Send> Send for MappedArray<T> {}

impl<T> MappedArray<T> {
    /// Maps the element of the map behind `fd`, whose value must be a `T`.
    pub(super) fn new(fd: BorrowedFd<'_>) -> io::Result<Self> {
        Self::elements(fd, 1)
    }

    /// Maps the elements of an array of `count`, each of which must be a `T` and have no gap to the
    /// next one: a multiple of eight bytes.
    pub(super) fn elements(fd: BorrowedFd<'_>, count: usize) -> io::Result<Self> {
        const { assert!(size_of::<T>().is_multiple_of(8)) };
        let bytes = size_of::<T>().checked_mul(count).unwrap_or(0);
        // The kernel rounds the array up to whole pages (array_map_mmap).
        let length = NonZeroUsize::new(bytes.next_multiple_of(4096))
            .ok_or_else(|| io::Error::other("an empty map"))?;
        let protection = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: a new mapping at an address that the kernel chooses.
        let address =
            unsafe { mmap(None, length, protection, MapFlags::MAP_SHARED, fd.as_fd(), 0) }?;
        Ok(Self { element: address.cast(), length, kind: PhantomData })
    }

    /// The first element, for `&raw` places only: never make a reference into shared memory.
    pub(super) const fn element(&self) -> *mut T {
        self.element.as_ptr()
    }
}

impl<T> Drop for MappedArray<T> {
    fn drop(&mut self) {
        // SAFETY: this mapping, made by `new`, whole; nothing else holds its address.
        if let Err(error) = unsafe { munmap(self.element.cast(), self.length.get()) } {
            tracing::warn!(%error, "cannot unmap a BPF map");
        }
    }
}

/// A word of a mapping that packets swap, too.
///
/// # Safety
/// `place` is aligned and inside a mapping that lives as long as the result.
pub(super) const unsafe fn word<'a>(place: *mut u64) -> &'a AtomicU64 {
    // SAFETY: the caller's promise.
    unsafe { AtomicU64::from_ptr(place) }
}

/// Stores a word that packets may read at any time, after everything that was stored before.
///
/// # Safety
/// `place` is aligned and inside a live mapping.
pub(super) unsafe fn publish<W: Copy>(place: *mut W, word: W) {
    const { assert!(size_of::<W>() <= 8) };
    fence(Ordering::SeqCst);
    // SAFETY: the caller's promise.
    unsafe { place.write_volatile(word) };
    fence(Ordering::SeqCst);
}
