//! What a check found. Field and check names are part of the command line's JSON.

use serde::Serialize;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// As it should be.
    Ok,
    /// It works, but slowly, or not for all clients, or it cannot be checked from here.
    Warning,
    /// Packets are lost, or will be.
    Error,
}

/// What one check found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// The check's stable name.
    pub check: &'static str,
    /// What was checked: `host`, `agent`, `data path`, an interface, a target, a VIP.
    pub subject: String,
    /// What was found.
    pub message: String,
    /// What to do; nothing when all is well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

impl Finding {
    pub(super) fn ok(
        check: &'static str,
        subject: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        let (subject, message) = (subject.into(), message.into());
        Self { severity: Severity::Ok, check, subject, message, remedy: None }
    }

    pub(super) fn warning(
        check: &'static str,
        subject: impl Into<String>,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        let found = Self::ok(check, subject, message);
        Self { severity: Severity::Warning, remedy: Some(remedy.into()), ..found }
    }

    pub(super) fn error(
        check: &'static str,
        subject: impl Into<String>,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self { severity: Severity::Error, ..Self::warning(check, subject, message, remedy) }
    }
}
