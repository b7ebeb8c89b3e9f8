//! One lookup: a query for each address family, over UDP and, where the answer does not fit, over TCP. Each query
//! has a socket of its own, so that a forged answer has to guess its port and its id.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use lb_names::{
    Answer,
    message::{self, Malformed, RecordType, Response, UDP_BYTES_MAX},
    system::Servers,
};
use thiserror::Error;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpStream, UdpSocket},
    time::{Instant, timeout_at},
};

/// Datagrams of a server that are no answer, before it counts as silent.
const FORGED_MAX: usize = 64;

/// Why a server gave no answer.
#[derive(Debug, Error)]
enum LookupError {
    /// It cannot be reached.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It did not answer in time.
    #[error("no answer within {0:?}")]
    Silent(Duration),
    /// Its answer makes no sense.
    #[error("its answer {0}")]
    Malformed(#[from] Malformed),
    /// It says that it cannot tell.
    #[error("it says {0}")]
    Refused(&'static str),
    /// The name cannot be asked for.
    #[error("is no name of DNS")]
    Name,
}

/// What servers say of a name: its IPv4 addresses, and its IPv6 addresses.
pub async fn lookup(name: &str, servers: &Servers) -> [Answer; 2] {
    let of = |wanted| one_family(name, wanted, servers);
    let (ipv4, ipv6) = tokio::join!(of(RecordType::A), of(RecordType::Aaaa));
    [ipv4, ipv6]
}

/// Asks one server after the other, until one can tell.
async fn one_family(name: &str, wanted: RecordType, servers: &Servers) -> Answer {
    let mut last = "there is no DNS server to ask".to_owned();
    for _ in 0..servers.attempts {
        for server in &servers.addresses {
            match ask(*server, name, wanted, servers.timeout).await {
                Ok(Response::Addresses(addresses, seconds)) => {
                    return Answer::Addresses(addresses, Duration::from_secs(seconds.into()));
                }
                Ok(Response::NoName) => {
                    return Answer::None("the name does not exist (NXDOMAIN)".to_owned());
                }
                Ok(_) => return Answer::None("the name has no addresses".to_owned()),
                Err(LookupError::Name) => {
                    return Answer::Failed("a label of it is too long for DNS".to_owned());
                }
                Err(error) => last = format!("server {server}: {error}"),
            }
        }
    }
    Answer::Failed(last)
}

/// Asks one server.
async fn ask(
    server: SocketAddr,
    name: &str,
    wanted: RecordType,
    timeout: Duration,
) -> Result<Response, LookupError> {
    let id = fastrand::u16(..);
    let query = message::query(id, name, wanted).ok_or(LookupError::Name)?;
    let read = |bytes: &[u8]| message::read(bytes, id, name, wanted);
    let until = Instant::now() + timeout;
    let answered = timeout_at(until, async {
        match by_udp(server, &query, read).await? {
            Response::Truncated => by_tcp(server, &query, read).await,
            answer => Ok(answer),
        }
    });
    let response = answered.await.map_err(|_elapsed| LookupError::Silent(timeout))??;
    match response {
        Response::Failed(code) => Err(LookupError::Refused(code)),
        Response::Truncated => Err(LookupError::Malformed(Malformed::Broken)),
        response => Ok(response),
    }
}

async fn by_udp(
    server: SocketAddr,
    query: &[u8],
    read: impl Fn(&[u8]) -> Result<Response, Malformed>,
) -> Result<Response, LookupError> {
    let any: IpAddr = if server.is_ipv4() { [0; 4].into() } else { [0_u16; 8].into() };
    let socket = UdpSocket::bind((any, 0)).await?;
    // The kernel passes on what comes from there only.
    socket.connect(server).await?;
    socket.send(query).await?;
    let mut bytes = vec![0; usize::from(UDP_BYTES_MAX).max(4096)];
    for _ in 0..FORGED_MAX {
        let length = socket.recv(&mut bytes).await?;
        match read(bytes.get(..length).unwrap_or_default()) {
            // Whoever forges answers must not keep the right one away.
            Err(Malformed::Other) => {}
            answer => return Ok(answer?),
        }
    }
    Err(Malformed::Other.into())
}

async fn by_tcp(
    server: SocketAddr,
    query: &[u8],
    read: impl Fn(&[u8]) -> Result<Response, Malformed>,
) -> Result<Response, LookupError> {
    let mut stream = TcpStream::connect(server).await?;
    let length = u16::try_from(query.len()).map_err(|_| LookupError::Name)?;
    let mut bytes = length.to_be_bytes().to_vec();
    bytes.extend_from_slice(query);
    stream.write_all(&bytes).await?;
    let length = stream.read_u16().await?;
    let mut bytes = vec![0; length.into()];
    stream.read_exact(&mut bytes).await?;
    Ok(read(&bytes)?)
}
