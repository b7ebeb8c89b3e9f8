//! The OpenAPI document: what the routes say of themselves, and what holds for all of them. The
//! schema of the configuration is a separate document.

use std::sync::LazyLock;

use axum::http::Method;
use lb_agent::{Event, ProxyChange, ProxySnapshot};
use lb_config::Document;
use utoipa::{
    OpenApi,
    openapi::{
        PathItem, Ref, RefOr,
        path::Operation,
        security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
    },
};

use super::{
    ErrorBody, StateView,
    access::{Role, needed},
    error_responses::{
        Conflict, Forbidden, NotFound, Outdated, TooLarge, Unauthorized, Unavailable, Wrong,
    },
    server::described_routes,
};

/// What holds for the whole.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "xelb",
        description = "The API of an agent of xelb, an elastic load balancer. It is served on the \
                       agent's Unix sockets, where the kernel identifies the caller, and over \
                       TLS, where a token or a client certificate identifies the caller. \
                       docs/api.md describes it."
    ),
    servers((
        url = "https://{host}:{port}",
        description = "An agent with `--listen`",
        variables(("host" = (default = "localhost")), ("port" = (default = "7443")))
    )),
    tags(
        (name = "state", description = "State of the agent"),
        (name = "targets", description = "Single targets"),
        (name = "scaling", description = "Groups whose number of targets follows the load"),
        (name = "proxies", description = "Processes of `xelb proxy`"),
        (name = "configuration", description = "The configuration as a whole"),
        (name = "history", description = "Earlier revisions of the configuration"),
        (name = "documents", description = "Descriptions of the API itself"),
    ),
    components(
        // What no body names by itself: the messages of a stream, and what several answers share.
        schemas(Document, ErrorBody, Event, ProxyChange, ProxySnapshot, StateView),
        responses(
            Conflict, Forbidden, NotFound, Outdated, TooLarge, Unauthorized, Unavailable, Wrong,
        ),
    ),
)]
struct Whole;

/// The document, as JSON for people, in a stable order.
#[must_use]
pub fn document() -> &'static str {
    static TEXT: LazyLock<String> = LazyLock::new(|| {
        let mut whole = Whole::openapi();
        whole.merge(described_routes().into_openapi());
        for (path, item) in &mut whole.paths.paths {
            for (method, operation) in operations(item) {
                guarded(&method, path, operation);
            }
        }
        let components = whole.components.get_or_insert_default();
        components
            .security_schemes
            .extend(schemes().map(|(name, one)| (name.to_owned(), one.into())));
        // By way of a value, whose keys are in order whatever holds them before.
        let value = serde_json::to_value(&whole).unwrap_or_default();
        format!("{value:#}\n")
    });
    &TEXT
}

/// How callers over TLS are known.
fn schemes() -> [(&'static str, SecurityScheme); 2] {
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer);
    let bearer = bearer.description(Some("A token of `xelb token`, over TLS"));
    let description = "A client certificate, signed by a CA of `--tls-client-ca`";
    let certificate = SecurityScheme::MutualTls {
        description: Some(description.to_owned()),
        deprecated: None,
        extensions: None,
    };
    [("token", SecurityScheme::Http(bearer.build())), ("certificate", certificate)]
}

/// The operations of a path.
fn operations(item: &mut PathItem) -> impl Iterator<Item = (Method, &mut Operation)> {
    [
        (Method::GET, &mut item.get),
        (Method::PUT, &mut item.put),
        (Method::POST, &mut item.post),
        (Method::PATCH, &mut item.patch),
        (Method::DELETE, &mut item.delete),
    ]
    .into_iter()
    .filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
}

/// What the guard before every route asks for and answers. Roles are what OpenAPI 3.1 has the list
/// of a security requirement for.
fn guarded(method: &Method, path: &str, operation: &mut Operation) {
    let role = needed(method, path).unwrap_or(Role::Configure);
    let by = |scheme: &str| SecurityRequirement::new(scheme, [role.name()]);
    operation.security = Some(vec![by("token"), by("certificate")]);
    let said = operation.description.take().unwrap_or_default();
    operation.description = Some(format!("{said}\n\nNeeds the role `{role}`.").trim().to_owned());
    for (status, name) in [("401", "Unauthorized"), ("403", "Forbidden"), ("503", "Unavailable")] {
        let answer = RefOr::Ref(Ref::from_response_name(name));
        operation.responses.responses.insert(status.to_owned(), answer);
    }
}
