//! PURE: whether the bytes of a file have what TLS of a listener needs. Whether a key belongs to its
//! certificate is not checked here: that takes cryptography.

use rustls_pki_types::pem::{PemObject as _, SectionKind};
use thiserror::Error;

/// What is wrong with a file of a certificate or key.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PemError {
    /// There is something else.
    #[error("has no certificate (PEM); its first line should be -----BEGIN CERTIFICATE-----")]
    NoCertificate,
    /// The files are probably swapped.
    #[error("has a private key and no certificate: exchange `certificate` and `key`")]
    KeyInsteadOfCertificate,
    /// There is something else.
    #[error("has no private key (PEM); keys that need a password cannot be used: decrypt the key")]
    NoKey,
    /// The files are probably swapped.
    #[error("has a certificate and no private key: exchange `certificate` and `key`")]
    CertificateInsteadOfKey,
    /// Which one is meant cannot be told.
    #[error("has {0} private keys: leave one")]
    SeveralKeys(usize),
    /// A part is not what PEM allows.
    #[error("is not valid PEM; export it again")]
    Malformed,
}

/// Number of the certificates in a file: the one of a server, and those of its chain.
///
/// # Errors
///
/// There is none, or a part of the file cannot be read.
pub fn certificates_in(file: &[u8]) -> Result<usize, PemError> {
    match count(file)? {
        (0, 0) => Err(PemError::NoCertificate),
        (0, _) => Err(PemError::KeyInsteadOfCertificate),
        (certificates, _) => Ok(certificates),
    }
}

/// Whether a file has one private key.
///
/// # Errors
///
/// There is none, or several, or a part of the file cannot be read.
pub fn check_key(file: &[u8]) -> Result<(), PemError> {
    match count(file)? {
        (_, 1) => Ok(()),
        (0, 0) => Err(PemError::NoKey),
        (_, 0) => Err(PemError::CertificateInsteadOfKey),
        (_, several) => Err(PemError::SeveralKeys(several)),
    }
}

/// Numbers of certificates and private keys.
fn count(file: &[u8]) -> Result<(usize, usize), PemError> {
    let mut found = (0, 0);
    for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(file) {
        match section.map_err(|_| PemError::Malformed)?.0 {
            SectionKind::Certificate => found.0 += 1,
            SectionKind::PrivateKey | SectionKind::RsaPrivateKey | SectionKind::EcPrivateKey => {
                found.1 += 1;
            }
            _ => {}
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pem(labels: &[&str]) -> String {
        let one = |label: &&str| format!("-----BEGIN {label}-----\nMAA=\n-----END {label}-----\n");
        labels.iter().map(one).collect()
    }

    #[test]
    fn files_have_what_they_should() {
        let (certificate, key, ec) = ("CERTIFICATE", "PRIVATE KEY", "EC PRIVATE KEY");
        for (labels, certificates, keys) in [
            (&[certificate][..], Ok(1), Err(PemError::CertificateInsteadOfKey)),
            (&[certificate, certificate], Ok(2), Err(PemError::CertificateInsteadOfKey)),
            (&[certificate, key], Ok(1), Ok(())),
            (&[key], Err(PemError::KeyInsteadOfCertificate), Ok(())),
            (&["RSA PRIVATE KEY"], Err(PemError::KeyInsteadOfCertificate), Ok(())),
            (&[key, ec], Err(PemError::KeyInsteadOfCertificate), Err(PemError::SeveralKeys(2))),
            (&["ENCRYPTED PRIVATE KEY"], Err(PemError::NoCertificate), Err(PemError::NoKey)),
            (&[], Err(PemError::NoCertificate), Err(PemError::NoKey)),
        ] {
            let file = pem(labels);
            assert_eq!(certificates_in(file.as_bytes()), certificates, "{labels:?}");
            assert_eq!(check_key(file.as_bytes()), keys, "{labels:?}");
        }
        let cut = "-----BEGIN CERTIFICATE-----\nMAA=\n";
        assert_eq!(certificates_in(cut.as_bytes()), Err(PemError::Malformed));
        assert_eq!(check_key(b"\xff\x00-----"), Err(PemError::NoKey));
    }
}
