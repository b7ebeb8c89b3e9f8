//! PURE: DNS names of targets. A query and its answer as bytes ([`message`]), the files of the host
//! that say whom to ask ([`system`]), what lookups make of a name and when the next one is due
//! ([`life`]), and a configuration in which addresses of names are targets ([`expansion`]). Sockets
//! and clocks belong to `lb_dns`.

#![forbid(unsafe_code)]

pub mod expansion;
pub mod life;
pub mod message;
pub mod system;

pub use expansion::{Expansion, LeftOut, expand};
pub use life::{Answer, NameLife};
