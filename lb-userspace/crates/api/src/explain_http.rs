//! `POST /v1/explain/http`: what becomes of a request, by the agent's configuration and what it knows of targets.

use std::collections::HashMap;

use axum::{Json, extract::State, http::StatusCode};
use lb_agent::{Answer, Question, TargetView};
use lb_config::TargetKey;
use lb_proxy_control::{HttpExplainView, HttpQuestion, KnownTarget, ServedListeners, explain_http};
use tokio::task::spawn_blocking;

use super::{
    context::Context,
    error_responses::{Unavailable, Wrong},
    extract::Body,
    failure::Failure,
};

/// What becomes of a request: rules, transforms, action, target groups and targets. Nothing is sent.
#[utoipa::path(
    post,
    path = "/v1/explain/http",
    tag = "state",
    request_body = HttpQuestion,
    responses(
        (status = 200, body = HttpExplainView, description = "What becomes of it"),
        (status = 400, response = Wrong),
        (status = 503, response = Unavailable),
    )
)]
pub(super) async fn explain(
    State(context): State<Context>,
    Body(question): Body<HttpQuestion>,
) -> Result<Json<HttpExplainView>, Failure> {
    let snapshot = context.agent.snapshot().await;
    let Answer::Layer7(layer7) = context.agent.question(Question::Layer7).await? else {
        return Err(Failure(
            StatusCode::SERVICE_UNAVAILABLE,
            "the agent gave another answer".to_owned(),
        ));
    };
    // Ten thousand rules take a moment to compile.
    let explained = spawn_blocking(move || {
        let known: HashMap<TargetKey, KnownTarget> =
            snapshot.targets.iter().filter_map(known).collect();
        let served = ServedListeners { http: &layer7.http_listeners, tls: &layer7.tls_listeners };
        explain_http(&served, &layer7.groups, |target| known.get(target).cloned(), &question)
    });
    match explained.await {
        Ok(Ok(view)) => Ok(Json(view)),
        Ok(Err(error)) => Err(Failure::bad_request(error.to_string())),
        Err(error) => Err(Failure(StatusCode::SERVICE_UNAVAILABLE, error.to_string())),
    }
}

/// What the agent knows of a target.
fn known(target: &TargetView) -> Option<(TargetKey, KnownTarget)> {
    let (group, port) = (target.group.as_str().into(), target.port);
    let key = TargetKey { group, address: target.address?, port };
    Some((key, KnownTarget { state: target.state.clone(), share: target.share }))
}
