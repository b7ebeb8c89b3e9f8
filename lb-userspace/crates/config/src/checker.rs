//! Checks one document after the other. What a document shares with the last one is not read again:
//! a change of one target costs the reading of its group.

use super::{Checked, ConfigErrors, Document, Limits, SourceFiles, check, last_document::Last};

/// See [`super::validate`], which it does faster where it knows the document already in part.
#[derive(Debug, Default)]
pub struct Checker {
    within: Limits,
    last: Option<Last>,
}

impl Checker {
    /// One that allows so much.
    #[must_use]
    pub const fn within(limits: Limits) -> Self {
        Self { within: limits, last: None }
    }

    /// Checks a document that did not come from a file. The files that it names are not touched.
    pub fn check(&mut self, document: &Document) -> Result<Checked, ConfigErrors> {
        let (checked, places) =
            check(document, self.last.as_ref(), &self.within, &SourceFiles::NONE, None)?;
        let (document, config) = (document.clone(), checked.0.clone());
        self.last = Some(Last { document, config, places });
        Ok(checked)
    }
}
