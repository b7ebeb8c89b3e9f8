//! The door to the kernel: maps, programs, pins.

pub mod fake;

use crate::plan::{MapOp, Tables};

/// The maps, whatever holds them.
pub trait MapStore {
    /// What goes wrong.
    type Error: std::error::Error + Send + Sync + 'static;

    /// Reads everything back.
    fn read(&self) -> Result<Tables, Self::Error>;

    /// Takes one step. After an error the step has happened or has not; trying again is safe.
    fn apply(&mut self, operation: &MapOp) -> Result<(), Self::Error>;
}
