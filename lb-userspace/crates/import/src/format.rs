//! The formats, by name.

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
