//! Answers that are ready before the body of their request has come.
//!
//! A server that answers and closes the connection while the client still sends makes it lose the answer
//! (RFC 9112, 9.6). So what is left of a body is read and discarded first, within bounds. The connection
//! can then take another request.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    Error, body::Body, extract::Request, http::header::EXPECT, middleware::Next, response::Response,
};
use http_body_util::BodyExt as _;
use hyper::body::{Body as HttpBody, Bytes, Frame, SizeHint};
use tokio::time::timeout;

/// Bytes of a body that are discarded: as many as most roles may send.
const DISCARDED_MAX: u64 = 1 << 20;

/// Longest time that is waited for them.
const WAIT_MAX: Duration = Duration::from_secs(2);

/// A body whose rest can be read after its reader is gone.
struct Shared(Arc<Mutex<Body>>);

impl Shared {
    fn body(&self) -> MutexGuard<'_, Body> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HttpBody for Shared {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        Pin::new(&mut *self.body()).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body().is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body().size_hint()
    }
}

/// Answers a request when its body has been read, by the answering side or here.
pub(super) async fn after_the_body(request: Request, next: Next) -> Response {
    // Who waits for `100 Continue` has not sent the body, and does not send it after a refusal.
    let asks_first = request.headers().contains_key(EXPECT);
    let (head, body) = request.into_parts();
    let body = Arc::new(Mutex::new(body));
    let shared = Body::new(Shared(Arc::clone(&body)));
    let response = next.run(Request::from_parts(head, shared)).await;
    if !asks_first {
        // One that takes longer loses its answer, as it would without the wait.
        let _late = timeout(WAIT_MAX, discard(Shared(body))).await;
    }
    response
}

/// Reads up to [`DISCARDED_MAX`]; nothing when more than that is announced.
async fn discard(mut body: Shared) {
    let mut left = DISCARDED_MAX;
    while !body.is_end_stream() && body.size_hint().lower() <= left {
        let Some(Ok(frame)) = body.frame().await else {
            return;
        };
        let bytes = frame.data_ref().map_or(0, Bytes::len);
        left = left.saturating_sub(bytes as u64);
    }
}
