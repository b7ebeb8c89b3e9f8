//! Routes of the documents that describe the API and the configuration.

use axum::{
    extract::State,
    http::header::CONTENT_TYPE,
    response::{IntoResponse, Response},
};
use lb_config as config;

use super::context::Context;

/// This document.
#[utoipa::path(
    get,
    path = "/v1/openapi.json",
    tag = "documents",
    responses((status = 200, body = Object, description = "OpenAPI 3.1"))
)]
pub(super) async fn openapi(State(context): State<Context>) -> Response {
    json((context.openapi)())
}

/// The JSON Schema of the configuration.
#[utoipa::path(
    get,
    path = "/v1/xelb.schema.json",
    tag = "documents",
    responses((status = 200, body = Object, description = "JSON Schema, draft 2020-12"))
)]
pub(super) async fn configuration_schema() -> Response {
    json(config::SCHEMA)
}

fn json(text: &'static str) -> Response {
    ([(CONTENT_TYPE, "application/json")], text).into_response()
}
