//! The lab: hosts in network namespaces, real servers and clients in them, and `xelb` between.
//!
//! It is the base of the network tests and the demo; it deliberately knows nothing of how `xelb`
//! works inside, only its command line; [`script`], for tests of the agent's planning, has no lab.
//!
//! Nothing in a lab has a name outside of it. Mounts (a tmpfs over `/run`, a bpffs) live in a
//! private mount namespace, network namespaces are named under that tmpfs only, and every child
//! process dies with the thread that started it. So the kernel removes a lab when its process
//! ends, in whatever way that happens; [`lab::Lab`] merely does it sooner.

pub mod agent;
pub mod bpf;
pub mod capture;
pub mod configuration;
pub mod error;
pub mod flood;
pub mod greeter;
pub mod host;
pub mod http;
pub mod lab;
pub mod layout;
pub mod load;
pub mod process;
pub mod raw;
pub mod requirements;
pub mod sandbox;
pub mod scaled;
pub mod script;
pub mod talk;
pub mod topology;
pub mod udp;
pub mod wait;
pub mod web;
pub mod xdp_pass;

pub use agent::Xelb;
pub use configuration::{Configuration, Forwarding};
pub use error::{Error, Result};
pub use host::Host;
pub use lab::Lab;
pub use process::Process;
