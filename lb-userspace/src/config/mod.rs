//! Configuration: from text to a checked [`Config`], or to every error at once.

mod model;

pub use model::*;
