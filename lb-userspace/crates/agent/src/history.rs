//! What only the loop can say: the desired state and its history.

use lb_store::{Revision, RevisionHead};
use tokio::sync::oneshot;

use super::{Answer, Layer7, Question, Refusal, run::Agent};

impl Agent {
    pub(super) fn on_question(
        &mut self,
        question: Question,
        answer: oneshot::Sender<Result<Answer, Refusal>>,
    ) {
        let said = match question {
            Question::Configuration => {
                let document = Box::new(self.source.document());
                Ok(Answer::Configuration(self.source.revision(), document))
            }
            Question::Revision(number) => self.revision(number).map(Box::new).map(Answer::Revision),
            Question::Revisions { before, most } => {
                self.revisions(before, most).map(Answer::Revisions)
            }
            Question::Layer7 => {
                let config = self.balancer.as_ref().map(|balancer| &balancer.config);
                let layer7 = config.map_or_else(Layer7::default, |config| Layer7 {
                    http_listeners: config.http_listeners.clone(),
                    tls_listeners: config.tls_listeners.clone(),
                    groups: config.http_target_groups.clone(),
                });
                Ok(Answer::Layer7(Box::new(layer7)))
            }
            Question::Target { group, address, port } => {
                self.describe_target(&group, &address, port).map(Box::new).map(Answer::Target)
            }
            Question::Preview(document) => return self.preview(document, answer),
            Question::Scaling(group) => self.describe_group(&group),
        };
        // The client may have gone away.
        let _unheard = answer.send(said);
    }

    fn revisions(&mut self, before: u64, most: usize) -> Result<Vec<RevisionHead>, Refusal> {
        Ok(self.history()?.revisions(before, most)?)
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
                "there is no revision {number}; revisions {} to {} are kept, see `xelb get \
                 revisions`",
                oldest.number, newest.number
            ),
            _ => format!("there is no revision {number}: nothing has been applied yet"),
        };
        Err(Refusal::Absent(message))
    }

    fn history(&mut self) -> Result<&mut dyn lb_store::Store, Refusal> {
        let no_history = |refusal| match refusal {
            Refusal::Invalid(_) => Refusal::Invalid(
                "this agent takes its configuration from a file and keeps no revisions; use the \
                 version control of that file"
                    .to_owned(),
            ),
            other => other,
        };
        self.source.editable().map_err(no_history)
    }
}
