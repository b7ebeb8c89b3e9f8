//! An XDP frame as a [`Packet`].

use aya_ebpf::{EbpfContext as _, helpers::generated::bpf_xdp_adjust_head, programs::XdpContext};
use lb_ebpf::{Packet, Wire, packet::HeadroomExhausted};

/// Largest offset that a header is looked for at: the longest chain of IPv6 extension headers ends
/// before it, and the verifier (which allows 65,535) sees a bound.
const OFFSET_MAX: usize = 0x7fff;

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
        let start = self.0.data() + offset;
        if start + T::LEN > self.0.data_end() {
            return None;
        }
        Some(start as *mut T)
    }

    #[inline(always)]
    fn move_head(&mut self, delta: i32) -> Result<(), HeadroomExhausted> {
        // SAFETY: the context is the one that the kernel gave to this run; `&mut self` proves that
        // no reference into the frame is alive.
        let result = unsafe { bpf_xdp_adjust_head(self.0.as_ptr().cast(), delta) };
        if result == 0 { Ok(()) } else { Err(HeadroomExhausted) }
    }
}

impl Packet for Frame {
    #[inline(always)]
    fn len(&self) -> usize {
        self.0.data_end() - self.0.data()
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
    fn grow_head(&mut self, bytes: usize) -> Result<(), HeadroomExhausted> {
        self.move_head(-(bytes as i32))
    }

    #[inline(always)]
    fn shrink_head(&mut self, bytes: usize) -> Result<(), HeadroomExhausted> {
        self.move_head(bytes as i32)
    }
}
