//! PURE: where the program is attached, or should be, and how.

use std::str::FromStr;

/// How the program should be attached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum XdpMode {
    /// Native where the driver runs programs and frames that they send arrive, else generic with a
    /// warning.
    #[default]
    Auto,
    /// In the driver, or not at all.
    Native,
    /// In the kernel's network stack: works everywhere, but slowly.
    Generic,
}

impl FromStr for XdpMode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "native" => Ok(Self::Native),
            "generic" => Ok(Self::Generic),
            other => Err(format!("{other} is not an XDP mode; use auto, native or generic")),
        }
    }
}

/// One interface that the program is attached to, or should be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attached {
    /// Its name, as it is configured.
    pub name: String,
    /// Its index.
    pub index: u32,
    /// Whether the driver runs the program.
    pub native: bool,
    /// Why in that mode.
    pub reason: String,
    /// Why the program does not run there now; empty if it runs.
    pub fault: String,
    /// The name that the interface has now, when it was renamed; empty otherwise.
    pub renamed: String,
    /// The name of the interface that had this name before, while it exists without the program; empty
    /// otherwise.
    pub previous: String,
    /// How often the program was attached again.
    pub reattached_count: u64,
}

impl Attached {
    /// The name that the interface has now.
    #[must_use]
    pub fn current_name(&self) -> &str {
        if self.renamed.is_empty() { &self.name } else { &self.renamed }
    }

    /// Why in that mode, or why not at all.
    #[must_use]
    pub fn why(&self) -> &str {
        if self.fault.is_empty() { &self.reason } else { &self.fault }
    }

    /// `native` or `generic`, or `detached` when the program does not run there now.
    #[must_use]
    pub const fn mode(&self) -> &'static str {
        if self.fault.is_empty() { mode_name(self.native) } else { "detached" }
    }
}

/// The name of one of the two modes that a program runs in.
pub(super) const fn mode_name(native: bool) -> &'static str {
    if native { "native" } else { "generic" }
}
