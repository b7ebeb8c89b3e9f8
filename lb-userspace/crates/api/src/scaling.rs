//! Routes of scaled groups: what one has decided and done, and what people ask of it.

use axum::{Extension, Json, extract::State};
use lb_agent::{Action, Answer, Question};
use lb_config::Edit;
use lb_scaling::{ScaleCommand, ScalingView};

use super::{
    CapacityLimits, Message,
    access::Caller,
    changes::{Terms, ask},
    context::Context,
    error_responses::{Conflict, NotFound, Outdated, TooLarge, Unavailable, Wrong},
    extract::{Body, InPath},
    failure::Failure,
    history::other_answer,
    parameters::{Base, OfGroup},
};

/// A scaled group: its members, its last decision in words, and its activities.
#[utoipa::path(
    get,
    path = "/v1/target-groups/{group}/scaling",
    tag = "scaling",
    params(OfGroup),
    responses(
        (status = 200, body = ScalingView, description = "The group"),
        (status = 404, response = NotFound),
        (status = 503, response = Unavailable),
    )
)]
pub(super) async fn describe(
    State(context): State<Context>,
    InPath(OfGroup { group }): InPath<OfGroup>,
) -> Result<Json<ScalingView>, Failure> {
    let answer = context.agent.question(Question::Scaling(group)).await?;
    let Answer::Scaling(described) = answer else {
        return Err(other_answer());
    };
    Ok(Json(*described))
}

/// Changes the state of a scaled group, which is not its configuration.
#[utoipa::path(
    post,
    path = "/v1/target-groups/{group}/scaling",
    tag = "scaling",
    params(OfGroup),
    request_body = ScaleCommand,
    responses(
        (status = 200, body = Message, description = "Done; a line for people"),
        (status = 400, response = Wrong),
        (status = 413, response = TooLarge),
        (status = 503, response = Unavailable),
    )
)]
pub(super) async fn command(
    State(context): State<Context>,
    Extension(who): Extension<Caller>,
    InPath(OfGroup { group }): InPath<OfGroup>,
    Body(command): Body<ScaleCommand>,
) -> Result<Json<Message>, Failure> {
    let action = Action::Scale { group, command };
    ask(&context, who, Terms::default(), action).await
}

/// Changes the capacity limits in the configuration.
#[utoipa::path(
    patch,
    path = "/v1/target-groups/{group}/scaling/limits",
    tag = "scaling",
    params(Base, OfGroup),
    request_body = CapacityLimits,
    responses(
        (status = 200, body = Message, description = "Done; a line for people"),
        (status = 400, response = Wrong),
        (status = 409, response = Conflict),
        (status = 412, response = Outdated),
        (status = 413, response = TooLarge),
        (status = 503, response = Unavailable),
    )
)]
pub(super) async fn limits(
    State(context): State<Context>,
    Extension(who): Extension<Caller>,
    Base(base): Base,
    InPath(OfGroup { group }): InPath<OfGroup>,
    Body(CapacityLimits { min, max }): Body<CapacityLimits>,
) -> Result<Json<Message>, Failure> {
    if min.is_none() && max.is_none() {
        return Err(Failure::bad_request("set `min`, `max` or both"));
    }
    let action = Action::Edit(Edit::LimitCapacity { group, min, max });
    ask(&context, who, Terms { base, ..Terms::default() }, action).await
}
