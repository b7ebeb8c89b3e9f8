//! Indices into maps, masked where the verifier sees it.

use core::arch::asm;

/// The lowest bits of an index: those of `MASK`, which is one less than a power of two.
///
/// In assembler, as one instruction: LLVM takes a mask in Rust apart (it masks the parts of an index before
/// it joins them), and Linux before 6.11 forgets the bounds of what two unknown numbers are joined to by an OR:
/// "math between `map_value` pointer and register with unbounded min value is not allowed". An empty text as
/// a barrier between LLVM and the mask does not do: Linux 6.1 refuses its line information.
#[inline(always)]
pub(super) fn masked<const MASK: usize>(mut index: usize) -> usize {
    // The operand is a number of 32 bits with a sign (RFC 9669, section 3).
    const { assert!((MASK + 1).is_power_of_two() && MASK < 1 << 31) };
    // SAFETY: one instruction on one register.
    unsafe {
        asm!("{0} &= {mask}", inout(reg) index, mask = const MASK,
            options(pure, nomem, nostack, preserves_flags));
    }
    index
}
