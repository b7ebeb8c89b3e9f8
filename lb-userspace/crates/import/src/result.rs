//! What an import gives.

use crate::remark::{Fate, Kind, Remark};

/// A configuration of xelb, and what there is to know about it.
#[derive(Clone, Debug)]
pub struct Imported {
    pub(crate) text: String,
    pub(crate) remarks: Vec<Remark>,
    pub(crate) fates: Vec<Fate>,
    pub(crate) errors: Option<lb_config::ConfigErrors>,
}

impl Imported {
    /// The configuration in YAML, with the remarks as comments.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The remarks, in the order of the input; those about the input as a whole are first.
    #[must_use]
    pub fn remarks(&self) -> &[Remark] {
        &self.remarks
    }

    /// How many remarks are of a kind.
    #[must_use]
    pub fn count(&self, kind: Kind) -> usize {
        self.remarks.iter().filter(|remark| remark.kind == kind).count()
    }

    /// What became of a line, from 1; `None` beyond the end of the input.
    #[must_use]
    pub fn fate(&self, line: usize) -> Option<Fate> {
        self.fates.get(line.checked_sub(1)?).copied()
    }

    /// What xelb would refuse in [`Self::text`]; almost always nothing.
    #[must_use]
    pub const fn errors(&self) -> Option<&lb_config::ConfigErrors> {
        self.errors.as_ref()
    }
}
