//! Words that the data path and the agent both speak: the types that cross the kernel border.
//!
//! It holds layouts, numbers and names; it deliberately holds no logic beyond packing them, and no
//! allocation: the BPF program links it too.
#![no_std]

pub mod abi;
pub mod address;
pub mod counter;
pub mod direct;
pub mod explain;
pub mod fragment;
pub mod generate;
pub mod group;
pub mod head;
pub mod limits;
pub mod listener;
pub mod macs;
pub mod memory;
pub mod nat;
pub mod ring;
pub mod settings;
pub mod shared;
pub mod switches;
pub mod target;
pub mod traffic;
pub mod wide;

pub use address::{Address, Be16, Family, Mac};
pub use counter::{Counter, DropReason};
pub use fragment::{FragmentFlow, FragmentKey};
pub use group::Group;
pub use listener::{Listener, ListenerKey, ListenerPlace, VipKey};
pub use macs::InterfaceMacs;
pub use memory::{Memory, MemoryLine, Owner};
pub use nat::{Binding, ClientLink, FlowLine, Life, Pool, Sequence, Turns};
pub use ring::{RingRef, RingSlot, Slot};
pub use switches::{Bucket, Limit, Switches};
pub use target::{Mode, Target};
pub use traffic::Traffic;
pub use wide::{PortRange, WideKey, WideListeners};
