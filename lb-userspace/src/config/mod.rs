//! Configuration: from text to a checked [`Config`], or to every error at once.

mod document;
mod model;

pub use document::Document;
pub use model::*;
