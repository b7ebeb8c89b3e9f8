//! Tells when an address of this host comes or goes. Which ones there are is not its to say.

use std::io;

use super::{
    ResolverError,
    netlink::{ADDRESS_GROUPS, Events},
};

/// Waits for changes of the addresses of this host's interfaces.
pub struct AddressWatch {
    events: Events,
}

impl std::fmt::Debug for AddressWatch {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("AddressWatch").finish_non_exhaustive()
    }
}

impl AddressWatch {
    /// Starts to follow them in the network namespace of the calling thread, inside a tokio runtime.
    pub fn start() -> Result<Self, ResolverError> {
        Ok(Self { events: Events::of(&ADDRESS_GROUPS)? })
    }

    /// Waits until one has changed. Safe to cancel: nothing is lost.
    pub async fn changed(&mut self) -> io::Result<()> {
        self.events.next().await.map(drop)
    }
}
