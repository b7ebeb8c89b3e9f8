//! The configuration as it is written.

use serde::{Deserialize, Serialize};

/// Placeholder of the branch that brings the real one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Document {}
