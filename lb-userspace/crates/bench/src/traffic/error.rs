//! Errors of the generator and the sink: of the user, or of the system.

use std::io;

use lb_dataplane::{AttachError, PreflightError};
use lb_netlink::ResolverError;
use thiserror::Error;

/// Errors of a run.
#[derive(Debug, Error)]
pub enum TrafficError {
    /// The request is refused; nothing was sent.
    #[error("{option}: {problem}")]
    Usage {
        /// The option.
        option: &'static str,
        /// What is wrong with it, and what to do.
        problem: String,
    },
    /// The host.
    #[error(transparent)]
    Preflight(#[from] PreflightError),
    /// Attaching.
    #[error(transparent)]
    Attach(#[from] AttachError),
    /// Routes and neighbours cannot be read.
    #[error(transparent)]
    Resolver(#[from] ResolverError),
    /// A system call.
    #[error("cannot {what}")]
    System {
        /// The failed action.
        what: String,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// A program or a map.
    #[error("cannot {what}")]
    Bpf {
        /// The failed action.
        what: &'static str,
        /// Why it failed.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A thread of the generator.
    #[error("a thread of the generator ended early")]
    Thread,
}

impl TrafficError {
    /// Whether the user has to correct the request.
    #[must_use]
    pub const fn is_usage(&self) -> bool {
        matches!(self, Self::Usage { .. } | Self::Attach(AttachError::NoInterface { .. }))
    }

    pub(super) fn usage(option: &'static str, problem: impl Into<String>) -> Self {
        Self::Usage { option, problem: problem.into() }
    }

    pub(super) fn system(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::System { what, source }
    }

    pub(super) fn bpf<E: std::error::Error + Send + Sync + 'static>(
        what: &'static str,
    ) -> impl FnOnce(E) -> Self {
        move |source| Self::Bpf { what, source: Box::new(source) }
    }
}
