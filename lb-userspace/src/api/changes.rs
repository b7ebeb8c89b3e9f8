//! Routes that change something: who wants it, from which revision, and what.

use axum::{Extension, Json, extract::State};

use super::{
    Said, TargetAdd, TargetPatch,
    access::Caller,
    extract::{Base, Body, Failure, Forced, OfGroup, OfRevision, OfTarget},
    server::Context,
};
use crate::{
    agent::{Action, Request},
    config::{Document, Edit},
};

type Done = Result<Json<Said>, Failure>;

async fn ask(context: &Context, who: Caller, base: Base, force: bool, action: Action) -> Done {
    let request = Request { who: who.name, base: base.0, force, action };
    Ok(Json(Said { message: context.agent.ask(request).await? }))
}

pub(super) async fn apply(
    State(context): State<Context>,
    Extension(who): Extension<Caller>,
    base: Base,
    Forced { force }: Forced,
    Body(document): Body<Document>,
) -> Done {
    ask(&context, who, base, force, Action::Apply(Box::new(document))).await
}

pub(super) async fn rollback(
    State(context): State<Context>,
    Extension(who): Extension<Caller>,
    base: Base,
    Forced { force }: Forced,
    OfRevision(number): OfRevision,
) -> Done {
    ask(&context, who, base, force, Action::Rollback(number)).await
}

pub(super) async fn target_add(
    State(context): State<Context>,
    Extension(who): Extension<Caller>,
    base: Base,
    OfGroup(group): OfGroup,
    Body(TargetAdd { address, port, weight }): Body<TargetAdd>,
) -> Done {
    let edit = Edit::AddTarget { group, address, port, weight };
    ask(&context, who, base, false, Action::Edit(edit)).await
}

pub(super) async fn target_remove(
    State(context): State<Context>,
    Extension(who): Extension<Caller>,
    base: Base,
    OfTarget { group, address, port, now, force }: OfTarget,
) -> Done {
    ask(&context, who, base, force, Action::TargetRemove { group, address, port, now }).await
}

pub(super) async fn target_patch(
    State(context): State<Context>,
    Extension(who): Extension<Caller>,
    base: Base,
    OfTarget { group, address, port, now, force }: OfTarget,
    Body(patch): Body<TargetPatch>,
) -> Done {
    if now {
        return Err(Failure::bad_request("`now` belongs to DELETE"));
    }
    let action = match patch {
        TargetPatch { weight: Some(weight), drain: None } => {
            Action::Edit(Edit::WeighTarget { group, address, port, weight })
        }
        TargetPatch { weight: None, drain: Some(drain) } => {
            Action::TargetDrain { group, address, port, drain }
        }
        _ => return Err(Failure::bad_request("give either `weight` or `drain`")),
    };
    ask(&context, who, base, force, action).await
}
