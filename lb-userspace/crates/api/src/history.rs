//! Routes of the configuration: what it is, what it was, and what a change of it would do.

use axum::{
    Extension, Json,
    extract::State,
    http::header::ETAG,
    response::{IntoResponse as _, Response},
};

use lb_agent::{Answer, Preview, Question, Refusal};
use lb_config::{Difference, Document};
use lb_store::{REVISIONS_KEPT, Revision};
use tokio::task::spawn_blocking;

use super::{
    ConfigurationView, PreviewView, RevisionView, RevisionsView,
    access::{Caller, Role},
    context::Context,
    error_responses::{NotFound, TooLarge, Unavailable, Wrong},
    extract::{InPath, InQuery, Unread, from_json},
    failure::Failure,
    parameters::{Before, OfRevision, To},
};

/// The configuration as it was written, and its revision.
#[utoipa::path(
    get,
    path = "/v1/config",
    tag = "configuration",
    responses(
        (
            status = 200,
            body = ConfigurationView,
            description = "The configuration",
            headers(("etag" = String, description = "Its revision, in quotes; absent if the agent \
                                                     runs with `--config`"))
        ),
        (status = 503, response = Unavailable),
    )
)]
pub(super) async fn configuration(
    State(context): State<Context>,
    Extension(caller): Extension<Caller>,
) -> Result<Response, Failure> {
    let answer = context.agent.question(Question::Configuration).await?;
    let Answer::Configuration(revision, document) = answer else {
        return Err(other_answer());
    };
    let body = Json(ConfigurationView { revision, document: seen_by(&caller, *document) });
    Ok(match revision {
        Some(number) => ([(ETAG, format!("\"{number}\""))], body).into_response(),
        None => body.into_response(),
    })
}

/// Previews the effect of a configuration; nothing is changed.
#[utoipa::path(
    post,
    path = "/v1/config/preview",
    tag = "configuration",
    request_body = Document,
    responses(
        (status = 200, body = PreviewView, description = "What would change"),
        (status = 400, response = Wrong),
        (status = 413, response = TooLarge),
        (status = 503, response = Unavailable),
    )
)]
pub(super) async fn preview(
    State(context): State<Context>,
    Extension(caller): Extension<Caller>,
    Unread(received): Unread,
) -> Result<Json<PreviewView>, Failure> {
    previewed(context, caller, move || from_json::<Document>(&received)).await
}

/// The effect of a document, which is made where it may take long.
pub(super) async fn previewed(
    context: Context,
    caller: Caller,
    make: impl FnOnce() -> Result<Document, Failure> + Send + 'static,
) -> Result<Json<PreviewView>, Failure> {
    let turn = context.previews.take(caller.role).await?;
    // A separate task: the turn ends with the preview, also when its caller has gone away.
    let previewed = tokio::spawn(async move {
        let document = spawn_blocking(make).await;
        let document = document.map_err(broken)??;
        let hidden = hides_secrets_from(&caller).then(|| document.clone());
        let question = Question::Preview(Box::new(document));
        let Answer::Preview(mut preview) = context.agent.question(question).await? else {
            return Err(other_answer());
        };
        if let Some(document) = hidden {
            // Not even by a difference does a reader learn what is hidden.
            let answer = context.agent.question(Question::Configuration).await?;
            let Answer::Configuration(_, present) = answer else {
                return Err(other_answer());
            };
            let compare =
                move || present.without_secrets().differences(&document.without_secrets());
            preview.differences = spawn_blocking(compare).await.map_err(broken)?;
        }
        drop(turn);
        Ok(*preview)
    });
    let Preview { differences, impact, scaling, left_out, warnings } =
        previewed.await.map_err(broken)??;
    Ok(Json(PreviewView {
        differences,
        target_groups: impact.target_groups,
        left_without_targets: impact.left_without_targets,
        broken_connections: impact.broken_connections,
        scaling,
        left_out,
        warnings,
    }))
}

/// The history, newest first.
#[utoipa::path(
    get,
    path = "/v1/revisions",
    tag = "history",
    params(Before),
    responses(
        (status = 200, body = RevisionsView, description = "A part of the history"),
        (status = 400, response = Wrong),
        (status = 503, response = Unavailable),
    )
)]
pub(super) async fn revisions(
    State(context): State<Context>,
    InQuery(Before { before, limit }): InQuery<Before>,
) -> Result<Json<RevisionsView>, Failure> {
    let kept = usize::try_from(2 * REVISIONS_KEPT).unwrap_or(usize::MAX);
    let most = limit.map_or(kept, |limit| limit.min(kept));
    let question = Question::Revisions { before: before.unwrap_or(u64::MAX), most: most + 1 };
    let Answer::Revisions(mut revisions) = context.agent.question(question).await? else {
        return Err(other_answer());
    };
    let more = revisions.len() > most;
    revisions.truncate(most);
    let next = revisions.last().map(|last| last.number).filter(|_| more);
    Ok(Json(RevisionsView { revisions, next }))
}

/// One revision, with its configuration.
#[utoipa::path(
    get,
    path = "/v1/revisions/{number}",
    tag = "history",
    params(OfRevision),
    responses(
        (status = 200, body = RevisionView, description = "The revision"),
        (status = 400, response = Wrong),
        (status = 404, response = NotFound),
        (status = 503, response = Unavailable),
    )
)]
pub(super) async fn revision(
    State(context): State<Context>,
    Extension(caller): Extension<Caller>,
    InPath(OfRevision { number }): InPath<OfRevision>,
) -> Result<Json<RevisionView>, Failure> {
    let Revision { head, document } = read(&context, number).await?;
    let document = seen_by(&caller, document);
    Ok(Json(RevisionView { head, document }))
}

/// Differences to another revision.
#[utoipa::path(
    get,
    path = "/v1/revisions/{number}/differences",
    tag = "history",
    params(OfRevision, To),
    responses(
        (status = 200, body = Vec<Difference>, description = "One item for each key that differs"),
        (status = 400, response = Wrong),
        (status = 404, response = NotFound),
        (status = 503, response = Unavailable),
    )
)]
pub(super) async fn differences(
    State(context): State<Context>,
    Extension(caller): Extension<Caller>,
    InPath(OfRevision { number }): InPath<OfRevision>,
    InQuery(To { to }): InQuery<To>,
) -> Result<Json<Vec<Difference>>, Failure> {
    let before = seen_by(&caller, read(&context, number).await?.document);
    let after = seen_by(&caller, read(&context, to).await?.document);
    Ok(Json(before.differences(&after)))
}

async fn read(context: &Context, number: u64) -> Result<Revision, Failure> {
    match context.agent.question(Question::Revision(number)).await? {
        Answer::Revision(revision) => Ok(*revision),
        _ => Err(other_answer()),
    }
}

/// Whether some of a configuration is hidden from this caller.
fn hides_secrets_from(caller: &Caller) -> bool {
    caller.role < Role::Configure
}

/// A document as a caller sees it.
fn seen_by(caller: &Caller, document: Document) -> Document {
    if hides_secrets_from(caller) { document.without_secrets() } else { document }
}

fn broken(error: impl std::fmt::Display) -> Failure {
    Refusal::Failed(error.to_string()).into()
}

/// Each question has its own kind of answer, so that this never happens.
pub(super) fn other_answer() -> Failure {
    Refusal::Failed("the agent answered another question".to_owned()).into()
}
