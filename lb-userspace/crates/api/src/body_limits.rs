//! BodyLimits of requests: how large one may be for each role, and how much all of a role may hold
//! together while they come in. Their content is not inspected.

use std::sync::Arc;

use axum::{
    body::Body,
    http::{Request, StatusCode},
};
use http_body_util::BodyExt as _;
use lb_agent::config_file::FILE_BYTES_MAX;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{
    access::{Caller, Role},
    failure::Failure,
};

const MIB: usize = 1 << 20;

/// As large as a file with a configuration may be.
const DOCUMENT_BYTES_MAX: usize = 16 * MIB;
const _: () = assert!(DOCUMENT_BYTES_MAX as u64 == FILE_BYTES_MAX);

/// Largest body for a role: whole configurations are for those who may apply them.
const fn bytes_max(role: Role) -> usize {
    match role {
        Role::Read | Role::Proxy | Role::Operate => MIB,
        Role::Configure => DOCUMENT_BYTES_MAX,
    }
}

/// Bytes of bodies that all callers of a role hold together.
const fn together_max(role: Role) -> usize {
    match role {
        Role::Read | Role::Proxy | Role::Operate => 4 * MIB,
        Role::Configure => 4 * DOCUMENT_BYTES_MAX,
    }
}

/// Memory limits of request bodies, for each role.
#[derive(Clone, Debug)]
pub(super) struct BodyLimits([Arc<Semaphore>; Role::ALL.len()]);

impl Default for BodyLimits {
    fn default() -> Self {
        Self(Role::ALL.map(|role| Arc::new(Semaphore::new(together_max(role)))))
    }
}

/// A body, and its part of what all may take, until it is dropped.
#[derive(Debug, Default)]
pub(super) struct Received {
    pub(super) bytes: Vec<u8>,
    part: Option<OwnedSemaphorePermit>,
}

impl BodyLimits {
    /// Receives the body of a request whole.
    pub(super) async fn receive(&self, request: Request<Body>) -> Result<Received, Failure> {
        // Without a caller, no request comes here.
        let caller = request.extensions().get::<Caller>();
        let role = caller.map_or(Role::Read, |caller| caller.role);
        let [readers, proxies, operators, configurators] = &self.0;
        let budget = match role {
            Role::Read => readers,
            Role::Proxy => proxies,
            Role::Operate => operators,
            Role::Configure => configurators,
        };
        let mut body = request.into_body();
        let mut received = Received::default();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| {
                Failure::bad_request(format!("the body cannot be read: {error}"))
            })?;
            let Ok(chunk) = frame.into_data() else {
                continue;
            };
            if chunk.len() > bytes_max(role) - received.bytes.len() {
                return Err(too_large(role));
            }
            received.grow(budget, chunk.len()).ok_or_else(|| busy(role))?;
            received.bytes.extend_from_slice(&chunk);
        }
        Ok(received)
    }
}

impl Received {
    /// Takes so much more; `None` when others have it.
    fn grow(&mut self, budget: &Arc<Semaphore>, bytes: usize) -> Option<()> {
        let bytes = u32::try_from(bytes).ok()?;
        let more = Arc::clone(budget).try_acquire_many_owned(bytes).ok()?;
        match &mut self.part {
            Some(part) => part.merge(more),
            none => *none = Some(more),
        }
        Some(())
    }
}

fn too_large(role: Role) -> Failure {
    let most = bytes_max(role) >> 20;
    let message = match role {
        Role::Configure => format!("the body is larger than {most} MiB"),
        Role::Read | Role::Proxy | Role::Operate => {
            format!("the body is larger than {most} MiB, the limit for the role `{role}`")
        }
    };
    Failure(StatusCode::PAYLOAD_TOO_LARGE, message)
}

fn busy(role: Role) -> Failure {
    let message = format!(
        "callers with the role `{role}` are sending {} MiB already; try again later",
        together_max(role) >> 20
    );
    Failure(StatusCode::SERVICE_UNAVAILABLE, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(role: Role, bytes: usize) -> Request<Body> {
        let mut request = Request::new(Body::from(vec![b' '; bytes]));
        request.extensions_mut().insert(Caller { name: "alice".to_owned(), role });
        request
    }

    #[tokio::test]
    async fn a_role_has_its_own_largest_body() {
        let bodies = BodyLimits::default();
        for (role, most) in [(Role::Read, MIB), (Role::Operate, MIB), (Role::Configure, 16 * MIB)] {
            let received = bodies.receive(request(role, most)).await.unwrap();
            assert_eq!(received.bytes.len(), most);
            let refused = bodies.receive(request(role, most + 1)).await.unwrap_err();
            assert_eq!(refused.0, StatusCode::PAYLOAD_TOO_LARGE, "{}", refused.1);
        }
    }

    #[tokio::test]
    async fn bodies_of_readers_are_limited_together_and_released() {
        let bodies = BodyLimits::default();
        let mut held = Vec::new();
        for _ in 0..4 {
            held.push(bodies.receive(request(Role::Read, MIB)).await.unwrap());
        }
        let refused = bodies.receive(request(Role::Read, 1)).await.unwrap_err();
        assert_eq!(refused.0, StatusCode::SERVICE_UNAVAILABLE);
        bodies.receive(request(Role::Configure, 16 * MIB)).await.unwrap();
        bodies.receive(request(Role::Operate, 100)).await.unwrap();
        held.pop();
        bodies.receive(request(Role::Read, MIB)).await.unwrap();
    }
}
