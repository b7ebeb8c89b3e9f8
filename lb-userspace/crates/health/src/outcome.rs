//! What a probe can end with. What that means for its target is the machine's affair.

use std::io;

use super::Reason;

/// What a probe ended with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The target did what was asked.
    Success,
    /// It did, and was asked for what it reports of itself.
    Reported(Vec<Report>),
    /// It did not.
    Failure {
        /// Why, in ELB's words.
        reason: Reason,
        /// What was seen, for people; never empty.
        detail: String,
    },
    /// The probe could not be made, for a reason on this host (no file descriptors, no local ports,
    /// a local firewall), which says nothing about the target. It counts for nothing: an agent in
    /// need must not declare all its targets dead.
    Inconclusive {
        /// What is wrong here, for people.
        detail: String,
    },
    /// There was no file descriptor for it. It is made again as soon as there is one, and has not been
    /// made yet.
    NoDescriptor(NoDescriptor),
}

/// What a target reports of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The metric.
    pub metric: String,
    /// The text that should be a number; `None` if it reports nothing. An error says why that is not
    /// known.
    pub text: Result<Option<String>, String>,
}

/// Who has no file descriptor left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoDescriptor {
    /// This process (EMFILE).
    Process,
    /// The whole host (ENFILE).
    Host,
}

impl NoDescriptor {
    /// What an error says of descriptors.
    #[must_use]
    pub fn of(error: &io::Error) -> Option<Self> {
        match error.raw_os_error() {
            Some(libc::EMFILE) => Some(Self::Process),
            Some(libc::ENFILE) => Some(Self::Host),
            _ => None,
        }
    }
}

impl Outcome {
    /// Something that a probe needs could not be opened on this host.
    pub(super) fn unopened(what: &str, error: &io::Error) -> Self {
        match NoDescriptor::of(error) {
            Some(who) => Self::NoDescriptor(who),
            None => Self::Inconclusive { detail: format!("{what}: {error}") },
        }
    }

    /// A failure with [`Reason::FailedHealthChecks`].
    pub(super) fn failed(detail: impl Into<String>) -> Self {
        Self::Failure { reason: Reason::FailedHealthChecks, detail: detail.into() }
    }

    /// A failure with [`Reason::Timeout`].
    pub(super) fn timeout(detail: impl Into<String>) -> Self {
        Self::Failure { reason: Reason::Timeout, detail: detail.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probe_without_descriptor_is_repeated() {
        let of = |errno| Outcome::unopened("cannot open", &io::Error::from_raw_os_error(errno));
        assert_eq!(of(libc::EMFILE), Outcome::NoDescriptor(NoDescriptor::Process));
        assert_eq!(of(libc::ENFILE), Outcome::NoDescriptor(NoDescriptor::Host));
        let detail = "cannot open: Cannot allocate memory (os error 12)".to_owned();
        assert_eq!(of(libc::ENOMEM), Outcome::Inconclusive { detail });
    }
}
