//! PURE: the names in a certificate. Whether it is to be believed is not said here.

use rustls::pki_types::CertificateDer;
use x509_parser::{extensions::GeneralName, parse_x509_certificate};

/// Names in a certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Names {
    /// The common names of its subject; mostly one.
    pub(super) common: Vec<String>,
    /// The DNS names among its alternative names.
    pub(super) dns: Vec<String>,
}

impl Names {
    /// Those of this certificate; none when it cannot be read.
    pub(super) fn of(certificate: &CertificateDer<'_>) -> Self {
        let Ok((_, certificate)) = parse_x509_certificate(certificate) else {
            return Self::default();
        };
        let common = certificate.subject().iter_common_name();
        let common = common.filter_map(|name| name.as_str().ok().map(str::to_owned)).collect();
        // Twice the same extension is an error (RFC 5280, 4.2): then there are no such names.
        let alternatives = certificate.subject_alternative_name().ok().flatten();
        let names = alternatives.iter().flat_map(|extension| &extension.value.general_names);
        let dns = names.filter_map(|name| match name {
            GeneralName::DNSName(name) => Some((*name).to_owned()),
            _ => None,
        });
        Self { common, dns: dns.collect() }
    }

    /// For people: the common name, else the first DNS name.
    pub(super) fn shown(&self) -> &str {
        self.common.iter().chain(&self.dns).next().map_or("nobody", String::as_str)
    }
}
