//! From the files of certificates and keys to TLS of listeners and towards targets.

use std::{collections::BTreeSet, net::IpAddr, sync::Arc};

use lb_config::{CertificateFiles, ClientAuth, ListenerTls, TargetTls, TlsPolicy};
use lb_files::private_file::{FileError, read_private, read_public};
use lb_health::tls::{authorities, client_builder, revocation_lists};
use lb_proxy::{CertificateSet, ClientCertificates, TargetProtocol, server_config_of};
use rustls::{
    Error, ServerConfig, SupportedProtocolVersion,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _},
    server::WebPkiClientVerifier,
    sign::{CertifiedKey, SingleCertAndKey},
    version::{TLS12, TLS13},
};
use thiserror::Error as ThisError;
use x509_parser::{extensions::GeneralName, parse_x509_certificate};

use crate::tickets::Tickets;

const TLS13_ONLY: &[&SupportedProtocolVersion] = &[&TLS13];
const TLS12_AND_13: &[&SupportedProtocolVersion] = &[&TLS13, &TLS12];

/// Why the files of a certificate cannot be used.
#[derive(Debug, ThisError)]
pub(crate) enum CertificateError {
    /// One of them cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// One of them is not what it should be.
    #[error("{0}")]
    Unfit(String),
    /// They do not belong together.
    #[error(
        "the key {key} does not belong to the certificate {certificate}: name files of one pair"
    )]
    Mismatch {
        /// The certificate.
        certificate: String,
        /// The key.
        key: String,
    },
}

/// A certificate with its key.
#[derive(Debug)]
pub(crate) struct LoadedCertificate {
    key: CertifiedKey,
    /// DNS names that it is for.
    names: Vec<String>,
}

/// Reads a certificate and its key, and checks that they belong together.
pub(crate) fn load(files: &CertificateFiles) -> Result<LoadedCertificate, CertificateError> {
    let (certificate, key) = (files.certificate.display(), files.key.display());
    let unfit = |text: String| CertificateError::Unfit(text);
    let chain = read_public(&files.certificate)?;
    let chain = CertificateDer::pem_slice_iter(chain.as_bytes()).collect::<Result<Vec<_>, _>>();
    let chain = chain.map_err(|error| unfit(format!("{certificate} is not PEM: {error}")))?;
    let first = chain.first().ok_or_else(|| unfit(format!("{certificate} has no certificate")))?;
    let names = names(first).map_err(|reason| unfit(format!("{certificate} {reason}")))?;
    let private = read_private(&files.key)?;
    let private = PrivateKeyDer::from_pem_slice(private.as_bytes())
        .map_err(|error| unfit(format!("{key} has no private key (PEM): {error}")))?;
    let provider = aws_lc_rs::default_provider();
    let key = CertifiedKey::from_der(chain, private, &provider).map_err(|error| match error {
        Error::InconsistentKeys(_) => CertificateError::Mismatch {
            certificate: certificate.to_string(),
            key: key.to_string(),
        },
        error => unfit(format!("{certificate} and {key} cannot be used: {error}")),
    })?;
    Ok(LoadedCertificate { key, names })
}

/// The DNS names of a certificate.
fn names(certificate: &CertificateDer<'_>) -> Result<Vec<String>, String> {
    let (_, certificate) = parse_x509_certificate(certificate)
        .map_err(|error| format!("has a certificate that cannot be read: {error}"))?;
    let alternatives = certificate
        .subject_alternative_name()
        .map_err(|error| format!("has alternative names that cannot be read: {error}"))?;
    let names = alternatives.iter().flat_map(|extension| &extension.value.general_names);
    let names = names.filter_map(|name| match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        _ => None,
    });
    Ok(names.collect())
}

/// TLS of a listener, which offers these protocols (ALPN), and its certificates.
pub(crate) fn of_listener(
    name: &str,
    tls: &ListenerTls,
    alpn: &[impl AsRef<[u8]>],
    tickets: &Tickets,
) -> Result<(Arc<ServerConfig>, Arc<CertificateSet>), CertificateError> {
    let set = Arc::new(certificates(tls)?);
    let (clients, rule) = client_certificates(&tls.client_auth)?;
    let versions = match tls.policy {
        TlsPolicy::Modern => TLS13_ONLY,
        TlsPolicy::Intermediate => TLS12_AND_13,
    };
    let unfit = |error: Error| CertificateError::Unfit(error.to_string());
    let config = server_config_of(Arc::clone(&set), clients, alpn, versions);
    let mut config = config.map_err(unfit)?;
    config.ticketer = tickets.of(name, &rule).map_err(unfit)?;
    Ok((Arc::new(config), set))
}

fn certificates(tls: &ListenerTls) -> Result<CertificateSet, CertificateError> {
    let mut set: Option<CertificateSet> = None;
    for files in &tls.certificates {
        let LoadedCertificate { key, names } = load(files)?;
        let key = Arc::new(key);
        if set.is_some() && names.is_empty() {
            return Err(CertificateError::Unfit(format!(
                "{} has no DNS name among its alternative names, so that no client gets it: add a \
                 name to it, or make it the first certificate",
                files.certificate.display()
            )));
        }
        let set = set.get_or_insert_with(|| CertificateSet::new(Arc::clone(&key)));
        for name in &names {
            set.add(name, Arc::clone(&key));
        }
    }
    set.ok_or_else(|| CertificateError::Unfit("there is no certificate".to_owned()))
}

/// Which certificates clients need, and that as bytes that differ when it does.
fn client_certificates(
    auth: &ClientAuth,
) -> Result<(ClientCertificates, Vec<u8>), CertificateError> {
    let (ca, crl) = match auth {
        ClientAuth::Off => return Ok((ClientCertificates::None, b"off".to_vec())),
        ClientAuth::Passthrough => {
            return Ok((ClientCertificates::Passthrough, b"passthrough".to_vec()));
        }
        ClientAuth::Verify { ca, crl } => (ca, crl),
    };
    let roots = authorities(ca).map_err(CertificateError::Unfit)?;
    let mut rule = b"verify".to_vec();
    for root in &roots.roots {
        rule.extend_from_slice(&root.subject);
        rule.extend_from_slice(&root.subject_public_key_info);
    }
    let lists = crl.as_deref().map(revocation_lists).transpose();
    let lists = lists.map_err(CertificateError::Unfit)?.unwrap_or_default();
    for list in &lists {
        rule.extend_from_slice(list);
    }
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    // A CA may have no list, as with ALB.
    let builder = builder.with_crls(lists).allow_unknown_revocation_status();
    let verifier = builder.build().map_err(|error| {
        let (ca, crl) = (ca.display(), crl.as_deref().unwrap_or(ca).display());
        CertificateError::Unfit(format!("{ca} and {crl} cannot be used: {error}"))
    })?;
    Ok((ClientCertificates::Verified(verifier), rule))
}

/// TLS towards the targets of a group; an error says what is wrong, and what to do.
pub(crate) fn of_targets(
    tls: &TargetTls,
    addresses: &BTreeSet<IpAddr>,
    protocol: TargetProtocol,
) -> Result<lb_proxy::TargetTls, String> {
    let server_name = match &tls.server_name {
        Some(name) => ServerName::try_from(name.clone())
            .map_err(|_| format!("{name} is not a valid name for TLS"))?,
        // Without verification the name decides nothing, and an address is not sent as one.
        None if addresses.len() > 1 && tls.verify != lb_config::Verify::None => {
            return Err("this version verifies all certificates of a group by one name: set \
                        `tls.server_name`"
                .to_owned());
        }
        None => {
            let unspecified = IpAddr::from([0, 0, 0, 0]);
            ServerName::from(addresses.first().copied().unwrap_or(unspecified))
        }
    };
    let builder = client_builder(&tls.verify)?;
    let mut config = match &tls.client_certificate {
        None => builder.with_no_client_auth(),
        Some(files) => {
            let key = load(files).map_err(|error| error.to_string())?.key;
            builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(key)))
        }
    };
    config.alpn_protocols = match protocol {
        TargetProtocol::Http1 => vec![b"http/1.1".to_vec()],
        TargetProtocol::Http2 | TargetProtocol::Grpc => vec![b"h2".to_vec()],
        TargetProtocol::Tcp => Vec::new(),
    };
    Ok(lb_proxy::TargetTls { config: Arc::new(config), server_name })
}
