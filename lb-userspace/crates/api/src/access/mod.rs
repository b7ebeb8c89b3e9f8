//! Access to the API: roles, the required role of each route, and authentication. The connections
//! themselves are not kept here, but in [`super::listener_sockets`].

mod authority;
mod certificate;
mod credentials;
mod error;
mod guard;
mod options;
mod peer;
mod role;
mod routes;
mod token;

pub use authority::{Authority, AuthorityFiles};
pub use credentials::CredentialsError;
pub use error::AccessError;
pub use options::{AccessOptions, ReadSocket, Remote, group};
pub use role::{Caller, Role};
pub use token::{Token, is_name};

pub(super) use authority::identity;
pub(super) use guard::guard;
pub(super) use peer::{Peer, local};
pub(super) use routes::needed;
#[cfg(test)]
pub(super) use routes::table;
