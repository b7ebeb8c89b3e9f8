//! New connections to targets.

use std::{net::SocketAddr, time::Duration};

use tokio::{io::AsyncWriteExt as _, net::TcpStream, time::timeout};
use tokio_rustls::TlsConnector;

use crate::{failure::Failure, snapshot::Group, stream::Stream};

/// Connects to a target. `header` is sent before anything else: a PROXY protocol header, or nothing.
pub(crate) async fn connect(
    group: &Group,
    address: SocketAddr,
    header: &[u8],
) -> Result<Stream, Failure> {
    let limit: Duration = group.attributes.connect_timeout;
    let connecting = async {
        let failed = |_| Failure::ConnectFailed;
        let mut stream = TcpStream::connect(address).await.map_err(failed)?;
        stream.set_nodelay(true).map_err(failed)?;
        if !header.is_empty() {
            stream.write_all(header).await.map_err(failed)?;
        }
        let Some(tls) = &group.tls else { return Ok(Stream::Plain(stream)) };
        let connector = TlsConnector::from(tls.config.clone());
        match connector.connect(tls.server_name.clone(), stream).await {
            Ok(stream) => Ok(Stream::Tls(Box::new(stream.into()))),
            Err(error) => {
                tracing::debug!(group = group.name, target = %address, %error,
                    "the TLS handshake with a target failed");
                Err(Failure::TargetTlsFailed)
            }
        }
    };
    timeout(limit, connecting).await.unwrap_or(Err(Failure::ConnectTimeout))
}
