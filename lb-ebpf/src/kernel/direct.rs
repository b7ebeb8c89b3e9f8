//! The elements of maps that are addressed directly; see [`lb_common::direct`].

use core::arch::asm;

use lb_common::direct::Direct;

/// Address of the element. It is that of a map that lives as long as the program.
#[inline(always)]
pub(super) fn element<T: Direct>() -> *mut T {
    let address: usize;
    // SAFETY: loads a constant, which the kernel replaces by an address.
    unsafe {
        asm!("{0} = {1} ll", out(reg) address, const T::MAP.constant(),
            options(pure, nomem, nostack, preserves_flags));
    }
    address as *mut T
}
