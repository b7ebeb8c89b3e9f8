//! Transports of the command line: a Unix socket, or TLS with a credential.

use std::{
    error::Error,
    fmt,
    io::{self, ErrorKind},
    path::PathBuf,
    str::FromStr,
    sync::Arc,
};

use http::{HeaderValue, Uri};
use lb_files::private_file::read_private;
use lb_health::tls::{authorities, system_authorities};
use rustls::{ClientConfig, crypto::aws_lc_rs, pki_types::ServerName};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, UnixStream},
};
use tokio_rustls::TlsConnector;

use super::{
    ClientError,
    access::{Token, identity},
};

/// How an agent is reached.
#[derive(Clone, Debug)]
pub enum Transport {
    /// By the socket at this path.
    Unix(PathBuf),
    /// By TLS.
    Tls(TlsTransport),
}

/// An agent that is reached by TLS.
#[derive(Clone, Debug)]
pub struct TlsTransport {
    /// Where it is.
    pub server: Server,
    /// CA certificates to trust; those of this host by default.
    pub ca: Option<PathBuf>,
    /// A token.
    pub token: Option<TokenSource>,
    /// Certificate and key of this client.
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// Where a token comes from.
#[derive(Clone, Debug)]
pub enum TokenSource {
    /// It is known.
    Given(Token),
    /// A file that holds nothing else.
    File(PathBuf),
}

/// Host and port of an agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// A name or an address, without brackets.
    host: String,
    port: u16,
}

impl fmt::Display for Server {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') {
            write!(formatter, "https://[{host}]:{port}")
        } else {
            write!(formatter, "https://{host}:{port}")
        }
    }
}

impl FromStr for Server {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || {
            format!("`{text}` is not https://HOST:PORT, for example https://lb1.example.org:7443")
        };
        let uri: Uri = text.parse().map_err(|_| expected())?;
        let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(expected)?;
        let port = uri.port_u16().ok_or_else(expected)?;
        let bare = uri.path() == "/" && uri.query().is_none();
        let anonymous = uri.authority().is_some_and(|of| !of.as_str().contains('@'));
        if uri.scheme_str() != Some("https") || !bare || !anonymous {
            return Err(expected());
        }
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        ServerName::try_from(host).map_err(|_| expected())?;
        Ok(Self { host: host.to_owned(), port })
    }
}

/// A connection of either kind.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

impl Transport {
    /// Its name in messages.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Unix(path) => path.display().to_string(),
            Self::Tls(transport) => transport.server.to_string(),
        }
    }

    /// The header `authorization`, if there is one.
    pub(super) fn authorization(&self) -> Result<Option<HeaderValue>, ClientError> {
        let Self::Tls(TlsTransport { token: Some(token), .. }) = self else {
            return Ok(None);
        };
        let text = match token {
            TokenSource::Given(token) => token.reveal().to_owned(),
            TokenSource::File(path) => read_private(path).map_err(invalid)?,
        };
        let mut value = HeaderValue::try_from(format!("Bearer {}", text.trim()))
            .map_err(|_| invalid("the token has invalid characters"))?;
        value.set_sensitive(true);
        Ok(Some(value))
    }

    pub(super) async fn connect(&self) -> Result<Box<dyn Stream>, ClientError> {
        match self {
            Self::Unix(path) => {
                let stream = UnixStream::connect(path).await;
                Ok(Box::new(stream.map_err(|error| self.no_socket(error))?))
            }
            Self::Tls(transport) => Ok(Box::new(transport.connect().await?)),
        }
    }

    fn no_socket(&self, source: io::Error) -> ClientError {
        let path = self.name();
        match source.kind() {
            ErrorKind::PermissionDenied => ClientError::NotPermitted { path },
            _ => ClientError::NoAgent { path, source },
        }
    }

    /// The error of a broken connection or answer.
    pub(super) fn broken(&self, error: &(dyn Error + 'static)) -> ClientError {
        match (self, tls_error(error)) {
            (Self::Tls(transport), Some(error)) => transport.tls_failure(error),
            _ => ClientError::Garbled { path: self.name(), reason: error.to_string() },
        }
    }
}

impl TlsTransport {
    async fn connect(&self) -> Result<impl Stream + use<>, ClientError> {
        let connector = TlsConnector::from(Arc::new(self.config()?));
        let Server { host, port } = &self.server;
        let name = ServerName::try_from(host.clone()).map_err(invalid)?;
        let server = || self.server.to_string();
        let stream = TcpStream::connect((host.as_str(), *port))
            .await
            .map_err(|source| ClientError::NoServer { server: server(), source })?;
        // A body is not to wait for the acknowledgement of its head.
        stream
            .set_nodelay(true)
            .map_err(|source| ClientError::NoServer { server: server(), source })?;
        connector.connect(name, stream).await.map_err(|error| match tls_error(&error) {
            Some(error) => self.tls_failure(error),
            None => ClientError::Tls { server: server(), reason: error.to_string() },
        })
    }

    fn config(&self) -> Result<ClientConfig, ClientError> {
        let roots = match &self.ca {
            Some(path) => authorities(path),
            None => system_authorities(),
        };
        let roots = roots.map_err(invalid)?;
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(invalid)?
            .with_root_certificates(roots);
        let mut config = match &self.identity {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let (chain, key) = identity(certificate, key).map_err(invalid)?;
                let shown = certificate.display();
                builder
                    .with_client_auth_cert(chain, key)
                    .map_err(|error| invalid(format!("{shown} does not match its key: {error}")))?
            }
        };
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }

    fn tls_failure(&self, error: &rustls::Error) -> ClientError {
        let reason = match error {
            rustls::Error::AlertReceived(alert) => {
                format!(
                    "the agent ends it with the alert {alert:?}; is the client certificate valid?"
                )
            }
            rustls::Error::InvalidCertificate(why) => {
                format!(
                    "the agent's certificate is refused ({why}); set the CA certificates to \
                         trust with --ca"
                )
            }
            other => other.to_string(),
        };
        ClientError::Tls { server: self.server.to_string(), reason }
    }
}

fn invalid(error: impl fmt::Display) -> ClientError {
    ClientError::Invalid(error.to_string())
}

/// The error of TLS that is behind this one.
fn tls_error<'error>(error: &'error (dyn Error + 'static)) -> Option<&'error rustls::Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        // The inner error of an I/O error is not its source, but its source's source.
        let held = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = match held {
            Some(held) => Some(held),
            None => error.source(),
        };
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_urls_of_a_host_and_a_port() {
        for (text, host, port) in [
            ("https://lb1.example.org:7443", "lb1.example.org", 7443),
            ("https://10.0.0.1:1/", "10.0.0.1", 1),
            ("https://[2001:db8::1]:7443", "2001:db8::1", 7443),
            ("HTTPS://localhost:7443", "localhost", 7443),
        ] {
            let server: Server = text.parse().unwrap();
            assert_eq!((server.host.as_str(), server.port), (host, port), "{text}");
        }
        let six: Server = "https://[2001:db8::1]:7443".parse().unwrap();
        assert_eq!(six.to_string(), "https://[2001:db8::1]:7443");
        for text in [
            "",
            "lb1:7443",
            "http://lb1:7443",
            "https://lb1",
            "https://lb1:",
            "https://lb1:0x1",
            "https://lb1:70000",
            "https://:7443",
            "https://lb1:7443/v1",
            "https://lb1:7443/?x",
            "https://alice@lb1:7443",
            "https://a_b c:7443",
            "/run/xelb/xelb.sock",
        ] {
            let error = text.parse::<Server>().unwrap_err();
            assert!(error.contains("is not https://HOST:PORT, for example"), "{text}: {error}");
        }
    }
}
