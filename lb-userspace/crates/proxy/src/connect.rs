//! New connections to targets.

use std::{net::SocketAddr, rc::Rc, time::Duration};

use tokio::{io::AsyncWriteExt as _, net::TcpStream, time::timeout};
use tokio_rustls::TlsConnector;

use crate::{
    attributes::TargetProtocol, failure::Failure, http2_connection::Http2Connection,
    snapshot::Group, stream::Stream,
};

/// Connects to a target. `header` is sent before anything else: a PROXY protocol header, or nothing.
pub(crate) async fn connect(
    group: &Group,
    address: SocketAddr,
    header: &[u8],
) -> Result<Stream, Failure> {
    let limit: Duration = group.attributes.connect_timeout;
    let connecting = open(group, address, header);
    timeout(limit, connecting).await.unwrap_or(Err(Failure::ConnectTimeout))
}

/// Connects to a target that speaks HTTP/2.
pub(crate) async fn connect_http2(
    group: &Group,
    address: SocketAddr,
    header: &[u8],
) -> Result<Rc<Http2Connection>, Failure> {
    let connecting = async {
        let stream = open(group, address, header).await?;
        let connection = Http2Connection::handshake(stream, address).await?;
        Ok(Rc::new(connection))
    };
    let limit: Duration = group.attributes.connect_timeout;
    timeout(limit, connecting).await.unwrap_or(Err(Failure::ConnectTimeout))
}

async fn open(group: &Group, address: SocketAddr, header: &[u8]) -> Result<Stream, Failure> {
    let failed = |_| Failure::ConnectFailed;
    let mut stream = TcpStream::connect(address).await.map_err(failed)?;
    stream.set_nodelay(true).map_err(failed)?;
    if !header.is_empty() {
        stream.write_all(header).await.map_err(failed)?;
    }
    let Some(tls) = &group.tls else { return Ok(Stream::Plain(stream)) };
    let connector = TlsConnector::from(tls.config.clone());
    let stream = connector.connect(tls.server_name.clone(), stream).await.map_err(|error| {
        tracing::debug!(group = group.name, target = %address, %error,
            "the TLS handshake with a target failed");
        Failure::TargetTlsFailed
    })?;
    let chosen = stream.get_ref().1.alpn_protocol();
    let needs_http2 =
        matches!(group.attributes.protocol, TargetProtocol::Http2 | TargetProtocol::Grpc);
    if needs_http2 && chosen != Some(b"h2") {
        tracing::debug!(group = group.name, target = %address,
            "a target does not choose HTTP/2 in its TLS handshake");
        return Err(Failure::TargetProtocolError);
    }
    Ok(Stream::Tls(Box::new(stream.into())))
}
