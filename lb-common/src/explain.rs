//! Results of a dry run, for `xelb explain`.

use crate::shared;

shared! {
    /// The only element of the map `EXPLANATION` of a program that was loaded for dry runs.
    pub struct Explanation: 24 {
        /// Which of the others have been noted: [`Explanation::LISTENER`] and so on.
        pub noted: u32,
        /// Index of the slot in the array of rings.
        pub slot: u32,
        /// Modes nat and fullnat: index of the binding; of a new one the port that the target would see, in
        /// host byte order, and above it the number of the pool, or [`Explanation::CLIENT`].
        pub binding: u32,
        /// Index of the last counter.
        pub counter: u32,
        /// Id of the listener.
        pub listener: u16,
        /// Id of its target group.
        pub group: u16,
        /// Id of the target.
        pub target: u16,
        /// Zero.
        pub reserved: u16,
    }
}

impl Explanation {
    /// In place of a pool and its port: the flow would keep the client's.
    pub const CLIENT: u32 = u32::MAX;
    /// A listener was found.
    pub const LISTENER: u32 = 1;
    /// A slot was read.
    pub const SLOT: u32 = 2;
    /// It has an owner.
    pub const TARGET: u32 = 4;
    /// The flow has a binding.
    pub const BOUND: u32 = 8;
    /// The flow would get a binding.
    pub const NEW_BINDING: u32 = 16;
    /// The packet is an answer of a target.
    pub const REPLY: u32 = 32;
    /// Something was counted.
    pub const COUNTER: u32 = 64;
    /// The flow is remembered, with the target.
    pub const REMEMBERED: u32 = 128;
    /// The flow is not remembered, and the target is the home of its slot.
    pub const HOME: u32 = 256;
}
