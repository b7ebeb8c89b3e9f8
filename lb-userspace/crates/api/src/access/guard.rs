//! Authentication and authorization before every route. Handlers find a [`Caller`] in their
//! request.

use std::sync::Arc;

use axum::{
    extract::{MatchedPath, Request},
    http::{HeaderValue, Method, StatusCode, header::WWW_AUTHENTICATE},
    middleware::Next,
    response::{IntoResponse as _, Response},
};

use super::{
    Caller, Role,
    peer::{Peer, Unknown},
    routes::needed,
};
use crate::{connections::Connection, failure::Failure};

/// Lets a request through, with its [`Caller`], or refuses it.
pub(crate) async fn guard(mut request: Request, next: Next) -> Response {
    // Every connection has a peer; a connection without one is refused.
    let Some(peer) = request.extensions().get::<Arc<Peer>>().cloned() else {
        return unauthorized(&Unknown::NoCredential);
    };
    let caller = match peer.caller(request.headers()) {
        Ok(caller) => caller,
        Err(unknown) => {
            peer.log_refusal(&message_of(&unknown));
            return unauthorized(&unknown);
        }
    };
    if let Some(connection) = request.extensions().get::<Arc<Connection>>()
        && let Err(failure) = connection.identify(&caller)
    {
        peer.log_refusal(&failure.1);
        return failure.into_response();
    }
    if let Some(route) = request.extensions().get::<MatchedPath>()
        && let Err(failure) = permit(&caller, request.method(), route.as_str())
    {
        peer.log_refusal(&format!("{} {}: {}", request.method(), route.as_str(), failure.1));
        return failure.into_response();
    }
    request.extensions_mut().insert(caller);
    next.run(request).await
}

/// Whether this caller may do this. Routes that are not in the table need the strongest role.
fn permit(caller: &Caller, method: &Method, route: &str) -> Result<(), Failure> {
    let needed = needed(method, route).unwrap_or(Role::Configure);
    if caller.role.permits(needed) {
        return Ok(());
    }
    let Caller { name, role } = caller;
    let message = format!("this needs the role `{needed}`, and {name} has `{role}`");
    Err(Failure(StatusCode::FORBIDDEN, message))
}

fn message_of(unknown: &Unknown) -> String {
    match unknown {
        Unknown::NoCredential => {
            "no credential: send `authorization: Bearer TOKEN`, or a client certificate".to_owned()
        }
        Unknown::Malformed => "the credential is not `authorization: Bearer TOKEN`".to_owned(),
        Unknown::WrongToken => "unknown token".to_owned(),
        Unknown::Page => {
            "requests of web pages (with a header `origin`) are refused with a client certificate"
                .to_owned()
        }
        Unknown::NoRole(name) => {
            format!(
                "the certificate of {name:?} has no role; add a `cert:` line to the tokens file"
            )
        }
    }
}

/// RFC 6750, section 3: the header says how to be known, and whether something was wrong.
fn unauthorized(unknown: &Unknown) -> Response {
    let (status, challenge) = match unknown {
        Unknown::NoRole(_) | Unknown::Page => (StatusCode::FORBIDDEN, None),
        Unknown::NoCredential => (StatusCode::UNAUTHORIZED, Some("Bearer realm=\"xelb\"")),
        Unknown::Malformed => {
            (StatusCode::UNAUTHORIZED, Some("Bearer realm=\"xelb\", error=\"invalid_request\""))
        }
        Unknown::WrongToken => {
            (StatusCode::UNAUTHORIZED, Some("Bearer realm=\"xelb\", error=\"invalid_token\""))
        }
    };
    let mut response = Failure(status, message_of(unknown)).into_response();
    if let Some(challenge) = challenge {
        response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    }
    response
}

#[cfg(test)]
mod tests {
    use axum::{Extension, Router, body::Body, middleware::from_fn, routing::get};
    use http_body_util::BodyExt as _;
    use hyper::service::Service as _;
    use hyper_util::service::TowerToHyperService;

    use super::*;

    async fn ask(peer: Option<Peer>) -> (StatusCode, String) {
        let who = |Extension(caller): Extension<Caller>| async move { format!("{caller:?}") };
        let router = Router::new().route("/who", get(who)).layer(from_fn(guard));
        let mut request = Request::builder().uri("/who").body(Body::empty()).unwrap();
        if let Some(peer) = peer {
            request.extensions_mut().insert(Arc::new(peer));
        }
        let answer = TowerToHyperService::new(router).call(request).await.unwrap();
        let status = answer.status();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn handlers_get_the_caller() {
        let caller = Caller { name: "alice (uid 7)".to_owned(), role: Role::Read };
        let (status, body) = ask(Some(Peer::Local(caller.clone()))).await;
        assert_eq!((status, body), (StatusCode::OK, format!("{caller:?}")));
    }

    #[tokio::test]
    async fn a_request_without_credential_is_refused() {
        let (status, body) = ask(None).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED);
        assert!(body.starts_with("{\"error\":\"no credential"), "{body}");
    }
}
