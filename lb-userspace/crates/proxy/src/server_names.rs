//! The certificate of a TLS handshake, by the server name that the client asks for (SNI).

use std::{collections::HashMap, sync::Arc};

use rustls::{
    ALL_VERSIONS, ServerConfig, SupportedProtocolVersion,
    crypto::aws_lc_rs,
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};

/// Certificates of a listener: exact names first, then `*.name`, then the default.
#[derive(Debug)]
pub struct CertificateSet {
    default: Arc<CertifiedKey>,
    exact: HashMap<String, Arc<CertifiedKey>>,
    /// By what follows `*.`.
    wildcards: HashMap<String, Arc<CertifiedKey>>,
}

impl CertificateSet {
    /// A set with its default, for clients that ask for no name or for another one.
    #[must_use]
    pub fn new(default: Arc<CertifiedKey>) -> Self {
        Self { default, exact: HashMap::new(), wildcards: HashMap::new() }
    }

    /// Adds a name or `*.name`. The first certificate of a name stays.
    pub fn add(&mut self, name: &str, certificate: Arc<CertifiedKey>) {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        match name.strip_prefix("*.") {
            Some(domain) => self.wildcards.entry(domain.to_owned()).or_insert(certificate),
            None => self.exact.entry(name).or_insert(certificate),
        };
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
    server_config_of(certificates, http2, ALL_VERSIONS)
}

/// The same with these versions of TLS.
pub fn server_config_of(
    certificates: CertificateSet,
    http2: bool,
    versions: &[&'static SupportedProtocolVersion],
) -> Result<ServerConfig, rustls::Error> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(provider).with_protocol_versions(versions)?;
    let mut config = builder.with_no_client_auth().with_cert_resolver(Arc::new(certificates));
    if http2 {
        config.alpn_protocols.push(b"h2".to_vec());
    }
    config.alpn_protocols.push(b"http/1.1".to_vec());
    Ok(config)
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
