//! PURE: `desync_mitigation`: what is passed although it does not comply, and how it is normalised.
//!
//! Modes, classes and most names are those of AWS's Application Load Balancer ("desync mitigation mode"). It
//! differs in two ways: what has no single reading is refused in every mode ([`crate::refusal`]), and a request
//! with both `Transfer-Encoding` and `Content-Length` is severe, not ambiguous.

/// The mode of a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DesyncMitigation {
    /// Normalise, pass and log.
    Monitor,
    /// Pass what is acceptable. Normalise and pass what is ambiguous, and close both connections after it.
    /// Refuse what is severe.
    #[default]
    Defensive,
    /// Pass only what complies.
    Strictest,
}

/// How dangerous a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It does not comply, but is harmless.
    Acceptable,
    /// Others may read the message in another way.
    Ambiguous,
    /// It is what attackers send.
    Severe,
}

/// Makes the enum, its names and its severities from one table.
macro_rules! findings {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $severity:ident;)*) => {
        /// A deviation that is normalised when the message is passed.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Finding { $($(#[$doc])* $variant,)* }

        impl Finding {
            /// Every finding.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The name in logs, metrics and the API; it never changes.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// How dangerous it is.
            #[must_use]
            pub fn severity(self) -> Severity {
                match self { $(Self::$variant => Severity::$severity,)* }
            }
        }
    };
}

findings! {
    /// `Content-Length: 0` with GET or HEAD: removed.
    GetHeadZeroContentLength = "get_head_zero_content_length", Acceptable;
    /// A field value with bytes above 0x7F: passed as it is.
    NonCompliantHeader = "non_compliant_header", Acceptable;
    /// A target with characters that must be escaped: escaped.
    NonCompliantTarget = "non_compliant_target", Acceptable;
    /// `Content-Length` several times with one value: written once.
    DuplicateContentLength = "duplicate_content_length", Ambiguous;
    /// A body of known length with GET or HEAD: passed.
    UndefinedContentLengthSemantics = "undefined_content_length_semantics", Ambiguous;
    /// A chunked body with GET or HEAD: passed.
    UndefinedTransferEncodingSemantics = "undefined_transfer_encoding_semantics", Ambiguous;
    /// A name that others take for `Content-Length` or `Transfer-Encoding`: removed.
    SuspiciousHeader = "suspicious_header", Ambiguous;
    /// `Host` is not the authority of the target: replaced by it.
    HostMismatch = "host_mismatch", Ambiguous;
    /// `Transfer-Encoding` and `Content-Length`: the length is removed.
    BothTeClPresent = "both_te_cl_present", Severe;
    /// `Transfer-Encoding` in HTTP/1.0: read as chunked, passed as HTTP/1.1.
    TransferEncodingInOldVersion = "transfer_encoding_in_old_version", Severe;
    /// `Upgrade` without `Connection: upgrade`: removed.
    UpgradeWithoutConnection = "upgrade_without_connection", Severe;
}

/// A set of findings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Findings(u16);

impl Findings {
    /// Adds a finding.
    pub fn add(&mut self, finding: Finding) {
        self.0 |= 1 << finding as u8;
    }

    /// Adds every finding of another set.
    pub fn extend(&mut self, other: Self) {
        self.0 |= other.0;
    }

    /// Whether it has this finding.
    #[must_use]
    pub fn contains(self, finding: Finding) -> bool {
        self.0 & (1 << finding as u8) != 0
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Those that it has, in the order of their declaration.
    pub fn iter(self) -> impl Iterator<Item = Finding> {
        Finding::ALL.iter().copied().filter(move |finding| self.contains(*finding))
    }
}

/// Whether both connections are closed after a message with these findings; an error refuses it.
pub fn decide(mode: DesyncMitigation, findings: Findings) -> Result<bool, Finding> {
    // The most severe one names the reason.
    let Some(worst) = findings.iter().max_by_key(|finding| finding.severity()) else {
        return Ok(false);
    };
    match (mode, worst.severity()) {
        (DesyncMitigation::Strictest, _) | (DesyncMitigation::Defensive, Severity::Severe) => {
            Err(worst)
        }
        // RFC 9112, section 6.1, wants the connection closed whatever the mode is.
        (DesyncMitigation::Monitor, severity) => Ok(severity == Severity::Severe),
        (DesyncMitigation::Defensive, severity) => Ok(severity == Severity::Ambiguous),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(findings: &[Finding], expected: [Result<bool, Finding>; 3]) {
        let mut set = Findings::default();
        for finding in findings {
            set.add(*finding);
        }
        assert_eq!(set.iter().collect::<Vec<_>>(), findings);
        let modes =
            [DesyncMitigation::Monitor, DesyncMitigation::Defensive, DesyncMitigation::Strictest];
        for (mode, expected) in modes.into_iter().zip(expected) {
            assert_eq!(decide(mode, set), expected, "{findings:?} in mode {mode:?}");
        }
    }

    #[test]
    fn a_mode_decides_by_the_most_severe_finding() {
        let (acceptable, ambiguous, severe) =
            (Finding::NonCompliantHeader, Finding::SuspiciousHeader, Finding::BothTeClPresent);
        check(&[], [Ok(false), Ok(false), Ok(false)]);
        check(&[acceptable], [Ok(false), Ok(false), Err(acceptable)]);
        check(&[ambiguous], [Ok(false), Ok(true), Err(ambiguous)]);
        check(&[severe], [Ok(true), Err(severe), Err(severe)]);
        check(&[acceptable, ambiguous], [Ok(false), Ok(true), Err(ambiguous)]);
        check(&[acceptable, ambiguous, severe], [Ok(true), Err(severe), Err(severe)]);
    }

    #[test]
    fn every_finding_has_a_place_in_the_set() {
        let mut all = Findings::default();
        for finding in Finding::ALL {
            assert!(!all.contains(*finding));
            all.add(*finding);
        }
        assert_eq!(all.iter().count(), Finding::ALL.len());
    }
}
