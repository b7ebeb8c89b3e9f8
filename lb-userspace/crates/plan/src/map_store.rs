//! Where tables are kept: the maps of the kernel, or [`super::fake`].

use lb_common::ListenerKey;

use super::{MapOp, Tables};

/// The maps, whatever holds them.
pub trait MapStore {
    /// Errors of the store.
    type Error: std::error::Error + Send + Sync + 'static;

    /// Reads everything back; what is as in `known` may share its memory.
    fn read(&self, known: Option<&Tables>) -> Result<Tables, Self::Error>;

    /// The second of the monotonic clock in which a packet of this slot last went elsewhere than to
    /// its current owner, or the slot was last written; says nothing of a slot that is not armed.
    fn seen(&self, slot: u32) -> u32;

    /// The first of these new listeners, put in this order, that would find no place in the table;
    /// `None` when all fit. Nothing is written.
    fn first_overflow<'keys>(&self, new: &'keys [ListenerKey]) -> Option<&'keys ListenerKey>;

    /// Takes one step. After an error the step has happened or has not; trying again is safe.
    fn apply(&mut self, operation: &MapOp) -> Result<(), Self::Error>;
}
