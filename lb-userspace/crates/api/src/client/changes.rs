//! Requests that change something.

use http::Method;
use lb_config::{Document, TargetAddress};
use serde::Serialize;

use super::{Client, ClientError, escape};
use crate::{Message, PartChanges, PreviewView, TargetAdd, TargetPatch};

/// On which conditions a change is wanted.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    /// The revision that it was made from: another one in between is an error.
    pub base: Option<u64>,
    /// Whether listeners may be left without targets.
    pub force: bool,
    /// Whether a configuration may leave out objects that are in service.
    pub prune: bool,
    /// Why, for the history; may be empty.
    pub message: String,
}

impl Terms {
    /// What a path says of them.
    fn query(&self) -> String {
        let parts: Vec<String> = self.parts().collect();
        if parts.is_empty() { String::new() } else { format!("?{}", parts.join("&")) }
    }

    fn parts(&self) -> impl Iterator<Item = String> {
        let message = format!("message={}", escape(&self.message));
        let parts = [
            (self.force, "force=true".to_owned()),
            (self.prune, "prune=true".to_owned()),
            (!self.message.is_empty(), message),
        ];
        parts.into_iter().filter(|(given, _)| *given).map(|(_, text)| text)
    }
}

impl Client {
    /// What changes of parts would do.
    pub async fn preview_changes(&self, changes: &PartChanges) -> Result<PreviewView, ClientError> {
        self.ask(Method::POST, "/v1/config/changes/preview", Some(changes)).await
    }

    /// Changes parts of the configuration, all of them or none.
    pub async fn change_parts(
        &self,
        changes: &PartChanges,
        terms: &Terms,
    ) -> Result<Message, ClientError> {
        let path = format!("/v1/config/changes{}", terms.query());
        self.ask_from(terms.base, Method::POST, &path, Some(changes)).await
    }

    /// Makes this the desired state.
    pub async fn apply(&self, document: &Document, terms: &Terms) -> Result<Message, ClientError> {
        let path = format!("/v1/config{}", terms.query());
        self.ask_from(terms.base, Method::PUT, &path, Some(document)).await
    }

    /// Makes what an earlier revision said the desired state.
    pub async fn rollback(&self, number: u64, terms: &Terms) -> Result<Message, ClientError> {
        let path = format!("/v1/revisions/{number}/rollback{}", terms.query());
        self.ask_from(terms.base, Method::POST, &path, None::<&()>).await
    }

    /// Registers a target.
    pub async fn target_add(&self, group: &str, target: &TargetAdd) -> Result<String, ClientError> {
        let path = format!("/v1/target-groups/{}/targets", escape(group));
        self.change(Method::POST, &path, Some(target)).await
    }

    /// Deregisters a target; `now` ends its flows, `force` removes also the last one of a listener.
    pub async fn target_remove(
        &self,
        group: &str,
        address: &TargetAddress,
        port: Option<u16>,
        now: bool,
        force: bool,
    ) -> Result<String, ClientError> {
        let more = [(now, "now=true"), (force, "force=true")];
        let more = more.iter().filter(|(given, _)| *given).map(|(_, text)| (*text).to_owned());
        let path = target_path(group, address, port, more);
        self.change(Method::DELETE, &path, None::<&()>).await
    }

    /// Changes a target.
    pub async fn target_patch(
        &self,
        group: &str,
        address: &TargetAddress,
        port: Option<u16>,
        change: &TargetPatch,
        terms: &Terms,
    ) -> Result<String, ClientError> {
        let path = target_path(group, address, port, terms.parts());
        let Message { message, .. } =
            self.ask_from(terms.base, Method::PATCH, &path, Some(change)).await?;
        Ok(message)
    }

    pub(super) async fn change(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> Result<String, ClientError> {
        let Message { message, .. } = self.ask(method, path, body).await?;
        Ok(message)
    }
}

pub(super) fn target_path(
    group: &str,
    address: &TargetAddress,
    port: Option<u16>,
    more: impl Iterator<Item = String>,
) -> String {
    let port = port.map(|port| format!("port={port}"));
    let query: Vec<String> = port.into_iter().chain(more).collect();
    let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
    format!("/v1/target-groups/{}/targets/{address}{query}", escape(group))
}
