//! All routes behind the guard, and what is answered where there is none.

use axum::{
    Router,
    http::{Method, StatusCode, Uri},
    middleware::from_fn,
};
use lb_agent::AgentHandle;
use lb_dataplane::StatsSource;

use super::{
    access::guard, body_limits::BodyLimits, concurrency::Concurrency, context::Context,
    early_answers::after_the_body, failure::Failure, host_doctor::HostDoctor, openapi,
    server::described_routes,
};

/// Everything that can be asked, behind the [`guard`].
pub(super) fn routes(agent: AgentHandle, counters: StatsSource, doctor: HostDoctor) -> Router {
    let explainer = counters.explainer();
    let context = Context {
        agent,
        bodies: BodyLimits::default(),
        previews: Concurrency::default(),
        looks: Concurrency::default(),
        explainer,
        doctor,
        stats: counters,
        openapi: openapi::document,
    };
    described_routes()
        .split_for_parts()
        .0
        .method_not_allowed_fallback(not_allowed)
        .fallback(unknown)
        .layer(from_fn(guard))
        .layer(from_fn(after_the_body))
        .with_state(context)
}

async fn unknown(uri: Uri) -> Failure {
    Failure(StatusCode::NOT_FOUND, format!("there is no resource at {}", uri.path()))
}

async fn not_allowed(method: Method, uri: Uri) -> Failure {
    let message = format!("{method} is not possible at {}; see the header `allow`", uri.path());
    Failure(StatusCode::METHOD_NOT_ALLOWED, message)
}
