//! Listeners that take packets for this host itself: new ones are refused, existing ones cause a
//! warning.

use std::collections::BTreeSet;

use lb_config::{Config, own_address_taken, own_address_text};

use super::{Refusal, host, request::failed, run::Agent};

impl Agent {
    /// Refuses a configuration with a listener that begins to take what is for this host. One that
    /// has been there stays: it does not keep other changes from being made.
    pub(super) fn refuse_own_address(&self, config: &Config) -> Result<(), Refusal> {
        let present = self.balancer.as_ref().map(|balancer| &balancer.config);
        let new = newly_taken_addresses(present, config)?;
        if new.is_empty() { Ok(()) } else { Err(Refusal::Invalid(new.join("\n"))) }
    }
}

/// Addresses of this host that listeners newly take, as text.
pub(super) fn newly_taken_addresses(
    present: Option<&Config>,
    config: &Config,
) -> Result<Vec<String>, Refusal> {
    let own = host::own_addresses(config, &host::addresses().map_err(failed)?);
    let known: BTreeSet<&str> = present
        .map_or_else(Vec::new, |present| own_address_taken(present, &own))
        .iter()
        .map(|(listener, _)| listener.name.as_str())
        .collect();
    let taken = own_address_taken(config, &own);
    let new = taken.iter().filter(|(listener, _)| !known.contains(listener.name.as_str()));
    Ok(new.map(|(listener, address)| own_address_text(listener, *address)).collect())
}
