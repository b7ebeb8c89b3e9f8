//! What goes wrong while loading, and what to do about it.

use aya::{EbpfError, maps::MapError, programs::ProgramError};
use thiserror::Error;

use super::{
    Facts, MapSizes, PreflightError, StoreError, attach_error::AttachError, pins::PinError,
    verifier_log::VerifierLog,
};

/// Errors of loading.
#[derive(Debug, Error)]
pub enum LoadError {
    /// The host cannot run xelb.
    #[error(transparent)]
    Preflight(#[from] PreflightError),
    /// The folder of pins.
    #[error(transparent)]
    Pins(#[from] PinError),
    /// The interfaces.
    #[error(transparent)]
    Attach(#[from] AttachError),
    /// The maps.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The object cannot be loaded.
    #[error("cannot load the BPF object")]
    Object(#[source] Box<EbpfError>),
    /// The object lacks a map: a fault of the build.
    #[error("the BPF object lacks a map that is addressed directly")]
    Direct(#[source] MapError),
    /// The maps do not fit the memory.
    #[error(
        "not enough memory for the maps of the data path, which need about {mib} MiB of kernel \
         memory: free memory, raise the limit of the agent's control group, or start the agent \
         with a smaller --flow-memory (now {flows} flows, 16 bytes each) or --nat-bindings (now \
         {bindings}, 164 bytes each)"
    )]
    Memory {
        /// What they take.
        mib: u32,
        /// How many flows can be remembered.
        flows: u32,
        /// How many flows can be translated.
        bindings: u32,
        /// What the kernel says.
        #[source]
        source: Box<EbpfError>,
    },
    /// The kernel's verifier refuses a program.
    #[error("Linux {release} refuses the BPF program {name}; {log}")]
    Refused {
        /// Its name.
        name: &'static str,
        /// Of the kernel.
        release: String,
        /// Where the reasons are.
        log: VerifierLog,
        /// What the kernel says.
        #[source]
        source: std::io::Error,
    },
    /// The program cannot be loaded.
    #[error("the BPF program {name} cannot be loaded")]
    Program {
        /// Its name.
        name: &'static str,
        /// Why.
        #[source]
        source: Box<ProgramError>,
    },
    /// The programs of the balancer cannot be joined.
    #[error("cannot install the BPF program for special packets")]
    Join(#[source] MapError),
    /// The object lacks a program: a fault of the build.
    #[error("the BPF object has no XDP program {name}")]
    NoProgram {
        /// Its name.
        name: &'static str,
    },
    /// No random numbers.
    #[error("cannot generate a random seed: {0}")]
    Seed(std::io::Error),
}

/// The error of an object that cannot be opened: mostly missing memory for maps.
pub(super) fn not_opened(error: EbpfError, sizes: MapSizes) -> LoadError {
    match &error {
        EbpfError::MapError(MapError::CreateError { io_error, .. })
            if io_error.raw_os_error() == Some(libc::ENOMEM) =>
        {
            let (mib, flows, bindings) = (sizes.memory_mib(), sizes.flows(), sizes.bindings());
            LoadError::Memory { mib, flows, bindings, source: Box::new(error) }
        }
        _ => LoadError::Object(Box::new(error)),
    }
}

/// What a program that the kernel does not load comes to.
pub(super) fn not_loaded(name: &'static str, source: ProgramError) -> LoadError {
    match source {
        ProgramError::LoadError { io_error, verifier_log } => LoadError::Refused {
            name,
            release: Facts::read().map_or_else(|_| "this".to_owned(), |facts| facts.kernel_release),
            log: VerifierLog::keep(name, &verifier_log.to_string()),
            source: io_error,
        },
        source => LoadError::Program { name, source: Box::new(source) },
    }
}
