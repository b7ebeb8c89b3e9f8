//! PURE: headers of the PROXY protocol, versions 1 and 2 ("The PROXY protocol", HAProxy, revision of 2020), which
//! say between whom a connection really is.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Which PROXY protocol header a target gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ProxyProtocol {
    /// None.
    #[default]
    None,
    /// Text.
    Version1,
    /// Binary.
    Version2,
}

/// What version 2 begins with.
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// The longest header of version 1, with its CRLF.
const TEXT_MAX: usize = 107;
/// The longest header of version 2 that is accepted, with its additional fields (TLV).
pub const HEADER_MAX: usize = 4096;

/// A header that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProxyHeader {
    /// Its length in bytes.
    pub len: usize,
    /// Client, and where it has connected to; `None`: the connection is what it seems (`UNKNOWN`, `LOCAL`).
    pub addresses: Option<(SocketAddr, SocketAddr)>,
}

/// It is no header, or one that is too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoProxyHeader;

/// Reads a header at the start of a connection; `None`: it needs more bytes.
pub fn read(bytes: &[u8]) -> Result<Option<ProxyHeader>, NoProxyHeader> {
    if bytes.len() >= SIGNATURE.len() && bytes.starts_with(SIGNATURE) {
        return read_binary(bytes);
    }
    if SIGNATURE.starts_with(bytes) {
        return Ok(None);
    }
    read_text(bytes)
}

fn read_text(bytes: &[u8]) -> Result<Option<ProxyHeader>, NoProxyHeader> {
    const START: &[u8] = b"PROXY ";
    if !bytes.starts_with(&START[..bytes.len().min(START.len())]) {
        return Err(NoProxyHeader);
    }
    let window = &bytes[..bytes.len().min(TEXT_MAX)];
    let Some(end) = window.windows(2).position(|pair| pair == b"\r\n") else {
        return if bytes.len() >= TEXT_MAX { Err(NoProxyHeader) } else { Ok(None) };
    };
    let line = str::from_utf8(&window[..end]).map_err(|_| NoProxyHeader)?;
    let len = end + 2;
    let fields: Vec<&str> = line.split(' ').collect();
    let addresses = match fields.as_slice() {
        ["PROXY", "UNKNOWN", ..] => None,
        ["PROXY", "TCP4", source, destination, from, to] => Some((
            SocketAddr::new(number::<Ipv4Addr>(source)?.into(), port(from)?),
            SocketAddr::new(number::<Ipv4Addr>(destination)?.into(), port(to)?),
        )),
        ["PROXY", "TCP6", source, destination, from, to] => Some((
            SocketAddr::new(number::<Ipv6Addr>(source)?.into(), port(from)?),
            SocketAddr::new(number::<Ipv6Addr>(destination)?.into(), port(to)?),
        )),
        _ => return Err(NoProxyHeader),
    };
    Ok(Some(ProxyHeader { len, addresses }))
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, NoProxyHeader> {
    text.parse().map_err(|_| NoProxyHeader)
}

/// A port in decimal, without a sign or leading zeros.
fn port(text: &str) -> Result<u16, NoProxyHeader> {
    let is_canonical =
        text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if is_canonical { number(text) } else { Err(NoProxyHeader) }
}

fn read_binary(bytes: &[u8]) -> Result<Option<ProxyHeader>, NoProxyHeader> {
    let Some(&[version_and_command, family, high, low]) = bytes.get(12..16) else {
        return Ok(None);
    };
    let len = 16 + usize::from(u16::from_be_bytes([high, low]));
    if len > HEADER_MAX {
        return Err(NoProxyHeader);
    }
    let Some(body) = bytes.get(16..len) else { return Ok(None) };
    let addresses = match (version_and_command, family) {
        (0x20, _) | (0x21, 0x00) => None,
        (0x21, 0x11) => Some(addresses::<4, Ipv4Addr>(body)?),
        (0x21, 0x21) => Some(addresses::<16, Ipv6Addr>(body)?),
        _ => return Err(NoProxyHeader),
    };
    Ok(Some(ProxyHeader { len, addresses }))
}

/// Both addresses, then both ports.
fn addresses<const LEN: usize, A>(body: &[u8]) -> Result<(SocketAddr, SocketAddr), NoProxyHeader>
where
    A: From<[u8; LEN]> + Into<IpAddr>,
{
    let address_at =
        |from: usize| body.get(from..from + LEN).and_then(|bytes| bytes.try_into().ok());
    let port_at = |from: usize| body.get(from..from + 2).and_then(|bytes| bytes.try_into().ok());
    let socket = |address: Option<[u8; LEN]>, port: Option<[u8; 2]>| {
        let (address, port) = address.zip(port).ok_or(NoProxyHeader)?;
        Ok(SocketAddr::new(A::from(address).into(), u16::from_be_bytes(port)))
    };
    Ok((socket(address_at(0), port_at(2 * LEN))?, socket(address_at(LEN), port_at(2 * LEN + 2))?))
}

/// The header for a target. Addresses of two families are written as IPv6.
#[must_use]
pub fn write(version: ProxyProtocol, client: SocketAddr, destination: SocketAddr) -> Vec<u8> {
    let (from, to) = (client.ip().to_canonical(), destination.ip().to_canonical());
    let ports = (client.port(), destination.port());
    match (version, from, to) {
        (ProxyProtocol::None, ..) => Vec::new(),
        (ProxyProtocol::Version1, IpAddr::V4(from), IpAddr::V4(to)) => {
            format!("PROXY TCP4 {from} {to} {} {}\r\n", ports.0, ports.1).into_bytes()
        }
        (ProxyProtocol::Version1, from, to) => {
            let (from, to) = (as_ipv6(from), as_ipv6(to));
            format!("PROXY TCP6 {from} {to} {} {}\r\n", ports.0, ports.1).into_bytes()
        }
        (ProxyProtocol::Version2, IpAddr::V4(from), IpAddr::V4(to)) => {
            binary(0x11, &from.octets(), &to.octets(), ports)
        }
        (ProxyProtocol::Version2, from, to) => {
            binary(0x21, &as_ipv6(from).octets(), &as_ipv6(to).octets(), ports)
        }
    }
}

fn as_ipv6(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
}

fn binary(family: u8, from: &[u8], to: &[u8], ports: (u16, u16)) -> Vec<u8> {
    // Two addresses of at most 16 bytes, and two ports.
    let len = u16::try_from(from.len() + to.len() + 4).unwrap_or(36);
    let mut header = SIGNATURE.to_vec();
    header.extend([0x21, family]);
    header.extend(len.to_be_bytes());
    header.extend_from_slice(from);
    header.extend_from_slice(to);
    header.extend(ports.0.to_be_bytes());
    header.extend(ports.1.to_be_bytes());
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    fn socket(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn what_is_written_can_be_read() {
        let cases = [
            ("192.0.2.1:5", "198.51.100.1:443", "192.0.2.1:5", "198.51.100.1:443"),
            ("[2001:db8::1]:5", "[2001:db8::2]:443", "[2001:db8::1]:5", "[2001:db8::2]:443"),
            ("[::ffff:192.0.2.1]:5", "198.51.100.1:443", "192.0.2.1:5", "198.51.100.1:443"),
            ("[2001:db8::1]:5", "192.0.2.1:443", "[2001:db8::1]:5", "[::ffff:192.0.2.1]:443"),
        ];
        for (client, destination, read_client, read_destination) in cases {
            for version in [ProxyProtocol::Version1, ProxyProtocol::Version2] {
                let mut bytes = write(version, socket(client), socket(destination));
                let len = bytes.len();
                for cut in 0..len {
                    assert_eq!(read(&bytes[..cut]), Ok(None), "{version:?} {client} {cut}");
                }
                bytes.extend_from_slice(b"GET / HTTP/1.1\r\n");
                let addresses = Some((socket(read_client), socket(read_destination)));
                assert_eq!(read(&bytes), Ok(Some(ProxyHeader { len, addresses })), "{version:?}");
            }
        }
    }

    #[test]
    fn the_formats_are_those_of_the_document() {
        let (client, destination) = (socket("192.0.2.1:56324"), socket("192.0.2.2:443"));
        assert_eq!(
            write(ProxyProtocol::Version1, client, destination),
            b"PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\n"
        );
        let expected =
            b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c\xc0\0\x02\x01\xc0\0\x02\x02\xdc\x04\x01\xbb";
        assert_eq!(write(ProxyProtocol::Version2, client, destination), expected);
    }

    #[test]
    fn connections_may_be_what_they_seem() {
        let local = [SIGNATURE.as_slice(), &[0x20, 0, 0, 0]].concat();
        for (bytes, len) in
            [(local.as_slice(), 16), (b"PROXY UNKNOWN\r\n", 15), (b"PROXY UNKNOWN a b c\r\n", 21)]
        {
            assert_eq!(read(bytes), Ok(Some(ProxyHeader { len, addresses: None })));
        }
    }

    #[test]
    fn additional_fields_are_skipped() {
        let mut bytes =
            write(ProxyProtocol::Version2, socket("192.0.2.1:5"), socket("192.0.2.2:6"));
        bytes[15] += 3;
        bytes.extend_from_slice(&[4, 0, 0]);
        assert_eq!(read(&bytes).unwrap().unwrap().len, 31);
    }

    #[test]
    fn anything_else_is_refused() {
        let long = format!("PROXY TCP6 {}\r\n", "a".repeat(TEXT_MAX));
        let signed = |rest: &[u8]| [SIGNATURE.as_slice(), rest].concat();
        let cases: &[&[u8]] = &[
            b"GET / HTTP/1.1\r\n",
            b"PROXY TCP4 192.0.2.1 192.0.2.2 56324\r\n",
            b"PROXY TCP4 192.0.2.1 192.0.2.2 056324 443\r\n",
            b"PROXY TCP4 192.0.2.1 192.0.2.2 +5 443\r\n",
            b"PROXY TCP4 192.0.2.1 192.0.2.2 5 65536\r\n",
            b"PROXY TCP4 2001:db8::1 192.0.2.2 5 6\r\n",
            b"PROXY TCP6 192.0.2.1 2001:db8::1 5 6\r\n",
            b"PROXY UDP4 192.0.2.1 192.0.2.2 5 6\r\n",
            b"PROXY  TCP4 192.0.2.1 192.0.2.2 5 6\r\n",
            long.as_bytes(),
            &signed(&[0x31, 0x11, 0, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
            &signed(&[0x21, 0x12, 0, 0]),
            &signed(&[0x21, 0x11, 0, 3, 0, 0, 0]),
            &signed(&[0x21, 0x11, 0xff, 0xff]),
        ];
        for bytes in cases {
            assert_eq!(read(bytes), Err(NoProxyHeader), "{}", bytes.escape_ascii());
        }
    }
}
