//! The certificate of a TLS handshake, by the server name that the client asks for (SNI).

use std::{collections::HashMap, sync::Arc};

use rustls::{
    ALL_VERSIONS, DigitallySignedStruct, DistinguishedName, ServerConfig, SignatureScheme,
    SupportedProtocolVersion,
    client::danger::HandshakeSignatureValid,
    crypto::{
        WebPkiSupportedAlgorithms, aws_lc_rs, verify_tls12_signature, verify_tls13_signature,
    },
    pki_types::{CertificateDer, UnixTime},
    server::{
        ClientHello, ResolvesServerCert,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
    sign::CertifiedKey,
};

/// Certificates of a listener: exact names first, then `*.name`, then the default.
#[derive(Debug)]
pub struct CertificateSet {
    default: Arc<CertifiedKey>,
    exact: HashMap<String, Arc<CertifiedKey>>,
    /// By what follows `*.`.
    wildcards: HashMap<String, Arc<CertifiedKey>>,
    /// All names of all certificates, also those that another one has already.
    names: Vec<(String, Arc<CertifiedKey>)>,
}

impl CertificateSet {
    /// A set with its default, for clients that ask for no name or for another one.
    #[must_use]
    pub fn new(default: Arc<CertifiedKey>) -> Self {
        Self { default, exact: HashMap::new(), wildcards: HashMap::new(), names: Vec::new() }
    }

    /// Adds a name or `*.name`. The first certificate of a name stays.
    pub fn add(&mut self, name: &str, certificate: Arc<CertifiedKey>) {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        self.names.push((name.clone(), Arc::clone(&certificate)));
        match name.strip_prefix("*.") {
            Some(domain) => self.wildcards.entry(domain.to_owned()).or_insert(certificate),
            None => self.exact.entry(name).or_insert(certificate),
        };
    }

    /// Whether a connection whose client has asked for a name may have requests for a host: its certificate is for
    /// that host, or no other one is.
    #[must_use]
    pub fn serves(&self, asked_for: &str, host: &str) -> bool {
        let (used, wanted) = (self.find(Some(asked_for)), self.find(Some(host)));
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        let is_for = |name: &str| match name.strip_prefix("*.") {
            Some(domain) => host.split_once('.').is_some_and(|(_, rest)| rest == domain),
            None => host == name,
        };
        let has_name = |certificate: &Arc<CertifiedKey>| {
            let mut names = self.names.iter().filter(|(_, one)| Arc::ptr_eq(one, certificate));
            names.any(|(name, _)| is_for(name))
        };
        Arc::ptr_eq(&used, &wanted) || !has_name(&wanted) || has_name(&used)
    }

    /// The certificate for a name. A wildcard stands for one label (RFC 9525, section 6.3).
    #[must_use]
    pub fn find(&self, name: Option<&str>) -> Arc<CertifiedKey> {
        let find = |name: &str| {
            let name = name.trim_end_matches('.').to_ascii_lowercase();
            let by_wildcard = || self.wildcards.get(name.split_once('.')?.1);
            self.exact.get(&name).or_else(by_wildcard).map(Arc::clone)
        };
        name.and_then(find).unwrap_or_else(|| Arc::clone(&self.default))
    }
}

impl ResolvesServerCert for CertificateSet {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.find(hello.server_name()))
    }
}

/// TLS of a listener without certificates of clients: TLS 1.2 and 1.3, with ALPN.
pub fn server_config(
    certificates: CertificateSet,
    http2: bool,
) -> Result<ServerConfig, rustls::Error> {
    let alpn = if http2 { ["h2", "http/1.1"].as_slice() } else { &["http/1.1"] };
    server_config_of(Arc::new(certificates), ClientCertificates::None, alpn, ALL_VERSIONS)
}

/// Certificates of clients.
#[derive(Debug)]
pub enum ClientCertificates {
    /// None is asked for.
    None,
    /// This says who may connect.
    Verified(Arc<dyn ClientCertVerifier>),
    /// Clients are asked for one, and may have any: only that they have its key is checked.
    Passthrough,
}

/// The same with certificates of clients, these protocols (ALPN), the most wanted first, and these versions of TLS.
pub fn server_config_of(
    certificates: Arc<CertificateSet>,
    clients: ClientCertificates,
    alpn: &[impl AsRef<[u8]>],
    versions: &[&'static SupportedProtocolVersion],
) -> Result<ServerConfig, rustls::Error> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let algorithms = provider.signature_verification_algorithms;
    let builder = ServerConfig::builder_with_provider(provider).with_protocol_versions(versions)?;
    let builder = match clients {
        ClientCertificates::None => builder.with_no_client_auth(),
        ClientCertificates::Verified(verifier) => builder.with_client_cert_verifier(verifier),
        ClientCertificates::Passthrough => {
            builder.with_client_cert_verifier(Arc::new(AnyCertificate(algorithms)))
        }
    };
    let mut config = builder.with_cert_resolver(certificates);
    config.alpn_protocols = alpn.iter().map(|name| name.as_ref().to_vec()).collect();
    Ok(config)
}

/// Takes every certificate whose key the client has.
#[derive(Debug)]
struct AnyCertificate(WebPkiSupportedAlgorithms);

impl ClientCertVerifier for AnyCertificate {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::PrivateKeyDer;

    use super::*;

    fn certificate(name: &str) -> Arc<CertifiedKey> {
        let made = rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let key = aws_lc_rs::sign::any_supported_type(&key).unwrap();
        Arc::new(CertifiedKey::new(vec![made.cert.der().clone()], key))
    }

    #[test]
    fn a_connection_serves_hosts_of_its_certificate_and_hosts_of_none() {
        let [first, other, wild] = ["a.example", "b.example", "*.example"].map(certificate);
        let mut set = CertificateSet::new(Arc::clone(&first));
        set.add("a.example", Arc::clone(&first));
        set.add("b.example", Arc::clone(&other));
        set.add("a.example", Arc::clone(&wild));
        set.add("*.example", Arc::clone(&wild));
        for (asked_for, host, expected) in [
            ("a.example", "a.example", true),
            ("a.example", "A.EXAMPLE.", true),
            ("a.example", "b.example", false),
            ("a.example", "c.example", false),
            ("c.example", "d.example", true),
            // Its certificate has the name, too.
            ("c.example", "a.example", true),
            ("a.example", "10.0.0.1", true),
            ("b.example", "other.test", true),
        ] {
            assert_eq!(set.serves(asked_for, host), expected, "{asked_for} {host}");
        }
    }

    #[test]
    fn exact_names_win_over_wildcards_and_those_over_the_default() {
        let [default, exact, wildcard] = ["default", "a.example", "*.example"].map(certificate);
        let mut set = CertificateSet::new(Arc::clone(&default));
        set.add("A.example", Arc::clone(&exact));
        set.add("*.example", Arc::clone(&wildcard));
        set.add("a.example", Arc::clone(&default));
        for (name, expected) in [
            (None, &default),
            (Some("a.example"), &exact),
            (Some("A.EXAMPLE."), &exact),
            (Some("b.example"), &wildcard),
            (Some("c.b.example"), &default),
            (Some("example"), &default),
            (Some("other"), &default),
        ] {
            assert!(Arc::ptr_eq(&set.find(name), expected), "{name:?}");
        }
    }
}
