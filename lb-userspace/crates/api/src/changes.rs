//! Routes that change something: who wants it, from which revision, and what.

use axum::{Extension, Json, extract::State, http::StatusCode};
use lb_agent::{Action, Answer, Question, Request};
use lb_config::{Document, Edit};

use super::{
    Message, TargetAdd, TargetPatch,
    access::{Caller, Role},
    context::Context,
    error_responses::{Conflict, NotFound, Outdated, TooLarge, Unavailable, Wrong},
    extract::{Body, InPath, InQuery},
    failure::Failure,
    parameters::{Applied, Base, Changed, Forced, OfGroup, OfRevision, OfTarget, Reason, Removed},
};

type Done = Result<Json<Message>, Failure>;

/// On which conditions a change is made, and why.
#[derive(Default)]
pub(super) struct Terms {
    pub(super) base: Option<u64>,
    pub(super) force: bool,
    pub(super) prune: bool,
    pub(super) message: Option<Reason>,
}

pub(super) async fn ask(context: &Context, who: Caller, terms: Terms, action: Action) -> Done {
    let Terms { base, force, prune, message } = terms;
    let message = message.unwrap_or_default().0;
    let request = Request { who: who.name, base, force, prune, message, action };
    let lb_agent::Done { said, revision } = context.agent.ask(request).await?;
    Ok(Json(Message { message: said, revision }))
}

/// Replaces the configuration.
#[utoipa::path(
    put,
    path = "/v1/config",
    tag = "configuration",
    params(Base, Applied),
    request_body = Document,
    responses(
        (status = 200, body = Message, description = "Done; a line for people"),
        (status = 400, response = Wrong),
        (status = 409, response = Conflict),
        (status = 412, response = Outdated),
        (status = 413, response = TooLarge),
        (status = 503, response = Unavailable),
    )
)]
pub(super) async fn apply(
    State(context): State<Context>,
    Extension(who): Extension<Caller>,
    Base(base): Base,
    InQuery(Applied { force, prune, message }): InQuery<Applied>,
    Body(document): Body<Document>,
) -> Done {
    context.agent.check_files(document.clone()).await?;
    let terms = Terms { base, force, prune, message };
    ask(&context, who, terms, Action::Apply(Box::new(document))).await
}

/// Makes the configuration of a revision a new revision.
#[utoipa::path(
    post,
    path = "/v1/revisions/{number}/rollback",
    tag = "history",
    params(Base, Forced, OfRevision),
    responses(
        (status = 200, body = Message, description = "Done; a line for people"),
        (status = 400, response = Wrong),
        (status = 404, response = NotFound),
        (status = 409, response = Conflict),
        (status = 412, response = Outdated),
        (status = 503, response = Unavailable),
    )
)]
pub(super) async fn rollback(
    State(context): State<Context>,
    Extension(who): Extension<Caller>,
    Base(base): Base,
    InQuery(Forced { force, message }): InQuery<Forced>,
    InPath(OfRevision { number }): InPath<OfRevision>,
) -> Done {
    // The change itself reports a missing revision.
    if let Ok(Answer::Revision(revision)) = context.agent.question(Question::Revision(number)).await
    {
        context.agent.check_files(revision.document).await?;
    }
    let terms = Terms { base, force, message, ..Terms::default() };
    ask(&context, who, terms, Action::Rollback(number)).await
}

/// Registers a target.
#[utoipa::path(
    post,
    path = "/v1/target-groups/{group}/targets",
    tag = "targets",
    params(Base, OfGroup),
    request_body = TargetAdd,
    responses(
        (status = 200, body = Message, description = "Done; a line for people"),
        (status = 400, response = Wrong),
        (status = 409, response = Conflict),
        (status = 412, response = Outdated),
        (status = 413, response = TooLarge),
        (status = 503, response = Unavailable),
    )
)]
pub(super) async fn target_add(
    State(context): State<Context>,
    Extension(who): Extension<Caller>,
    Base(base): Base,
    InPath(OfGroup { group }): InPath<OfGroup>,
    Body(TargetAdd { address, port, weight }): Body<TargetAdd>,
) -> Done {
    let edit = Edit::AddTarget { group, address, port, weight };
    ask(&context, who, Terms { base, ..Terms::default() }, Action::Edit(edit)).await
}

/// Deregisters a target.
#[utoipa::path(
    delete,
    path = "/v1/target-groups/{group}/targets/{address}",
    tag = "targets",
    params(Base, OfTarget, Removed),
    responses(
        (status = 200, body = Message, description = "Done; a line for people"),
        (status = 400, response = Wrong),
        (status = 409, response = Conflict),
        (status = 412, response = Outdated),
        (status = 503, response = Unavailable),
    )
)]
pub(super) async fn target_remove(
    State(context): State<Context>,
    Extension(who): Extension<Caller>,
    Base(base): Base,
    InPath(OfTarget { group, address }): InPath<OfTarget>,
    InQuery(Removed { port, now, force, message }): InQuery<Removed>,
) -> Done {
    let terms = Terms { base, force, message, ..Terms::default() };
    ask(&context, who, terms, Action::TargetRemove { group, address, port, now }).await
}

/// Changes the weight of a target, or drains it.
#[utoipa::path(
    patch,
    path = "/v1/target-groups/{group}/targets/{address}",
    tag = "targets",
    params(Base, OfTarget, Changed),
    request_body = TargetPatch,
    responses(
        (status = 200, body = Message, description = "Done; a line for people"),
        (status = 400, response = Wrong),
        (status = 409, response = Conflict),
        (status = 412, response = Outdated),
        (status = 413, response = TooLarge),
        (status = 503, response = Unavailable),
    )
)]
pub(super) async fn target_patch(
    State(context): State<Context>,
    Extension(who): Extension<Caller>,
    Base(base): Base,
    InPath(OfTarget { group, address }): InPath<OfTarget>,
    InQuery(Changed { port, force, message }): InQuery<Changed>,
    Body(patch): Body<TargetPatch>,
) -> Done {
    if force && who.role < Role::Configure {
        let Caller { name, role } = who;
        let needed = Role::Configure;
        let message = format!("`force` needs the role `{needed}`, and {name} has `{role}`");
        return Err(Failure(StatusCode::FORBIDDEN, message));
    }
    let action = match patch {
        TargetPatch { weight: Some(weight), drain: None } => {
            Action::Edit(Edit::WeighTarget { group, address, port, weight })
        }
        TargetPatch { weight: None, drain: Some(drain) } => {
            Action::TargetDrain { group, address, port, drain }
        }
        _ => return Err(Failure::bad_request("set either `weight` or `drain`")),
    };
    ask(&context, who, Terms { base, force, message, ..Terms::default() }, action).await
}
