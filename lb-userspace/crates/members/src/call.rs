//! PURE: the calls that a driver understands, and its answers. Every verb names one member, and may
//! be repeated: there are no deltas. How a call is carried out is not decided here.

use std::{fmt, net::IpAddr, time::Duration};

use serde::{Deserialize, Serialize};

/// What a driver is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    /// Name all members of the group.
    List,
    /// Create the member, or find it.
    Ensure,
    /// End the member. One that does not exist is a success.
    End,
    /// Stop the member and keep it, for a warm pool.
    Stop,
    /// Start a member that was stopped.
    Start,
    /// Report one member.
    Describe,
}

impl fmt::Display for Verb {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::List => "list",
            Self::Ensure => "ensure",
            Self::End => "end",
            Self::Stop => "stop",
            Self::Start => "start",
            Self::Describe => "describe",
        })
    }
}

/// What kind of error a call met. It decides when the call is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorClass {
    /// The quota of the account or host is used up.
    Quota,
    /// The provider has no capacity at the moment.
    Capacity,
    /// The template is wrong: no call with it will succeed.
    Template,
    /// Anything that may be different next time, such as a deadline that passed.
    Transient,
    /// This member cannot be had.
    Fatal,
}

/// Why a call has failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallError {
    /// Its kind.
    pub class: ErrorClass,
    /// What happened, for people.
    #[serde(default)]
    pub message: String,
}

impl CallError {
    /// An error of a class.
    #[must_use]
    pub fn new(class: ErrorClass, message: impl Into<String>) -> Self {
        Self { class, message: message.into() }
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let class = match self.class {
            ErrorClass::Quota => "quota",
            ErrorClass::Capacity => "capacity",
            ErrorClass::Template => "template",
            ErrorClass::Transient => "transient",
            ErrorClass::Fatal => "fatal",
        };
        write!(formatter, "{class}: {}", self.message)
    }
}

impl std::error::Error for CallError {}

/// What a driver says of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MemberState {
    /// It is being created or is booting.
    Launching,
    /// It runs.
    Running,
    /// It is kept and does not run.
    Stopped,
    /// It does not exist any more.
    Ended,
    /// It exists and will never run.
    Failed,
}

/// One member, as a driver reports it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reported {
    /// Its name.
    pub name: String,
    /// Its state.
    pub state: MemberState,
    /// Its address, once known.
    #[serde(default)]
    pub address: Option<IpAddr>,
    /// Its port, once known.
    #[serde(default)]
    pub port: Option<u16>,
    /// The digest of the template that it was created from.
    #[serde(default)]
    pub template: Option<String>,
    /// Why it failed.
    #[serde(default)]
    pub error: Option<CallError>,
}

/// What a successful call returns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// All members: the answer to `list`.
    Members(Vec<Reported>),
    /// One member: the answer to `ensure`, `start` and `describe`.
    Member(Reported),
    /// Nothing: the answer to `end` and `stop`.
    Done,
}

/// The result of a call.
pub type CallResult = Result<Answer, CallError>;

/// The number of a call; later calls of a process have larger ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CallId(pub u64);

/// A call to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Its number.
    pub id: CallId,
    /// What to do.
    pub verb: Verb,
    /// The member; empty for `list`.
    pub name: String,
    /// The digest of the member's template; empty for `list`.
    pub template: String,
    /// How long it may take; then it is to be killed.
    pub deadline: Duration,
}
