//! Routes of the configuration: what it is, what it was, and what a change of it would do.

use axum::{
    Json,
    extract::State,
    http::header::ETAG,
    response::{IntoResponse as _, Response},
};

use super::{
    ConfigurationView, PreviewView, RevisionView, RevisionsView,
    extract::{Before, Body, Failure, OfRevision, To},
    server::Context,
};
use crate::{
    agent::{Answer, Preview, Question, Refusal},
    config::{Difference, Document},
    store::{REVISIONS_KEPT, Revision},
};

pub(super) async fn configuration(State(context): State<Context>) -> Result<Response, Failure> {
    let answer = context.agent.question(Question::Configuration).await?;
    let Answer::Configuration(revision, document) = answer else {
        return Err(other_answer());
    };
    let body = Json(ConfigurationView { revision, document: *document });
    Ok(match revision {
        Some(number) => ([(ETAG, format!("\"{number}\""))], body).into_response(),
        None => body.into_response(),
    })
}

pub(super) async fn preview(
    State(context): State<Context>,
    Body(document): Body<Document>,
) -> Result<Json<PreviewView>, Failure> {
    let answer = context.agent.question(Question::Preview(Box::new(document))).await?;
    let Answer::Preview(preview) = answer else {
        return Err(other_answer());
    };
    let Preview { differences, impact, warnings } = *preview;
    Ok(Json(PreviewView {
        differences,
        target_groups: impact.target_groups,
        left_without_targets: impact.left_without_targets,
        warnings,
    }))
}

pub(super) async fn revisions(
    State(context): State<Context>,
    Before { before, limit }: Before,
) -> Result<Json<RevisionsView>, Failure> {
    let kept = usize::try_from(2 * REVISIONS_KEPT).unwrap_or(usize::MAX);
    let most = limit.0.min(kept);
    let question = Question::Revisions { before, most: most + 1 };
    let Answer::Revisions(mut revisions) = context.agent.question(question).await? else {
        return Err(other_answer());
    };
    let more = revisions.len() > most;
    revisions.truncate(most);
    let next = revisions.last().map(|last| last.number).filter(|_| more);
    Ok(Json(RevisionsView { revisions, next }))
}

pub(super) async fn revision(
    State(context): State<Context>,
    OfRevision(number): OfRevision,
) -> Result<Json<RevisionView>, Failure> {
    let Revision { head, document } = read(&context, number).await?;
    Ok(Json(RevisionView { head, document }))
}

pub(super) async fn differences(
    State(context): State<Context>,
    OfRevision(number): OfRevision,
    To { to }: To,
) -> Result<Json<Vec<Difference>>, Failure> {
    let before = read(&context, number).await?;
    let after = read(&context, to).await?;
    Ok(Json(before.document.differences(&after.document)))
}

async fn read(context: &Context, number: u64) -> Result<Revision, Failure> {
    match context.agent.question(Question::Revision(number)).await? {
        Answer::Revision(revision) => Ok(*revision),
        _ => Err(other_answer()),
    }
}

/// Each question has its own kind of answer, so that this never happens.
fn other_answer() -> Failure {
    Refusal::Failed("the agent answered another question".to_owned()).into()
}
