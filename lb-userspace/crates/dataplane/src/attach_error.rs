//! What goes wrong at interfaces, and how it is told.

use aya::programs::ProgramError;
use thiserror::Error;

use super::pins::PinError;

/// What goes wrong while attaching.
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
        "interface {name} already has an XDP program that is not this agent's; `ip link show {name}` \
         names it; remove it, or name another interface"
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
        /// The mode that was asked for.
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
    #[error("cannot keep the link of interface {name}: {reason}")]
    Link {
        /// Its name.
        name: String,
        /// Why not.
        reason: String,
    },
    /// The folder of pins failed.
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
