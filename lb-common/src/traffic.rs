//! Traffic of a listener or target.

use crate::shared;

shared! {
    /// Packets and bytes since the id was given out, on one CPU.
    pub struct Traffic: 16 {
        /// Packets.
        pub packets: u64,
        /// Bytes of their IP packets as they arrived: headers of layer 3 and up, no Ethernet, no
        /// padding, no encapsulation.
        pub bytes: u64,
    }
}
