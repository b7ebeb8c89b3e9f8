//! An XDP frame as a [`Packet`].

use core::{arch::asm, hint::assert_unchecked};

use aya_ebpf::{
    EbpfContext as _,
    bindings::xdp_md,
    helpers::generated::{
        bpf_check_mtu, bpf_xdp_adjust_head, bpf_xdp_adjust_tail, bpf_xdp_get_buff_len,
        bpf_xdp_load_bytes,
    },
    programs::XdpContext,
};
use lb_common::{DropReason, target::HEAD_WORDS};
use lb_ebpf::{
    Packet, Wire,
    chain::Chain,
    extensions,
    packet::{HeadroomExhausted, Words},
    packet_sum,
};

/// Largest offset that a header is looked for at: the longest chain of IPv6 extension headers ends
/// before it, and the verifier (which allows 65,535) sees a bound.
const OFFSET_MAX: usize = 0x7fff;

/// The most that a separate function is told of the length of a packet.
const LENGTH_MAX: usize = 0xff_ffff;

/// The frame of one run of the program.
pub(crate) struct Frame(pub(crate) XdpContext);

impl Frame {
    pub(crate) const fn new(context: XdpContext) -> Self {
        Self(context)
    }

    #[inline(always)]
    fn at<T: Wire>(&self, offset: usize) -> Option<*mut T> {
        if offset > OFFSET_MAX {
            return None;
        }
        let start = self.data() + offset;
        if start + T::LEN > self.data_end() {
            return None;
        }
        Some(start as *mut T)
    }

    /// Address of the first byte.
    #[inline(always)]
    fn data(&self) -> usize {
        let data: usize;
        // SAFETY: `xdp_md.data`, the first word of the context. In assembler, since LLVM would know
        // that a load of 32 bits has no higher ones: it would move and spill it as 32 bits, and the
        // verifier would take it for a number.
        unsafe {
            asm!("{0} = *(u32 *)({1} + 0)", out(reg) data, in(reg) self.0.as_ptr(),
                options(pure, readonly, nostack));
            // So that a reference into the frame is not asked whether it is one.
            assert_unchecked(data != 0);
        }
        data
    }

    /// Address behind the last byte of the first buffer.
    #[inline(always)]
    fn data_end(&self) -> usize {
        let end: usize;
        // SAFETY: `xdp_md.data_end`, the second word; see `data`.
        unsafe {
            asm!("{0} = *(u32 *)({1} + 4)", out(reg) end, in(reg) self.0.as_ptr(),
                options(pure, readonly, nostack));
        }
        end
    }

    /// Length of the whole frame.
    #[inline(always)]
    fn buffers_length(&self) -> usize {
        // SAFETY: the context of this run.
        unsafe { bpf_xdp_get_buff_len(self.0.as_ptr().cast()) as usize }
    }

    #[inline(always)]
    fn move_head(&mut self, delta: i32) -> Result<(), HeadroomExhausted> {
        // SAFETY: the context is the one that the kernel gave to this run; `&mut self` proves that
        // no reference into the frame is alive.
        let result = unsafe { bpf_xdp_adjust_head(self.0.as_ptr().cast(), delta) };
        if result == 0 { Ok(()) } else { Err(HeadroomExhausted) }
    }
}

/// The word, which LLVM makes here and not later, where it is used.
#[inline(always)]
pub(super) fn made(mut word: u64) -> u64 {
    // SAFETY: no instruction. A register with a name, since any other has to be named in the text, and the
    // kernel refuses two lines of source for one instruction: LLVM writes none for an empty text only.
    unsafe { asm!("", inout("r0") word, options(nomem, nostack, preserves_flags)) };
    word
}

/// Stores the part of a word at `start + AT` that is before `start + length`, an even number.
///
/// In assembler, since LLVM stores at an even address by two bytes; the verifier allows more at any
/// address of a packet where the CPU does.
#[inline(always)]
unsafe fn store<const AT: usize>(start: usize, length: usize, word: u64) {
    let left = length.saturating_sub(AT);
    // SAFETY: the caller's.
    unsafe {
        if left >= 8 {
            asm!("*(u64 *)({0} + {at}) = {1}", in(reg) start, in(reg) word, at = const AT, options(nostack));
            return;
        }
        let mut at = 0;
        let mut rest = u64::from_le(word);
        if left >= 4 {
            asm!("*(u32 *)({0} + {at}) = {1}", in(reg) start, in(reg) rest, at = const AT, options(nostack));
            (at, rest) = (4, rest >> 32);
        }
        if left >= at + 2 {
            ((start + AT + at) as *mut u16).write(rest as u16);
        }
    }
}

/// In assembler, since LLVM takes two bytes at a time at an even address; the verifier allows more at
/// any address of a packet where the CPU does.
impl Words for Frame {
    #[inline(always)]
    fn four<const AT: usize, T: Wire>(header: &T) -> u64 {
        const { assert!(AT + 4 <= size_of::<T>()) };
        let word: u64;
        // SAFETY: inside the header.
        unsafe {
            asm!("{0} = *(u32 *)({1} + {at})", out(reg) word, in(reg) header, at = const AT,
                options(pure, readonly, nostack));
            assert_unchecked(word <= 0xffff_ffff);
        }
        word
    }

    #[inline(always)]
    fn eight<const AT: usize, T: Wire>(header: &T) -> u64 {
        const { assert!(AT + 8 <= size_of::<T>()) };
        let word: u64;
        // SAFETY: inside the header.
        unsafe {
            asm!("{0} = *(u64 *)({1} + {at})", out(reg) word, in(reg) header, at = const AT,
                options(pure, readonly, nostack));
        }
        word
    }

    #[inline(always)]
    fn put_four<const AT: usize, T: Wire>(header: &mut T, word: u64) {
        const { assert!(AT + 4 <= size_of::<T>()) };
        // SAFETY: inside the header.
        unsafe {
            asm!("*(u32 *)({0} + {at}) = {1}", in(reg) header, in(reg) word, at = const AT,
                options(nostack));
        }
    }

    #[inline(always)]
    fn put_eight<const AT: usize, T: Wire>(header: &mut T, word: u64) {
        const { assert!(AT + 8 <= size_of::<T>()) };
        // SAFETY: inside the header.
        unsafe {
            asm!("*(u64 *)({0} + {at}) = {1}", in(reg) header, in(reg) word, at = const AT,
                options(nostack));
        }
    }
}

/// See [`extensions::walk`]; `about` has the length of the packet above the number of its first header. Gives
/// 0 when the chain has been written, 1 when it is too long, 2 when it is malformed.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn xelb_extensions(
    context: *mut xdp_md,
    chain: *mut Chain,
    offset: u32,
    about: u32,
) -> u32 {
    // SAFETY: the verifier gives a separate function only pointers to whole values.
    let Some(chain) = (unsafe { chain.as_mut() }) else { return 2 };
    let frame = Frame::new(XdpContext::new(context));
    let (offset, length) = ((offset & 0x3fff) as usize, (about >> 8) as usize);
    match extensions::walk(&frame, offset, about as u8, length) {
        Ok(found) => {
            *chain = found;
            0
        }
        Err(DropReason::ExtensionHeadersTooMany) => 1,
        Err(_) => 2,
    }
}

/// See [`packet_sum::of`]; all ones when there is none.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn xelb_sum(context: *mut xdp_md, offset: u32, length: u32) -> u64 {
    let frame = Frame::new(XdpContext::new(context));
    let (offset, length) = ((offset & 0x3fff) as usize, (length & 0x7ff) as usize);
    packet_sum::of(&frame, offset, length).map_or(u64::MAX, u64::from)
}

impl Packet for Frame {
    #[inline(always)]
    fn holds(&self, length: usize) -> bool {
        // Most frames are in one buffer; access to the others is a call.
        self.holds_in_first_buffer(length) || length <= self.buffers_length()
    }

    #[inline(always)]
    fn holds_in_first_buffer(&self, length: usize) -> bool {
        self.data() + length <= self.data_end()
    }

    #[inline(always)]
    fn ingress(&self) -> u32 {
        self.0.ingress_ifindex() as u32
    }

    #[inline(always)]
    fn get<T: Wire>(&self, offset: usize) -> Option<&T> {
        // SAFETY: `at` has compared with the end of the frame; `Wire` accepts any bytes at any
        // address; the frame does not move while `self` is borrowed.
        self.at::<T>(offset).map(|header| unsafe { &*header })
    }

    #[inline(always)]
    fn get_mut<T: Wire>(&mut self, offset: usize) -> Option<&mut T> {
        // SAFETY: as in `get`; `&mut self` makes the reference the only one.
        self.at::<T>(offset).map(|header| unsafe { &mut *header })
    }

    #[inline(always)]
    fn copy_byte(&self, offset: usize) -> Option<u8> {
        let mut byte = 0_u8;
        // SAFETY: the context of this run, and one byte on the stack.
        let result = unsafe {
            bpf_xdp_load_bytes(self.0.as_ptr().cast(), offset as u32, (&raw mut byte).cast(), 1)
        };
        (result == 0).then_some(byte)
    }

    #[inline(always)]
    fn extension_chain(
        &self,
        offset: usize,
        first: u8,
        length: usize,
    ) -> Result<Chain, DropReason> {
        let mut chain = Chain::none(first);
        if !extensions::is_extension(first) {
            return Ok(chain);
        }
        let length = if length < LENGTH_MAX { length } else { LENGTH_MAX };
        let about = u32::from(first) | (length as u32) << 8;
        match xelb_extensions(self.0.ctx, &raw mut chain, offset as u32, about) {
            0 => Ok(chain),
            1 => Err(DropReason::ExtensionHeadersTooMany),
            _ => Err(DropReason::ExtensionHeaderMalformed),
        }
    }

    #[inline(always)]
    fn sum(&self, offset: usize, length: u16) -> Option<u32> {
        u32::try_from(xelb_sum(self.0.ctx, offset as u32, u32::from(length))).ok()
    }

    #[inline(always)]
    fn replace_head(
        &mut self,
        old: usize,
        words: &[u64; HEAD_WORDS],
        new: usize,
    ) -> Result<(), HeadroomExhausted> {
        let mut words = *words;
        if new != old {
            // Made before the head is moved: the CPU waits for the call, and all that comes behind it
            // for what it starts from.
            for (number, word) in words.iter_mut().enumerate() {
                if number * 8 < new {
                    *word = made(*word);
                }
            }
            self.move_head(old as i32 - new as i32)?;
        }
        let (start, length) = (self.data(), new);
        if start + length > self.data_end() {
            return Err(HeadroomExhausted);
        }
        let [w0, w1, w2, w3, w4, w5, w6, w7, w8, w9] = words;
        // SAFETY: each store ends within `length`, as compared above.
        unsafe {
            store::<0>(start, length, w0);
            store::<8>(start, length, w1);
            store::<16>(start, length, w2);
            store::<24>(start, length, w3);
            store::<32>(start, length, w4);
            store::<40>(start, length, w5);
            store::<48>(start, length, w6);
            store::<56>(start, length, w7);
            store::<64>(start, length, w8);
            store::<72>(start, length, w9);
        }
        Ok(())
    }

    #[inline(always)]
    fn grow_head(&mut self, bytes: usize) -> Result<(), HeadroomExhausted> {
        self.move_head(-(bytes as i32))
    }

    #[inline(always)]
    fn fits_interface(&self, interface: u32, length: u16) -> Result<(), u16> {
        // In: the length without link layer; out: the MTU.
        let mut mtu = u32::from(length);
        // SAFETY: the context of this run, and a number on the stack.
        let result =
            unsafe { bpf_check_mtu(self.0.as_ptr().cast(), interface, &raw mut mtu, 0, 0) };
        match result {
            0 => Ok(()),
            // BPF_MTU_CHK_RET_FRAG_NEEDED
            1 => Err(if mtu > 0xffff { 0xffff } else { mtu as u16 }),
            _ => Err(0),
        }
    }

    #[inline(always)]
    fn shrink_tail(&mut self, length: usize) -> Result<(), HeadroomExhausted> {
        let surplus = self.buffers_length() as i32 - length as i32;
        if surplus < 0 {
            return Err(HeadroomExhausted);
        }
        // SAFETY: as in `move_head`.
        let result = unsafe { bpf_xdp_adjust_tail(self.0.as_ptr().cast(), -surplus) };
        if result == 0 { Ok(()) } else { Err(HeadroomExhausted) }
    }

    #[inline(always)]
    fn shrink_head(&mut self, bytes: usize) -> Result<(), HeadroomExhausted> {
        self.move_head(bytes as i32)
    }
}
