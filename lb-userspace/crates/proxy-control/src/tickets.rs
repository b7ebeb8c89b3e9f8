//! Keys of session tickets: one set for each listener, which all workers share, and which outlives reloads.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use rustls::{crypto::aws_lc_rs::Ticketer, server::ProducesTickets};

/// The keys of all listeners. They change every six hours, and a ticket is valid for twelve at most. A copy has the
/// same keys.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tickets(Arc<Mutex<HashMap<String, Keys>>>);

#[derive(Debug)]
struct Keys {
    /// Who may connect: a ticket skips that check.
    clients: Vec<u8>,
    keys: Arc<dyn ProducesTickets>,
}

impl Tickets {
    /// The keys of a listener. With other rules for certificates of clients, it has new ones.
    pub(crate) fn of(
        &self,
        listener: &str,
        clients: &[u8],
    ) -> Result<Arc<dyn ProducesTickets>, rustls::Error> {
        let mut all = self.lock();
        if let Some(kept) = all.get(listener)
            && kept.clients == clients
        {
            return Ok(Arc::clone(&kept.keys));
        }
        let keys = Ticketer::new()?;
        let kept = Keys { clients: clients.to_vec(), keys: Arc::clone(&keys) };
        all.insert(listener.to_owned(), kept);
        Ok(keys)
    }

    /// Forgets the keys of other listeners.
    pub(crate) fn retain(&self, is_there: impl Fn(&str) -> bool) {
        self.lock().retain(|listener, _| is_there(listener));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Keys>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tickets_outlive_reloads_but_not_another_rule_for_clients() {
        let tickets = Tickets::default();
        let ticket = tickets.of("shop", b"off").unwrap().encrypt(b"session").unwrap();
        let opens = |listener, clients: &[u8]| {
            tickets.of(listener, clients).unwrap().decrypt(&ticket).as_deref() == Some(b"session")
        };
        assert!(opens("shop", b"off"), "a reload");
        assert!(!opens("other", b"off"), "another listener");
        assert!(!opens("shop", b"verify"), "clients must show a certificate now");
        assert!(!opens("shop", b"off"), "those keys are gone");
        tickets.retain(|listener| listener == "other");
        assert_eq!(tickets.lock().len(), 1);
    }
}
