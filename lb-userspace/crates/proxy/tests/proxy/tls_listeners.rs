//! Listeners of TLS: bytes of any protocol, in both directions, between clients and targets.

use std::{
    io::{self, Read, Write as _},
    net::{Shutdown, SocketAddr, TcpStream},
    sync::Arc,
    time::Duration,
};

use lb_proxy::{
    Counter, Group, ListenerProtocol, ProxyProtocol, Snapshot, Target, TargetProtocol, TargetTls,
    choice::{Algorithm, Health},
};
use rustls::{
    ClientConnection, ServerConnection, StreamOwned, pki_types::CertificateDer, sign::CertifiedKey,
};

use crate::{
    support::{LONG, TargetEnd, TestProxy, TestTarget, group, healthy, simple, wait_until},
    tls::{certificate, trusting, with_tls},
};

/// A group of bytes.
pub(crate) fn tcp_group(targets: &[Target]) -> Group {
    let mut group = group("mail", targets);
    group.attributes.protocol = TargetProtocol::Tcp;
    group
}

/// A listener of TLS for a group.
pub(crate) fn tls_snapshot(group: Group, key: &Arc<CertifiedKey>) -> Snapshot {
    let mut snapshot = with_tls(simple(group), &[("a.example", key)]);
    snapshot.listeners[0].attributes.protocol = ListenerProtocol::Tcp;
    snapshot
}

pub(crate) type TlsClient = StreamOwned<ClientConnection, TcpStream>;

pub(crate) fn connect(address: SocketAddr, trusted: &CertificateDer<'static>) -> TlsClient {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    stream.set_write_timeout(Some(LONG)).unwrap();
    let config = Arc::new(trusting(std::slice::from_ref(trusted), &[]));
    let connection = ClientConnection::new(config, "a.example".try_into().unwrap()).unwrap();
    StreamOwned::new(connection, stream)
}

pub(crate) fn read_all(stream: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).map(|_| bytes)
}

/// Ends the sending direction alone.
pub(crate) fn half_close(client: &mut TlsClient) {
    client.conn.send_close_notify();
    client.flush().unwrap();
    client.sock.shutdown(Shutdown::Write).unwrap();
}

/// Sends back what it gets, and its end.
fn echo(mut end: TargetEnd) {
    let mut buffer = vec![0; 65_536];
    while let Ok(count @ 1..) = end.stream.read(&mut buffer) {
        if end.stream.write_all(&buffer[..count]).is_err() {
            return;
        }
    }
}

#[test]
fn bytes_go_both_ways_until_both_sides_have_ended() {
    let (trusted, key) = certificate("a.example");
    // It answers only when the client has ended, so that each direction ends alone.
    let target = TestTarget::start(|mut end| {
        let request = read_all(&mut end.stream).unwrap();
        end.stream.write_all(b"bytes: ").unwrap();
        end.stream.write_all(&request).unwrap();
    });
    let snapshot = tls_snapshot(tcp_group(&[healthy(target.address)]), &key);
    let mut proxy = TestProxy::start(snapshot);
    let mut client = connect(proxy.address(), &trusted);
    client.write_all(b"\x00\xffany").unwrap();
    half_close(&mut client);
    // An error without the alert of TLS that says that this is the end.
    assert_eq!(read_all(&mut client).unwrap(), b"bytes: \x00\xffany");
    let event = proxy.connection_event();
    assert_eq!((event.received_bytes, event.sent_bytes, event.reason), (5, 12, None));
    assert_eq!((event.target, event.group.as_deref()), (Some(target.address), Some("mail")));
    let tls = event.tls.unwrap();
    assert_eq!((tls.protocol, tls.server_name.as_deref()), ("TLSv1.3", Some("a.example")));
    assert_eq!(tls.alpn, None);
    assert!(event.handshake.is_some() && event.connect.is_some());
    let metrics = proxy.metrics();
    for sums in [&metrics.total, &metrics.listeners["web"], &metrics.groups["mail"]] {
        assert_eq!(sums.get(Counter::TlsConnections), 1);
        assert_eq!(sums.get(Counter::ReceivedBytes), 5);
        assert_eq!(sums.get(Counter::SentBytes), 12);
        assert_eq!(sums.get(Counter::Requests), 0);
    }
}

#[test]
fn a_target_may_end_first() {
    let (trusted, key) = certificate("a.example");
    let target = TestTarget::start(|mut end| {
        end.stream.write_all(b"220 ready\r\n").unwrap();
        end.stream.shutdown(Shutdown::Write).unwrap();
        let rest = read_all(&mut end.stream).unwrap();
        assert_eq!(rest, b"QUIT after the end");
    });
    let mut proxy = TestProxy::start(tls_snapshot(tcp_group(&[healthy(target.address)]), &key));
    let mut client = connect(proxy.address(), &trusted);
    assert_eq!(read_all(&mut client).unwrap(), b"220 ready\r\n");
    client.write_all(b"QUIT after the end").unwrap();
    half_close(&mut client);
    let event = proxy.connection_event();
    assert_eq!((event.received_bytes, event.sent_bytes, event.reason), (18, 11, None));
}

/// Many clients close their connection without the alert of TLS.
#[test]
fn an_end_without_the_alert_of_tls_is_an_end() {
    let (trusted, key) = certificate("a.example");
    let target = TestTarget::start(|mut end| {
        let request = read_all(&mut end.stream).unwrap();
        end.stream.write_all(&request).unwrap();
    });
    let proxy = TestProxy::start(tls_snapshot(tcp_group(&[healthy(target.address)]), &key));
    let mut client = connect(proxy.address(), &trusted);
    client.write_all(b"hello").unwrap();
    client.sock.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_all(&mut client).unwrap(), b"hello");
}

#[test]
fn a_reset_of_one_side_reaches_the_other() {
    let (trusted, key) = certificate("a.example");
    let target = TestTarget::start(|end| {
        let mut byte = [0];
        let mut stream = &end.stream;
        stream.read_exact(&mut byte).unwrap();
        if byte == *b"r" {
            socket2::SockRef::from(&end.stream).set_linger(Some(Duration::ZERO)).unwrap();
            return;
        }
        let error = read_all(&mut stream).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
        end.received.lock().unwrap().extend_from_slice(b"reset");
    });
    let mut proxy = TestProxy::start(tls_snapshot(tcp_group(&[healthy(target.address)]), &key));
    let mut client = connect(proxy.address(), &trusted);
    client.write_all(b"r").unwrap();
    assert_eq!(read_all(&mut client).unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    assert_eq!(proxy.connection_event().reason, Some("target_reset"));
    let mut client = connect(proxy.address(), &trusted);
    client.write_all(b"c").unwrap();
    wait_until("the target has the byte", || {
        proxy.metrics().total.get(Counter::ReceivedBytes) == 2
    });
    socket2::SockRef::from(&client.sock).set_linger(Some(Duration::ZERO)).unwrap();
    drop(client);
    assert_eq!(proxy.connection_event().reason, Some("client_closed"));
    wait_until("the target sees the reset", || target.text() == "reset");
}

#[test]
fn without_a_target_the_connection_is_reset() {
    let (trusted, key) = certificate("a.example");
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for (targets, reason) in [(Vec::new(), "no_target"), (vec![healthy(gone)], "connect_failed")] {
        let mut proxy = TestProxy::start(tls_snapshot(tcp_group(&targets), &key));
        let mut client = connect(proxy.address(), &trusted);
        let error = read_all(&mut client).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset, "{reason}");
        assert_eq!(proxy.connection_event().reason, Some(reason));
        assert_eq!(proxy.metrics().failures[reason], 1);
    }
}

#[test]
fn a_target_that_refuses_leads_to_another_one() {
    let (trusted, key) = certificate("a.example");
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let target = TestTarget::start(echo);
    let targets = [healthy(gone), healthy(target.address)];
    let mut proxy = TestProxy::start(tls_snapshot(tcp_group(&targets), &key));
    let mut retries = 0;
    for _ in 0..4 {
        let mut client = connect(proxy.address(), &trusted);
        client.write_all(b"x").unwrap();
        half_close(&mut client);
        assert_eq!(read_all(&mut client).unwrap(), b"x");
        let event = proxy.connection_event();
        assert_eq!((event.target, event.reason), (Some(target.address), None));
        retries += event.retries;
    }
    assert_eq!(retries, 4, "each one begins where the last one has not ended");
}

#[test]
fn the_target_gets_a_proxy_header_before_the_first_byte() {
    let (trusted, key) = certificate("a.example");
    let target = TestTarget::start(|mut end| {
        let bytes = read_all(&mut end.stream).unwrap();
        end.received.lock().unwrap().extend_from_slice(&bytes);
    });
    let mut group = tcp_group(&[healthy(target.address)]);
    group.attributes.proxy_protocol = ProxyProtocol::Version2;
    let proxy = TestProxy::start(tls_snapshot(group, &key));
    let mut client = connect(proxy.address(), &trusted);
    let from = client.sock.local_addr().unwrap();
    client.write_all(b"hello").unwrap();
    half_close(&mut client);
    assert_eq!(read_all(&mut client).unwrap(), b"");
    let mut expected = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x7f\0\0\x01\x7f\0\0\x01".to_vec();
    expected.extend(from.port().to_be_bytes());
    expected.extend(proxy.address().port().to_be_bytes());
    expected.extend(b"hello");
    assert_eq!(*target.received.lock().unwrap(), expected);
}

#[test]
fn targets_may_speak_tls_again() {
    let (trusted, key) = certificate("a.example");
    let (of_target, target_key) = certificate("target.example");
    let certificates = Arc::new(lb_proxy::CertificateSet::new(target_key));
    let clients = lb_proxy::ClientCertificates::None;
    let versions = rustls::ALL_VERSIONS;
    let config = lb_proxy::server_config_of(certificates, clients, &[""; 0], versions).unwrap();
    let config = Arc::new(config);
    let target = TestTarget::start(move |end| {
        let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
        let mut stream = StreamOwned::new(connection, end.stream);
        let request = read_all(&mut stream).unwrap();
        assert_eq!(stream.conn.alpn_protocol(), None);
        stream.write_all(&request).unwrap();
        stream.conn.send_close_notify();
        stream.flush().unwrap();
    });
    let mut group = tcp_group(&[healthy(target.address)]);
    let server_name = "target.example".try_into().unwrap();
    group.tls = Some(TargetTls { config: Arc::new(trusting(&[of_target], &[])), server_name });
    let proxy = TestProxy::start(tls_snapshot(group, &key));
    let mut client = connect(proxy.address(), &trusted);
    client.write_all(b"hello").unwrap();
    half_close(&mut client);
    assert_eq!(read_all(&mut client).unwrap(), b"hello");
}

#[test]
fn a_target_that_leaves_keeps_its_connections_for_its_delay() {
    let (trusted, key) = certificate("a.example");
    let (first, second) = (TestTarget::start(echo), TestTarget::start(echo));
    let mut group = tcp_group(&[healthy(first.address)]);
    group.attributes.deregistration_delay = Duration::from_secs(1);
    let snapshot = tls_snapshot(group, &key);
    let mut proxy = TestProxy::start(snapshot.clone());
    let mut client = connect(proxy.address(), &trusted);
    let echoed = |client: &mut TlsClient| {
        client.write_all(b"x")?;
        client.read_exact(&mut [0])
    };
    echoed(&mut client).unwrap();
    let mut changed = snapshot;
    changed.groups[0].targets = vec![
        Target { health: Health::Draining, ..healthy(first.address) },
        healthy(second.address),
    ];
    proxy.proxy.apply(changed).unwrap();
    echoed(&mut client).unwrap();
    let mut newer = connect(proxy.address(), &trusted);
    echoed(&mut newer).unwrap();
    assert_eq!((first.connections(), second.connections()), (1, 1));
    let error = read_all(&mut client).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    let event = proxy.connection_event();
    assert_eq!((event.target, event.reason), (Some(first.address), Some("target_deregistered")));
    assert_eq!(proxy.metrics().groups["mail"].get(Counter::DeregistrationCuts), 1);
    echoed(&mut newer).unwrap();
}

#[test]
fn connections_are_limited_and_spread_by_their_number() {
    let (trusted, key) = certificate("a.example");
    let (first, second) = (TestTarget::start(echo), TestTarget::start(echo));
    let mut group = tcp_group(&[healthy(first.address), healthy(second.address)]);
    group.choice.algorithm = Algorithm::LeastOutstanding;
    group.choice.connections_max = 2;
    group.attributes.queue_timeout = Duration::from_millis(200);
    let mut proxy = TestProxy::start(tls_snapshot(group, &key));
    let open = || {
        let mut client = connect(proxy.address(), &trusted);
        client.write_all(b"x")?;
        client.read_exact(&mut [0])?;
        Ok::<_, io::Error>(client)
    };
    let held: Vec<_> = (0..4).map(|_| open().unwrap()).collect();
    assert_eq!((first.connections(), second.connections()), (2, 2));
    assert!(open().is_err(), "all targets are at their limit");
    assert_eq!(proxy.connection_event().reason, Some("target_connection_limit"));
    drop(held);
}

#[test]
fn an_idle_connection_ends_and_a_failed_handshake_is_logged() {
    let (trusted, key) = certificate("a.example");
    let target = TestTarget::start(echo);
    let mut snapshot = tls_snapshot(tcp_group(&[healthy(target.address)]), &key);
    snapshot.listeners[0].attributes.timeouts.idle = Duration::from_millis(300);
    let mut proxy = TestProxy::start(snapshot);
    let mut client = connect(proxy.address(), &trusted);
    client.write_all(b"x").unwrap();
    client.read_exact(&mut [0]).unwrap();
    assert!(read_all(&mut client).is_err());
    assert_eq!(proxy.connection_event().reason, Some("tunnel_timeout"));
    let mut clear = TcpStream::connect(proxy.address()).unwrap();
    clear.write_all(b"EHLO a\r\n").unwrap();
    let event = proxy.connection_event();
    assert_eq!((event.reason, event.handshake), (Some("client_tls_failed"), None));
    assert_eq!(event.tls, None);
    // This client refuses the certificate, when version and cipher are settled.
    let (stranger, _) = certificate("a.example");
    assert!(connect(proxy.address(), &stranger).write_all(b"x").is_err());
    let event = proxy.connection_event();
    assert_eq!((event.reason, event.handshake), (Some("client_tls_failed"), None));
    let tls = event.tls.unwrap();
    assert_eq!((tls.protocol, tls.server_name.as_deref()), ("TLSv1.3", Some("a.example")));
    assert!(tls.cipher.starts_with("TLS13_"), "{}", tls.cipher);
    assert_eq!(proxy.metrics().listeners["web"].get(Counter::ClientTlsErrors), 2);
}
