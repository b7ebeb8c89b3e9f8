//! Asks DNS servers for the addresses of names, and asks again when their time to live is over. What an
//! answer makes of a name is decided by `lb_names`; what becomes of its addresses, by the agent.

#![forbid(unsafe_code)]

mod lookup;
mod resolver;
mod system_files;

pub use lookup::lookup;
pub use resolver::{FollowedName, Resolver};
pub use system_files::SystemFiles;
