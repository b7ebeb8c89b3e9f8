//! The interface to the kernel: maps, programs, pins. Nothing else in the agent touches BPF.

mod answered;
mod attach;
mod attach_error;
mod attach_sender;
mod attached;
mod bindings;
mod checksum_sniffer;
pub mod clock;
pub mod decap;
mod detached_balancer;
mod direct_maps;
mod error;
mod ethtool;
mod explain;
mod flows;
mod interfaces;
mod kernel;
mod known_interfaces;
mod links;
mod listeners;
mod load;
mod load_error;
mod load_program;
mod macs;
mod map_header;
mod map_memory;
mod map_migration;
mod map_sizes;
mod mapped_array;
mod pass_program;
mod pin_recovery;
mod pinned_map;
mod pins;
mod preflight;
mod previous_maps;
mod programs;
mod resize;
mod restore;
mod slots;
mod stats;
mod tail_call;
mod target_addresses;
mod verifier_log;
mod xdp_link;

pub use answered::Answered;
pub use attach::{attach, interface_name};
pub use attach_error::AttachError;
pub use attached::{Attached, XdpMode};
pub use checksum_sniffer::ChecksumSniffer;
pub use detached_balancer::{DetachedBalancer, LiveError, LiveTables};
pub use error::StoreError;
pub use ethtool::{Driver, Queues, driver_statistics};
pub use explain::{ExplainError, Explained, Explainer};
pub use kernel::KernelStore;
pub use load::{DataPath, LoadOptions, Maps, interfaces_exist};
pub use load_error::LoadError;
pub use macs::MacRows;
pub use map_memory::MemoryError;
pub use map_sizes::MapSizes;
pub use pass_program::{Pass, PassError};
pub use pin_recovery::detach;
pub use pins::PinError;
pub use preflight::{Facts, PreflightError};
pub use programs::{count_runs, program_name, program_runs};
pub use stats::{Stats, StatsError, StatsSource};
pub use tail_call::Balancer;
pub use verifier_log::VerifierLog;

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
