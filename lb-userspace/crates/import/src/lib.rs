//! PURE: a configuration of ipvsadm, keepalived or HAProxy, as a configuration of xelb.
//!
//! For example, two lines of `ipvsadm -S -n`:
//!
//! ```
//! let rules = "-A -t 203.0.113.10:80 -s rr\n-a -t 203.0.113.10:80 -r 10.0.1.11:80 -g -w 1\n";
//! let imported = lb_import::import(lb_import::Format::Ipvs, rules).unwrap();
//! assert!(imported.text().contains("forwarding: l2dsr"));
//! assert!(imported.remarks().iter().any(|one| one.message.contains("eth0 is a placeholder")));
//! ```
//!
//! No line of the input is lost: each is blank or a comment, or something in the result comes from it, or
//! a remark names it ([`Imported::fate`]). This crate reads no file and asks no host.

mod address;
mod common_check;
mod document;
mod duration;
mod error;
mod format;
mod haproxy;
mod host;
mod ipvs;
mod keepalived;
mod ledger;
mod lower;
mod names;
mod placeholders;
mod remark;
mod repair;
mod result;
mod service;
mod settings;
mod weights;
mod yaml;

#[cfg(test)]
mod tests;

pub use error::ImportError;
pub use format::Format;
pub use remark::{Fate, Kind, Remark};
pub use result::Imported;
pub use settings::Settings;

use ledger::Ledger;
use service::Found;

/// Reads a configuration of another balancer.
pub fn import(format: Format, text: &str) -> Result<Imported, ImportError> {
    import_with(format, text, &Settings::default())
}

/// The same, with what the text does not say.
pub fn import_with(
    format: Format,
    text: &str,
    settings: &Settings,
) -> Result<Imported, ImportError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut ledger = Ledger::new(text, format);
    let found: Found = match format {
        Format::Ipvs => ipvs::read(text, &mut ledger)?,
        Format::Keepalived => keepalived::read(text, &mut ledger)?,
        Format::Haproxy => haproxy::read(text, &mut ledger)?,
    };
    let document = lower::lower(&found, settings, &mut ledger);
    Ok(repair::finish(format, document, ledger))
}
