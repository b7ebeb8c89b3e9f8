//! The door to the kernel: maps, programs, pins. Nothing else in the agent touches BPF.

mod answered;
mod attach;
mod beside;
mod bindings;
pub mod decap;
mod direct;
mod error;
mod ethtool;
mod explain;
mod flows;
mod former;
mod head;
mod join;
mod kernel;
mod links;
mod listeners;
mod load;
mod macs;
mod mapping;
mod memory;
mod pass;
mod pins;
mod preflight;
mod programs;
mod refusal;
mod resize;
mod restore;
mod sender;
mod sizes;
mod slots;
mod stats;
mod tap;
mod target_addresses;
mod unattached;

pub use answered::Answered;
pub use attach::{AttachError, Attached, XdpMode};
pub(crate) use attach::{attach, interface_name};
pub use error::StoreError;
pub use ethtool::{Driver, Queues, driver_statistics};
pub use explain::{ExplainError, Explained, Explainer};
pub use join::Balancer;
pub use kernel::KernelStore;
pub use load::{DataPath, LoadError, LoadOptions, Maps, interfaces_exist};
pub use macs::MacRows;
pub use memory::MemoryError;
pub use pass::{Pass, PassError};
pub use pins::{PinError, detach};
pub use preflight::{Facts, PreflightError};
pub use programs::{count_runs, program_name, program_runs};
pub use refusal::VerifierLog;
pub use sizes::MapSizes;
pub use stats::{Stats, StatsError, StatsSource};
pub use tap::Tap;
pub use unattached::{LiveError, LiveTables, Unattached};

pub mod fake;

use lb_common::ListenerKey;

use crate::plan::{MapOp, Tables};

/// The balancer's BPF object.
pub const OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/xelb-ebpf"));

/// The decapsulator's BPF object.
pub const DECAP_OBJECT: &[u8] =
    aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/xelb-decap"));

/// The packet generator's BPF object, for measurements.
pub const GENERATOR_OBJECT: &[u8] =
    aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/xelb-generate"));

/// The BPF object of `xelb bench traffic` and `xelb bench sink`.
pub const TRAFFIC_OBJECT: &[u8] =
    aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/xelb-traffic"));

/// The maps, whatever holds them.
pub trait MapStore {
    /// What goes wrong.
    type Error: std::error::Error + Send + Sync + 'static;

    /// Reads everything back; what is as in `known` may share its memory.
    fn read(&self, known: Option<&Tables>) -> Result<Tables, Self::Error>;

    /// The second of the monotonic clock in which a packet of this slot last went elsewhere than to
    /// its current owner, or the slot was last written; says nothing of a slot that is not armed.
    fn seen(&self, slot: u32) -> u32;

    /// The first of these new listeners, put in this order, that would find no place in the table;
    /// `None` when all fit. Nothing is written.
    fn crowded<'keys>(&self, new: &'keys [ListenerKey]) -> Option<&'keys ListenerKey>;

    /// Takes one step. After an error the step has happened or has not; trying again is safe.
    fn apply(&mut self, operation: &MapOp) -> Result<(), Self::Error>;
}
