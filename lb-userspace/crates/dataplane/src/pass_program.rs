//! A program that passes everything, for the far end of a veth pair: with it, that end takes what XDP sends
//! at the other one. It looks at no packet.

use aya::{Ebpf, EbpfLoader, programs::links::FdLink};
use thiserror::Error;

use super::{
    Attached, Facts, LoadError, TRAFFIC_OBJECT, XdpMode,
    attach::{attach, interface_index},
    attach_error::AttachError,
    load_program::load_program,
};

/// Its name in the object.
const PROGRAM: &str = "xelb_pass";

/// Errors of the pass program.
#[derive(Debug, Error)]
pub enum PassError {
    /// Loading.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// Attaching.
    #[error(transparent)]
    Attach(#[from] AttachError),
}

impl PassError {
    /// Whether the user must correct the command.
    #[must_use]
    pub const fn is_usage(&self) -> bool {
        matches!(self, Self::Attach(AttachError::NoInterface { .. }))
    }
}

/// The attached program; dropping it detaches it.
#[derive(Debug)]
pub struct Pass {
    attached: Attached,
    _link: FdLink,
    _ebpf: Ebpf,
}

impl Pass {
    /// Attaches it, in the driver: in generic mode it is of no use.
    pub fn start(interface: &str) -> Result<Self, PassError> {
        Facts::read().and_then(|facts| facts.check()).map_err(LoadError::from)?;
        interface_index(interface)?;
        let object = |error| LoadError::Object(Box::new(error));
        let mut ebpf = EbpfLoader::new().load(TRAFFIC_OBJECT).map_err(object)?;
        let program = load_program(&mut ebpf, PROGRAM)?;
        let (attached, link) = attach(program, interface, XdpMode::Native)?;
        Ok(Self { attached, _link: link, _ebpf: ebpf })
    }

    /// Where it is attached.
    #[must_use]
    pub const fn attached(&self) -> &Attached {
        &self.attached
    }
}
