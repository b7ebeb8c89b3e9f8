//! State that survives a reboot: drains, the seed of the hash, addresses of names.

use lb_store::{Runtime, StoreError};

use super::run::Agent;

impl Agent {
    /// Saves it.
    pub(super) fn keep_runtime(&mut self) -> Result<(), StoreError> {
        let Some(balancer) = &self.balancer else { return Ok(()) };
        let runtime = Runtime { names: self.names.known(), ..balancer.runtime() };
        self.source.keep_runtime(runtime)
    }
}
