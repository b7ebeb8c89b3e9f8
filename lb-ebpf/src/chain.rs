//! Where a chain of IPv6 extension headers ends, as one function tells another.

/// Length of the IPv6 header in bytes.
pub(crate) const IPV6_HEADER: u16 = 40;

/// Where a chain of extension headers ends.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Chain {
    /// See [`crate::ip_packet::Fragment`].
    pub(crate) identification: u32,
    /// See [`crate::ip_packet::Fragment`].
    pub(crate) fragment_offset: u16,
    /// Length of the IPv6 header and its extension headers in bytes.
    pub(crate) header_length: u16,
    /// Number of the protocol that follows.
    pub(crate) protocol: u8,
    /// Whether other fragments follow; 0 or 1.
    pub(crate) more: u8,
    /// Zero.
    pub(crate) reserved: u16,
}

impl Chain {
    /// No extension header: `protocol` follows the IPv6 header.
    #[must_use]
    #[inline(always)]
    pub const fn none(protocol: u8) -> Self {
        Self {
            identification: 0,
            fragment_offset: 0,
            header_length: IPV6_HEADER,
            protocol,
            more: 0,
            reserved: 0,
        }
    }
}
