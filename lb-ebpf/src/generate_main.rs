//! The packet generator's BPF binary, for measurements: it restores the frame, writes the next
//! flow's address and tail-calls the program under test. Beside it, programs to compare with.
//!
//! A repeated TEST_RUN hands each round the frame as the round before left it: without this, an
//! encapsulating program would be measured on its own output from the second round on.
#![cfg_attr(target_arch = "bpf", no_std, no_main, feature(asm_experimental_arch))]
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "lengths of test frames and pieces of random numbers"
)]

mod generate;

#[cfg(target_arch = "bpf")]
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

/// The kernel only allows some helpers to programs with a GPL-compatible licence; MIT is one.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
