//! An IP header that has been read: its fields, and which part of a packet it stands before.

use lb_common::{Address, Family};

/// An IP header that has been read, and where its payload starts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct IpPacket {
    pub(crate) family: Family,
    pub(crate) source: Address,
    pub(crate) destination: Address,
    pub(crate) protocol: u8,
    pub(crate) traffic_class: u8,
    /// Length in bytes, header included.
    pub(crate) length: u16,
    /// Length of header, options and extension headers in bytes.
    pub(crate) header_length: usize,
    pub(crate) fragment: Fragment,
}

/// Which part of a packet this is.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Fragment {
    /// What all fragments of the packet have in common; meaningless in a whole packet.
    pub(crate) identification: u32,
    /// Where its payload belongs, in bytes.
    pub(crate) offset: u16,
    /// Whether others follow.
    pub(crate) more: bool,
}

impl Fragment {
    /// A whole packet.
    pub(crate) const WHOLE: Self = Self { identification: 0, offset: 0, more: false };

    /// Whether it is one of several.
    #[inline(always)]
    pub(crate) const fn is_part(self) -> bool {
        self.offset != 0 || self.more
    }
}
