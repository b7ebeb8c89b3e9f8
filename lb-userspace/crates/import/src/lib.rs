//! PURE: a configuration of ipvsadm, keepalived or HAProxy, as a configuration of xelb.
//!
//! For example, two lines of `ipvsadm -S -n`:
//!
//! ```
//! let rules = "-A -t 203.0.113.10:80 -s rr\n-a -t 203.0.113.10:80 -r 10.0.1.11:80 -g -w 1\n";
//! let imported = lb_import::import(lb_import::Format::Ipvs, rules).unwrap();
//! assert!(imported.text().contains("forwarding: l2dsr"));
//! assert!(imported.remarks()[0].message.contains("eth0 is a placeholder"));
//! ```
//!
//! No line of the input is lost: each is blank or a comment, or something in the result comes from it, or
//! a remark names it ([`Imported::fate`]). This crate reads no file and asks no host.

mod address;
mod common_check;
mod document;
mod duration;
mod error;
mod haproxy;
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
mod weights;
mod yaml;

#[cfg(test)]
mod tests;

use std::{net::IpAddr, str::FromStr};

pub use error::ImportError;
pub use remark::{Fate, Kind, Remark};
pub use result::Imported;

use ledger::Ledger;
use service::Found;

/// What the text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The output of `ipvsadm -S -n`, `ipvsadm-save -n` or `ipvsadm -L -n`, or `ipvsadm` commands.
    Ipvs,
    /// A keepalived.conf.
    Keepalived,
    /// A haproxy.cfg.
    Haproxy,
}

impl Format {
    /// Its name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ipvs => "ipvs",
            Self::Keepalived => "keepalived",
            Self::Haproxy => "haproxy",
        }
    }
}

impl FromStr for Format {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        [Self::Ipvs, Self::Keepalived, Self::Haproxy]
            .into_iter()
            .find(|format| format.name() == name)
            .ok_or_else(|| "the formats are ipvs, keepalived and haproxy".to_owned())
    }
}

/// What such a configuration does not say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Interfaces where clients' packets arrive; none is what the text says, or a placeholder.
    pub interfaces: Vec<String>,
    /// Addresses of listeners whose text says "any address", one a family at most.
    pub addresses: Vec<IpAddr>,
    /// Addresses that packets to targets of mode `fullnat` come from.
    pub source_addresses: Vec<IpAddr>,
}

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
    let document = lower::lower(found, settings, &mut ledger);
    Ok(repair::finish(format, document, ledger))
}
