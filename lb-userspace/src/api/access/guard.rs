//! Stands before every route: who asks, and may he? Handlers find a [`Caller`] in their request.

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
use crate::api::extract::Failure;

/// Lets a request through, with its [`Caller`], or refuses it.
pub(in crate::api) async fn guard(mut request: Request, next: Next) -> Response {
    // Every connection has a peer; were there one without, nobody would be let in.
    let Some(peer) = request.extensions().get::<Arc<Peer>>().cloned() else {
        return unauthorized(&Unknown::NoCredential);
    };
    let caller = match peer.caller(request.headers()) {
        Ok(caller) => caller,
        Err(unknown) => {
            peer.complain(&say(&unknown));
            return unauthorized(&unknown);
        }
    };
    if let Some(route) = request.extensions().get::<MatchedPath>()
        && let Err(failure) = permit(&caller, request.method(), route.as_str())
    {
        peer.complain(&format!("{} {}: {}", request.method(), route.as_str(), failure.1));
        return failure.into_response();
    }
    request.extensions_mut().insert(caller);
    next.run(request).await
}

/// Whether this caller may do this. What the table does not have is for the strongest role alone.
fn permit(caller: &Caller, method: &Method, route: &str) -> Result<(), Failure> {
    let needed = needed(method, route).unwrap_or(Role::Configure);
    if caller.role >= needed {
        return Ok(());
    }
    let Caller { name, role } = caller;
    let message = format!("this needs the role `{needed}`, and {name} has `{role}`");
    Err(Failure(StatusCode::FORBIDDEN, message))
}

fn say(unknown: &Unknown) -> String {
    match unknown {
        Unknown::NoCredential => {
            "no credential: send `authorization: Bearer TOKEN`, or show a client certificate"
                .to_owned()
        }
        Unknown::Malformed => "the credential is not `authorization: Bearer TOKEN`".to_owned(),
        Unknown::WrongToken => "nobody has this token".to_owned(),
        Unknown::NoRole(name) => {
            format!(
                "the certificate of {name:?} has no role; `cert:` lines of the tokens file give one"
            )
        }
    }
}

/// RFC 6750, section 3: the header says how to be known, and whether something was wrong.
fn unauthorized(unknown: &Unknown) -> Response {
    let (status, challenge) = match unknown {
        Unknown::NoRole(_) => (StatusCode::FORBIDDEN, None),
        Unknown::NoCredential => (StatusCode::UNAUTHORIZED, Some("Bearer realm=\"xelb\"")),
        Unknown::Malformed => {
            (StatusCode::UNAUTHORIZED, Some("Bearer realm=\"xelb\", error=\"invalid_request\""))
        }
        Unknown::WrongToken => {
            (StatusCode::UNAUTHORIZED, Some("Bearer realm=\"xelb\", error=\"invalid_token\""))
        }
    };
    let mut response = Failure(status, say(unknown)).into_response();
    if let Some(challenge) = challenge {
        response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    }
    response
}
