//! TLS for probes. A target's certificate is verified only if the check asks for it, as with ELB.

mod configs;

use std::{
    io::{self, ErrorKind},
    net::IpAddr,
    path::Path,
    sync::Arc,
};

use lb_config::{TlsCheck, Verify};
use lb_files::bounded_file::{self, BoundedFileError};
use rustls::{
    CertificateError, ClientConfig, ConfigBuilder, DigitallySignedStruct, Error, RootCertStore,
    SignatureScheme,
    client::{
        WantsClientCert,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::aws_lc_rs,
    pki_types::{
        CertificateDer, CertificateRevocationListDer, ServerName, UnixTime, pem::PemObject as _,
    },
};
use tokio::{
    net::TcpStream,
    time::{Instant, timeout_at},
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use self::configs::{CONFIGS, Key};
use super::{Outcome, tcp};

/// Largest file of authorities that is read.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// The handshake, over a connection that has been made.
pub(super) async fn handshake(
    stream: TcpStream,
    check: &TlsCheck,
    address: IpAddr,
    http2: bool,
    deadline: Instant,
) -> Result<TlsStream<TcpStream>, Outcome> {
    let config = CONFIGS
        .get(Key::new(&check.verify, http2), deadline)
        .await
        .map_err(|detail| Outcome::Inconclusive { detail: format!("TLS: {detail}") })?;
    let name = match &check.server_name {
        Some(name) => ServerName::try_from(name.clone())
            .map_err(|_| Outcome::failed(format!("{name} is not a valid name for TLS")))?,
        None => ServerName::from(address),
    };
    match timeout_at(deadline, TlsConnector::from(config).connect(name, stream)).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => Err(Outcome::failed(describe(&error))),
        Err(_elapsed) => {
            Err(Outcome::timeout("connected, but the TLS handshake does not end".to_owned()))
        }
    }
}

/// The authorities in a file; an error says what is wrong with it, for people.
pub fn authorities(path: &Path) -> Result<RootCertStore, String> {
    let shown = path.display();
    let (bytes, _) = bounded_file::read(path, FILE_BYTES_MAX).map_err(|error| match error {
        BoundedFileError::Io(error) => format!("cannot read {shown}: {error}"),
        other => format!("{shown} {other}"),
    })?;
    let mut store = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&bytes) {
        let certificate = certificate.map_err(|error| format!("{shown} is not PEM:  {error}"))?;
        store.add(certificate).map_err(|error| format!("a certificate in {shown}: {error}"))?;
    }
    if store.is_empty() {
        return Err(format!("{shown} has no certificate (PEM)"));
    }
    Ok(store)
}

/// The lists of revoked certificates (CRL) in a file; an error says what is wrong with it, for people.
pub fn revocation_lists(path: &Path) -> Result<Vec<CertificateRevocationListDer<'static>>, String> {
    let shown = path.display();
    let (bytes, _) = bounded_file::read(path, FILE_BYTES_MAX).map_err(|error| match error {
        BoundedFileError::Io(error) => format!("cannot read {shown}: {error}"),
        other => format!("{shown} {other}"),
    })?;
    let lists = CertificateRevocationListDer::pem_slice_iter(&bytes);
    let lists: Result<Vec<_>, _> = lists.collect();
    let lists = lists.map_err(|error| format!("{shown} is not PEM:  {error}"))?;
    if lists.is_empty() {
        return Err(format!("{shown} has no list of revoked certificates (X509 CRL, PEM)"));
    }
    Ok(lists)
}

/// Those that the host knows.
pub fn system_authorities() -> Result<RootCertStore, String> {
    let mut store = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    store.add_parsable_certificates(found.certs);
    if store.is_empty() {
        return Err(
            "this host has no CA certificates (install the package ca-certificates)".to_owned()
        );
    }
    Ok(store)
}

/// A client that trusts these certificates; an error says what is wrong, for people.
pub fn client_builder(
    verify: &Verify,
) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, String> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let roots = match verify {
        Verify::None => {
            let verifier = Arc::new(AnyCertificate);
            return Ok(builder.dangerous().with_custom_certificate_verifier(verifier));
        }
        Verify::System => system_authorities()?,
        Verify::File(path) => authorities(path)?,
    };
    Ok(builder.with_root_certificates(roots))
}

/// Believes everybody. The certificate is not parsed: checking the signature of the handshake would
/// refuse old and odd certificates (version 1, RSA with 1,024 bits, unknown critical extensions),
/// and a signature with an unverified key proves nothing.
#[derive(Debug)]
struct AnyCertificate;

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _certificate: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![
            SignatureScheme::ECDSA_NISTP256_SHA256,
            SignatureScheme::ECDSA_NISTP384_SHA384,
            SignatureScheme::ECDSA_NISTP521_SHA512,
            SignatureScheme::ED25519,
            SignatureScheme::ED448,
            SignatureScheme::RSA_PSS_SHA256,
            SignatureScheme::RSA_PSS_SHA384,
            SignatureScheme::RSA_PSS_SHA512,
            SignatureScheme::RSA_PKCS1_SHA256,
            SignatureScheme::RSA_PKCS1_SHA384,
            SignatureScheme::RSA_PKCS1_SHA512,
            SignatureScheme::ECDSA_SHA1_Legacy,
            SignatureScheme::RSA_PKCS1_SHA1,
        ]
    }
}

/// What went wrong in a handshake, in the words of people.
pub(super) fn describe(error: &io::Error) -> String {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    match inner {
        Some(Error::InvalidCertificate(why)) => match why {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                "its certificate has expired".to_owned()
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                "its certificate is not valid yet".to_owned()
            }
            CertificateError::UnknownIssuer => {
                "its certificate is from a CA that `verify` does not trust".to_owned()
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "its certificate is for another name; set `server_name`".to_owned()
            }
            CertificateError::Revoked => "its certificate is revoked".to_owned(),
            CertificateError::BadEncoding => "its certificate is malformed".to_owned(),
            CertificateError::BadSignature => {
                "the signature of its certificate is wrong".to_owned()
            }
            CertificateError::UnhandledCriticalExtension => {
                "its certificate has a critical extension that xelb does not support".to_owned()
            }
            CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
                "its certificate is not for servers (extended key usage)".to_owned()
            }
            CertificateError::Other(why) => {
                format!("its certificate is refused: {}", words(&why.to_string()))
            }
            other => format!("its certificate is refused: {}", words(&format!("{other:?}"))),
        },
        Some(Error::InvalidMessage(_)) => "the answer is not TLS".to_owned(),
        Some(Error::AlertReceived(alert)) => {
            format!("the target ends TLS with the alert \"{}\"", words(&format!("{alert:?}")))
        }
        Some(other) => format!("TLS: {}", words(&other.to_string())),
        None if error.kind() == ErrorKind::UnexpectedEof => {
            "connection closed during the TLS handshake".to_owned()
        }
        None => tcp::describe(error),
    }
}

/// The names of Rust's types in a text as words: `HandshakeFailure` is "handshake failure".
///
/// What such a type holds is left out.
fn words(text: &str) -> String {
    let text = text.split(['(', '{']).next().unwrap_or_default().trim_end();
    let mut words = String::with_capacity(text.len() + 8);
    for word in text.split_inclusive(|c: char| !c.is_ascii_alphanumeric()) {
        let camel = word.chars().zip(word.chars().skip(1));
        if !camel.clone().any(|(one, two)| one.is_ascii_lowercase() && two.is_ascii_uppercase()) {
            words.push_str(word);
            continue;
        }
        let mut before = ' ';
        for c in word.chars() {
            if before.is_ascii_lowercase() && c.is_ascii_uppercase() {
                words.push(' ');
            }
            words.push(c.to_ascii_lowercase());
            before = c;
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_type_of_rust_is_shown() {
        for (text, expected) in [
            ("HandshakeFailure", "handshake failure"),
            (
                "peer is incompatible: NoCipherSuitesInCommon",
                "peer is incompatible: no cipher suites in common",
            ),
            ("UnsupportedCertVersion", "unsupported cert version"),
            ("InvalidCrl { signature: [1, 2] }", "invalid crl"),
            ("Unknown(0x7f)", "Unknown"),
            ("received fatal TLS alert", "received fatal TLS alert"),
        ] {
            assert_eq!(words(text), expected);
        }
    }
}
