//! What only the loop can say: the desired state, its history, and what a change would do.

use super::{
    Answer, Preview, Question, Refusal,
    run::{Agent, invalid},
};
use crate::{config, plan::Impact, store::Revision};

impl Agent {
    pub(super) fn on_question(&mut self, question: Question) -> Result<Answer, Refusal> {
        match question {
            Question::Configuration => {
                let document = Box::new(self.source.document()?);
                Ok(Answer::Configuration(self.source.revision(), document))
            }
            Question::Revision(number) => self.revision(number).map(Box::new).map(Answer::Revision),
            Question::Revisions { before, most } => {
                Ok(Answer::Revisions(self.history()?.revisions(before, most)?))
            }
            Question::Preview(document) => {
                let limits = &self.options.limits;
                let (config, warnings) =
                    config::validate_within(&document, limits).map_err(invalid)?;
                let differences = self.source.document()?.differences(&document);
                let impact = match &mut self.balancer {
                    Some(balancer) => balancer.preview(&config, &self.stats)?,
                    None => Impact::default(),
                };
                let warnings = warnings.iter().map(ToString::to_string).collect();
                Ok(Answer::Preview(Box::new(Preview { differences, impact, warnings })))
            }
        }
    }

    /// A revision that is kept.
    pub(super) fn revision(&mut self, number: u64) -> Result<Revision, Refusal> {
        let store = self.history()?;
        if let Some(revision) = store.revision(number)? {
            return Ok(revision);
        }
        let kept = store.revisions(u64::MAX, usize::MAX)?;
        let message = match (kept.last(), kept.first()) {
            (Some(oldest), Some(newest)) => format!(
                "there is no revision {number}; kept are {} to {}, see `xelb get revisions`",
                oldest.number, newest.number
            ),
            _ => format!("there is no revision {number}: nothing has been applied yet"),
        };
        Err(Refusal::Absent(message))
    }

    fn history(&mut self) -> Result<&mut dyn crate::store::Store, Refusal> {
        let no_history = |refusal| match refusal {
            Refusal::Invalid(_) => Refusal::Invalid(
                "this agent takes its configuration from a file; the history of that file is in \
                 your version control, not here"
                    .to_owned(),
            ),
            other => other,
        };
        self.source.editable().map_err(no_history)
    }
}
