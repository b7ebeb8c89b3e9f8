//! PURE: cookies that keep a client with its target, or with its target group. `now` is the time
//! since 1970-01-01 UTC, since several hosts read the cookies of each other.

mod cookie;
mod keys;
mod sessions;
#[cfg(test)]
mod tests;
mod token;

pub use cookie::{
    Attributes, CookieNameError, SameSite, check_app_cookie_name, name as cookie_name,
};
pub use keys::{KEY_LENGTH, Keys, Scope, ScopeKind};
pub use sessions::{NoSession, Session, Sessions, Stickiness, StickinessError};
pub use token::Refused;
