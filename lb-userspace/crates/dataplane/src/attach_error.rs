//! What goes wrong at interfaces, and how it is told.

use aya::programs::ProgramError;
use thiserror::Error;

use super::pins::PinError;

/// Errors of attaching.
#[derive(Debug, Error)]
pub enum AttachError {
    /// There is no such interface.
    #[error("interface {name} does not exist; `ip link` lists those that do")]
    NoInterface {
        /// Its name.
        name: String,
    },
    /// Another program is attached there.
    #[error(
        "interface {name}, or one on top of it (macvlan, VLAN), already has an XDP program; `ip link` \
         shows it; remove it, or use one of these interfaces only"
    )]
    Busy {
        /// Its name.
        name: String,
    },
    /// The driver has no native XDP.
    #[error(
        "interface {name} cannot run XDP in {mode} mode ({reason}); --xdp-mode auto falls back to \
         generic mode, which works everywhere and is slower"
    )]
    Unsupported {
        /// Its name.
        name: String,
        /// The requested mode.
        mode: &'static str,
        /// What the kernel said.
        reason: String,
    },
    /// The kernel refused.
    #[error("cannot attach to interface {name}")]
    Program {
        /// Its name.
        name: String,
        /// Why not.
        #[source]
        source: ProgramError,
    },
    /// The link cannot be pinned, opened or removed.
    #[error("cannot pin the link of interface {name}: {reason}")]
    Link {
        /// Its name.
        name: String,
        /// Why not.
        reason: String,
    },
    /// An error of the folder of pins.
    #[error(transparent)]
    Pins(#[from] PinError),
}

/// An error and its source, in a line.
pub(super) fn with_source(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}
