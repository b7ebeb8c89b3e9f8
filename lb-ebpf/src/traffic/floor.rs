//! What every balancer of this kind has to do at least, to compare with: packets go back by the interface
//! that they came by, as they are or behind a constant header. Nothing is chosen here.

use aya_ebpf::{
    EbpfContext as _, bindings::xdp_action, helpers::generated::bpf_xdp_adjust_head,
    programs::XdpContext,
};

use crate::setting;

const ETHERNET: usize = 14;
const IPV4: usize = 20;

/// Destination of the outer header, in network byte order.
#[unsafe(no_mangle)]
static OUTER_DESTINATION: u32 = 0;

/// An Ethernet header: destination, source, EtherType.
type Ethernet = [[u16; 3]; 2];

/// The Ethernet header of an IPv4 packet, with its ends exchanged.
#[inline(always)]
fn back(context: &XdpContext) -> Option<Ethernet> {
    let start = context.data();
    if start + ETHERNET > context.data_end() {
        return None;
    }
    // SAFETY: inside the frame, as compared above; frames are at even addresses.
    let (ethernet, kind) = unsafe { (*(start as *const Ethernet), *((start + 12) as *const u16)) };
    let [to, from] = ethernet;
    (kind == 0x0800_u16.to_be()).then_some([from, to])
}

/// Sends an IPv4 packet back to where it came from.
#[inline(always)]
pub(crate) fn reflect(context: &XdpContext) -> Option<u32> {
    let ethernet = back(context)?;
    let start = context.data();
    if start + ETHERNET > context.data_end() {
        return None;
    }
    // SAFETY: inside the frame, as compared above.
    unsafe { *(start as *mut Ethernet) = ethernet };
    Some(xdp_action::XDP_TX)
}

/// The same behind an IPv4 header to [`OUTER_DESTINATION`].
#[inline(always)]
pub(crate) fn encapsulate(context: &XdpContext) -> Option<u32> {
    let ethernet = back(context)?;
    // SAFETY: the context of this run.
    if unsafe { bpf_xdp_adjust_head(context.as_ptr().cast(), -(IPV4 as i32)) } != 0 {
        return None;
    }
    let start = context.data();
    // The inner length is at its offset in the frame, after the space of the outer header.
    if start + ETHERNET + 2 * IPV4 > context.data_end() {
        return None;
    }
    // SAFETY: inside the frame, as compared above.
    let inner_length = unsafe { *((start + ETHERNET + IPV4 + 2) as *const u16) };
    let length = u16::from_be(inner_length).wrapping_add(IPV4 as u16);
    let to = setting(&OUTER_DESTINATION);
    // Version and length, no identification, do not fragment, TTL 64, IP in IP, from 172.16.0.1.
    let mut header: [u16; 10] = [
        0x4500_u16.to_be(),
        length.to_be(),
        0,
        0x4000_u16.to_be(),
        0x4004_u16.to_be(),
        0,
        0xac10_u16.to_be(),
        0x0001_u16.to_be(),
        to as u16,
        (to >> 16) as u16,
    ];
    let sum = header.iter().fold(0, |sum, word| sum + u32::from(*word));
    let sum = (sum & 0xffff) + (sum >> 16);
    let sum = (sum & 0xffff) + (sum >> 16);
    // A sum of words is the same in either byte order (RFC 1071).
    if let Some(checksum) = header.get_mut(5) {
        *checksum = !(sum as u16);
    }
    // SAFETY: inside the frame, as compared above.
    unsafe {
        *(start as *mut Ethernet) = ethernet;
        *((start + 12) as *mut u16) = 0x0800_u16.to_be();
        *((start + ETHERNET) as *mut [u16; 10]) = header;
    }
    Some(xdp_action::XDP_TX)
}
