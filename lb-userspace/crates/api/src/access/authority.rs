//! Credentials of a TCP listener: its certificate, the CA certificates of clients, and the tokens
//! file. Read at the start and again on demand; who was let in before is judged by the newest.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use lb_files::private_file::{read_private, read_public};
use lb_health::tls::authorities;
use lb_log::limit::{LineLimit, LineRate};
use rustls::{
    ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    server::{NoServerSessionStorage, WebPkiClientVerifier},
};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use super::{AccessError, credentials::Credentials};

/// Lines about clients that are refused.
const COMPLAINTS: LineRate = LineRate { all: 10, one: 8, window: Duration::from_secs(10) };

/// Where everything is kept.
#[derive(Clone, Debug)]
pub struct AuthorityFiles {
    /// The certificate of this server, with those between it and its authority (PEM).
    pub certificate: PathBuf,
    /// Its private key (PEM).
    pub key: PathBuf,
    /// Authorities of clients' certificates (PEM).
    pub client_ca: Option<PathBuf>,
    /// Tokens, and the roles of certificates.
    pub tokens: PathBuf,
}

/// Decides which clients of a TCP listener are accepted.
pub struct Authority {
    files: AuthorityFiles,
    now: ArcSwap<Loaded>,
    reloads: watch::Sender<()>,
    refusals: Mutex<LineLimit<IpAddr>>,
}

/// Content of the files at the last read.
struct Loaded {
    tls: Arc<ServerConfig>,
    credentials: Credentials,
}

/// The keys do not show themselves.
impl fmt::Debug for Authority {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Authority").field(&self.files).finish()
    }
}

impl Authority {
    /// Reads the files. A tokens file without lines is an error: `--listen` needs at least one
    /// client.
    pub fn load(files: AuthorityFiles) -> Result<Self, AccessError> {
        let loaded = load(&files)?;
        if loaded.credentials.is_empty() {
            return Err(AccessError::Nobody { path: files.tokens.display().to_string() });
        }
        let now = ArcSwap::from_pointee(loaded);
        let refusals = Mutex::new(LineLimit::new(COMPLAINTS));
        Ok(Self { files, now, reloads: watch::Sender::new(()), refusals })
    }

    /// Reads them again; after an error, what was read before still holds. A reloaded tokens file
    /// without lines is not an error: all its lines were revoked.
    pub fn reload(&self) -> Result<(), AccessError> {
        let loaded = load(&self.files)?;
        if loaded.credentials.is_empty() {
            let path = self.files.tokens.display();
            tracing::warn!("API: {path} has no lines: every client over TLS is refused");
        }
        self.now.store(Arc::new(loaded));
        self.reloads.send_replace(());
        Ok(())
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.now.load().tls))
    }

    /// Says whenever the files have been read again.
    pub(super) fn reloads(&self) -> watch::Receiver<()> {
        self.reloads.subscribe()
    }

    /// Looks something up in the tokens file.
    pub(super) fn find<T>(&self, find: impl FnOnce(&Credentials) -> T) -> T {
        find(&self.now.load().credentials)
    }

    /// Logs that a client was refused, unless that has been logged too often.
    pub(crate) fn log_refusal(&self, address: SocketAddr, reason: &str) {
        let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(left_out) = refusals.admit(address.ip(), Instant::now()) {
            log_left_out(left_out);
            tracing::warn!("API: {address} is refused: {reason}");
        }
    }

    /// Logs how many were not, where no line does that; to be called now and then.
    pub(crate) fn log_left_out(&self) {
        let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        log_left_out(refusals.take_left_out(Instant::now()).unwrap_or(0));
    }
}

fn log_left_out(left_out: u64) {
    if left_out > 0 {
        tracing::warn!("API: {left_out} more clients were refused, without a log line");
    }
}

fn load(files: &AuthorityFiles) -> Result<Loaded, AccessError> {
    let text = read_private(&files.tokens)?;
    let shown = || files.tokens.display().to_string();
    let credentials =
        Credentials::parse(&text).map_err(|error| AccessError::Tokens { path: shown(), error })?;
    if credentials.has_certificates() && files.client_ca.is_none() {
        return Err(AccessError::NoClientCa { path: shown() });
    }
    Ok(Loaded { tls: Arc::new(server_config(files)?), credentials })
}

fn server_config(files: &AuthorityFiles) -> Result<ServerConfig, AccessError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let unfit = |path: &Path, reason: &dyn fmt::Display| AccessError::Tls {
        path: path.display().to_string(),
        reason: reason.to_string(),
    };
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| unfit(&files.certificate, &error))?;
    let builder = match &files.client_ca {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let roots = authorities(path).map_err(AccessError::ClientCa)?;
            // A client without a certificate may have a token.
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                .allow_unauthenticated()
                .build()
                .map_err(|error| unfit(path, &error))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let (chain, key) = identity(&files.certificate, &files.key)?;
    let mut config = builder
        .with_single_cert(chain, key)
        .map_err(|error| unfit(&files.certificate, &format!("does not match its key: {error}")))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    // A session that is resumed would bring back a certificate that has since expired.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}

/// Certificates and key of one side of TLS, from two PEM files.
pub(crate) fn identity(
    certificate: &Path,
    key: &Path,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), AccessError> {
    let unfit = |path: &Path, reason| AccessError::Tls { path: path.display().to_string(), reason };
    let text = read_public(certificate)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.as_bytes()).collect();
    let chain = chain.map_err(|error| unfit(certificate, format!("is not PEM: {error}")))?;
    if chain.is_empty() {
        return Err(unfit(certificate, "has no certificate (PEM)".to_owned()));
    }
    let text = read_private(key)?;
    let key = PrivateKeyDer::from_pem_slice(text.as_bytes())
        .map_err(|error| unfit(key, format!("has no private key (PEM): {error}")))?;
    Ok((chain, key))
}
