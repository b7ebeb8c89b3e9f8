//! PURE: which target or target group a client stays with, and the cookie that keeps it there.

use std::{collections::HashMap, fmt, time::Duration};

use super::{
    cookie::{self, Attributes, CookieNameError},
    keys::{Keys, Scope, ScopeKind},
    token::{Refused, Tag, Tokens},
};
use crate::limits;

/// How long clients stay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stickiness {
    /// From the last answer that set the cookie: 1 second to 7 days.
    pub duration: Duration,
    /// Name of the application's cookie, for [`ScopeKind::AppCookie`] only.
    pub app_cookie: Option<String>,
    /// Attributes of the cookie.
    pub attributes: Attributes,
}

/// Why stickiness cannot be configured so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StickinessError {
    /// Outside 1 second to 7 days.
    #[error("stickiness of {0} s is not between 1 and 604800 s: choose a duration between")]
    Duration(u64),
    /// The name of the application's cookie.
    #[error(transparent)]
    Name(#[from] CookieNameError),
}

impl Stickiness {
    /// Whether duration and name are within their limits.
    ///
    /// # Errors
    ///
    /// The first fault.
    pub fn check(&self) -> Result<(), StickinessError> {
        if !limits::STICKINESS.contains(&self.duration) {
            return Err(StickinessError::Duration(self.duration.as_secs()));
        }
        Ok(self.app_cookie.as_deref().map_or(Ok(()), cookie::check_app_cookie_name)?)
    }
}

/// The sessions of a scope. `T` is a target or target group as the caller knows it, for example its
/// place.
///
/// It holds a table of identities, and is made again when targets or keys change.
pub struct Sessions<T> {
    tokens: Tokens,
    kind: ScopeKind,
    stickiness: Stickiness,
    by_tag: HashMap<Tag, T>,
    tags: Vec<(T, Tag)>,
}

/// What the cookies of a request say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Session<T> {
    /// The client was here: use this target if it is available, or else choose again.
    Kept(T),
    /// Choose.
    None(NoSession),
}

/// Why a request has no session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoSession {
    /// There is no cookie.
    NoCookie,
    /// The application's cookie is not there: its session is over.
    NoAppCookie,
    /// The cookie is not valid.
    Refused(Refused),
    /// The cookie is valid, and its target has left.
    TargetGone,
}

impl<T: Copy + PartialEq> Sessions<T> {
    /// `members` are targets or groups, each with its identity: bytes that no other member of this
    /// scope has, and that are the same on all hosts, such as `10.0.1.11:8080`.
    pub fn new(
        keys: &Keys,
        scope: &Scope<'_>,
        stickiness: Stickiness,
        members: &[(T, &[u8])],
    ) -> Self {
        let tokens = Tokens::new(keys, scope);
        let (mut by_tag, mut own) = (HashMap::new(), Vec::new());
        for &(member, identity) in members {
            let tags = tokens.tags(identity);
            own.extend(tags.first().map(|tag| (member, *tag)));
            by_tag.extend(tags.into_iter().map(|tag| (tag, member)));
        }
        Self { tokens, kind: scope.kind, stickiness, by_tag, tags: own }
    }

    /// What the `Cookie` lines of a request say.
    #[must_use]
    pub fn read(&self, cookies: &[&[u8]], now: Duration) -> Session<T> {
        if !self.has_app_cookie(cookies) {
            return Session::None(NoSession::NoAppCookie);
        }
        let mut reason = NoSession::NoCookie;
        for value in cookie::values(cookies, cookie::name(self.kind)) {
            reason = match self.tokens.open(value, now) {
                Ok(tag) => match self.by_tag.get(&tag) {
                    Some(member) => return Session::Kept(*member),
                    None => NoSession::TargetGone,
                },
                Err(refused) => NoSession::Refused(refused),
            };
        }
        Session::None(reason)
    }

    /// The `Set-Cookie` of the answer, whatever its status; `None` if the client needs none.
    ///
    /// `session` is what [`read`](Self::read) gave, `used` the member that had the request, and
    /// `app_cookie_set` whether its answer sets the application's cookie. Cookies of a duration are
    /// renewed by each answer; those of an application when its session begins, or when another
    /// target had the request.
    pub fn set_cookie(
        &self,
        session: Session<T>,
        used: T,
        app_cookie_set: bool,
        now: Duration,
    ) -> Option<String> {
        let wanted = match (self.kind, session) {
            (ScopeKind::AppCookie, Session::Kept(member)) => app_cookie_set || member != used,
            (ScopeKind::AppCookie, Session::None(NoSession::NoAppCookie)) => app_cookie_set,
            _ => true,
        };
        let (_, tag) = self.tags.iter().find(|(member, _)| *member == used)?;
        wanted.then(|| {
            let age = self.stickiness.duration;
            let value = self.tokens.seal(*tag, now + age);
            cookie::set_cookie(cookie::name(self.kind), &value, age, self.stickiness.attributes)
        })
    }

    /// Whether the application's cookie is there, or none is asked for.
    fn has_app_cookie(&self, cookies: &[&[u8]]) -> bool {
        match (&self.stickiness.app_cookie, self.kind) {
            (Some(name), ScopeKind::AppCookie) => cookie::values(cookies, name).next().is_some(),
            _ => true,
        }
    }
}

impl<T> fmt::Debug for Sessions<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions")
            .field("kind", &self.kind)
            .field("members", &self.tags.len())
            .finish_non_exhaustive()
    }
}
