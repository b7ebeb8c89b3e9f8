//! Drivers start and end the members of a scaled group: the trait, the drivers `exec`, `static` and
//! `webhook`,
//! and a check that grades a driver. When a driver is called is decided by `lb-members`.
//!
//! Nothing uses this crate yet. Callers of [`ExecDriver`] must make sure that only root can change
//! its program.

#![forbid(unsafe_code)]

mod answer;
mod check;
mod driver;
mod exec;
mod static_targets;
mod webhook;

pub use check::{CheckOptions, Finding, Grade, Report, check};
pub use driver::{Calling, Driver, MEMBERS_MAX, NAME_BYTES_MAX, Request};
pub use exec::{ExecDriver, OUTPUT_BYTES_MAX};
pub use static_targets::StaticDriver;
pub use webhook::{SIGNATURE_HEADER, WebhookDriver, WebhookError, verify_signature};
