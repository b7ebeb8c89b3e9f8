//! What the cases stand on: frames, tables on both sides, and the comparison.

pub(crate) mod frames;
pub(crate) mod kernel;
pub(crate) mod random;
pub(crate) mod world;
