//! A packet in a vector.

use std::{vec, vec::Vec};

use lb_common::{DropReason, target::HEAD_WORDS};

use crate::{
    Packet, Wire,
    chain::Chain,
    extensions,
    packet::{HeadroomExhausted, Words},
    packet_sum,
};

/// Room that drivers leave in front of a packet (`XDP_PACKET_HEADROOM`).
pub const HEADROOM: usize = 256;

/// What the kernel keeps of the headroom for itself (`struct xdp_frame`).
pub const HEADROOM_RESERVED: usize = 40;

/// A packet with headroom.
#[derive(Clone, Debug)]
pub struct VecPacket {
    /// Words, so that the frame is at an even address.
    buffer: Vec<u16>,
    head: usize,
    end: usize,
    ingress: u32,
    /// MTU of every interface.
    mtu: u16,
}

impl VecPacket {
    /// The frame, as it came in by an interface.
    #[must_use]
    pub fn new(frame: &[u8], ingress: u32) -> Self {
        let end = HEADROOM + frame.len();
        let mut buffer = vec![0; end.div_ceil(2)];
        if let Some(room) = bytemuck::cast_slice_mut(&mut buffer).get_mut(HEADROOM..end) {
            room.copy_from_slice(frame);
        }
        Self { buffer, head: HEADROOM, end, ingress, mtu: u16::MAX }
    }

    /// The same, where every interface has this MTU.
    #[must_use]
    pub const fn with_mtu(mut self, mtu: u16) -> Self {
        self.mtu = mtu;
        self
    }

    /// The frame as it is now.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        bytemuck::cast_slice(&self.buffer).get(self.head..self.end).unwrap_or_default()
    }
}

impl Words for VecPacket {}

impl Packet for VecPacket {
    fn holds(&self, length: usize) -> bool {
        self.bytes().len() >= length
    }

    fn holds_in_first_buffer(&self, length: usize) -> bool {
        self.holds(length)
    }

    fn ingress(&self) -> u32 {
        self.ingress
    }

    fn get<T: Wire>(&self, offset: usize) -> Option<&T> {
        let end = offset.checked_add(T::LEN)?;
        bytemuck::try_from_bytes(self.bytes().get(offset..end)?).ok()
    }

    fn get_mut<T: Wire>(&mut self, offset: usize) -> Option<&mut T> {
        let end = offset.checked_add(T::LEN)?;
        let bytes = bytemuck::cast_slice_mut(&mut self.buffer).get_mut(self.head..self.end)?;
        bytemuck::try_from_bytes_mut(bytes.get_mut(offset..end)?).ok()
    }

    fn copy_byte(&self, offset: usize) -> Option<u8> {
        self.bytes().get(offset).copied()
    }

    fn extension_chain(
        &self,
        offset: usize,
        first: u8,
        length: usize,
    ) -> Result<Chain, DropReason> {
        extensions::walk(self, offset, first, length)
    }

    fn sum(&self, offset: usize, length: u16) -> Option<u32> {
        packet_sum::of(self, offset, length.into())
    }

    fn replace_head(
        &mut self,
        old: usize,
        words: &[u64; HEAD_WORDS],
        new: usize,
    ) -> Result<(), HeadroomExhausted> {
        match new.checked_sub(old) {
            Some(more) => self.grow_head(more)?,
            None => self.shrink_head(old - new)?,
        }
        let from = bytemuck::cast_slice::<_, u8>(words).get(..new).ok_or(HeadroomExhausted)?;
        let bytes = bytemuck::cast_slice_mut::<_, u8>(&mut self.buffer);
        let to = bytes.get_mut(self.head..self.end).and_then(|bytes| bytes.get_mut(..new));
        to.ok_or(HeadroomExhausted)?.copy_from_slice(from);
        Ok(())
    }

    fn grow_head(&mut self, bytes: usize) -> Result<(), HeadroomExhausted> {
        let head = self.head.checked_sub(bytes).ok_or(HeadroomExhausted)?;
        if head < HEADROOM_RESERVED {
            return Err(HeadroomExhausted);
        }
        self.head = head;
        Ok(())
    }

    fn fits_interface(&self, _interface: u32, length: u16) -> Result<(), u16> {
        if length <= self.mtu { Ok(()) } else { Err(self.mtu) }
    }

    fn shrink_tail(&mut self, length: usize) -> Result<(), HeadroomExhausted> {
        if self.bytes().len() < length || length < 14 {
            return Err(HeadroomExhausted);
        }
        self.end = self.head + length;
        Ok(())
    }

    fn shrink_head(&mut self, bytes: usize) -> Result<(), HeadroomExhausted> {
        // The kernel keeps at least an Ethernet header (bpf_xdp_adjust_head).
        if self.bytes().len() < bytes + 14 {
            return Err(HeadroomExhausted);
        }
        self.head += bytes;
        Ok(())
    }
}
