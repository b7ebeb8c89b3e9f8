//! Base of the cases: frames, tables on both sides, and the comparison.

pub(crate) mod frames;
pub(crate) mod kernel;
pub(crate) mod random;
pub(crate) mod world;
