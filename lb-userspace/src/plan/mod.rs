//! PURE: what the maps should hold, and the ordered operations that lead there.

mod tables;

pub use tables::*;
