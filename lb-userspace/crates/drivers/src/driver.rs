//! The trait of drivers, and what they are asked. All verbs name one member and may be repeated.

use std::{fmt, future::Future, pin::Pin, time::Duration};

use lb_members::{Call, CallResult, Verb};
use serde::Serialize;
use serde_json::{Map, Value};

/// The most members in an answer to `list`.
pub const MEMBERS_MAX: usize = 4000;
/// The longest name of a member.
pub const NAME_BYTES_MAX: usize = 128;

/// What a driver is asked; the JSON object on the standard input of an exec driver.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Request {
    /// What to do.
    pub verb: Verb,
    /// The group, for the label of its members.
    pub group: String,
    /// The member; empty for `list`.
    pub name: String,
    /// The digest of its template, for its label.
    pub template: String,
    /// The parameters of the template, as people configured them.
    pub parameters: Map<String, Value>,
}

impl Request {
    /// The request of a call.
    #[must_use]
    pub fn of(call: &Call, group: &str, parameters: Map<String, Value>) -> Self {
        Self {
            verb: call.verb,
            group: group.to_owned(),
            name: call.name.clone(),
            template: call.template.clone(),
            parameters,
        }
    }

    /// The same, with another verb and name.
    #[must_use]
    pub fn with(&self, verb: Verb, name: &str) -> Self {
        Self { verb, name: name.to_owned(), ..self.clone() }
    }
}

/// A call that is under way. Dropping it kills it; what it has done by then stays done.
pub type Calling<'a> = Pin<Box<dyn Future<Output = CallResult> + Send + 'a>>;

/// Something that starts and ends members.
///
/// `list`, `ensure` and `end` are required. A driver without `stop`, `start` or `describe` answers
/// with a fatal error. `ensure` creates the member or finds it, and `end` of a member that does not
/// exist is a success, so any call may be repeated after a lost answer.
pub trait Driver: fmt::Debug + Send + Sync {
    /// Makes a call. After the deadline it is killed, and the result is a transient error.
    fn call<'a>(&'a self, request: &'a Request, deadline: Duration) -> Calling<'a>;

    /// The same driver with a wall clock that is wrong by so many seconds, for its check; or why
    /// there is none.
    fn with_clock_offset(&self, _seconds: i64) -> Result<Box<dyn Driver>, String> {
        Err("xelb itself is the driver, and reads no clock in it".to_owned())
    }

    /// Callers that the driver must refuse, each with what is wrong with it, for its check.
    fn impostors(&self) -> Vec<(&'static str, Box<dyn Driver>)> {
        Vec::new()
    }
}
