//! Drivers start and end the members of a scaled group: the trait, the drivers `exec`, `static`,
//! `systemd`, `docker` and `webhook`, and a check that grades a driver. When a driver is called is decided by `lb-members`.
//!
//! Callers of [`ExecDriver`] must make sure that only root can change
//! its program.

#![forbid(unsafe_code)]

mod answer;
mod built_in;
mod check;
mod docker;
mod driver;
mod exec;
mod settings;
mod static_targets;
mod systemd;
mod webhook;

pub use built_in::{BuiltInSettings, StaticSettings};
pub use check::{
    CheckOptions, Finding, Grade, Progress, Report, check, check_and_report, end_members_of_check,
};
pub use docker::{DockerDriver, DockerSettings};
pub use driver::{Calling, Driver, MEMBERS_MAX, NAME_BYTES_MAX, Request};
pub use exec::{ExecDriver, OUTPUT_BYTES_MAX, User};
pub use settings::SettingsError;
pub use static_targets::StaticDriver;
pub use systemd::{SystemdDriver, SystemdSettings};
pub use webhook::{
    NotifyError, PrometheusQuery, SIGNATURE_HEADER, WebhookDriver, WebhookError, WebhookNotifier,
    header_fields, verify_signature,
};
