//! TLS towards clients and towards targets.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    sync::Arc,
};

use lb_proxy::{CertificateSet, Counter, Snapshot, TargetTls, server_config};
use rcgen::{CertificateParams, KeyPair};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConnection, StreamOwned,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer},
    sign::CertifiedKey,
};

use crate::support::{LONG, TestProxy, TestTarget, field, group, healthy, simple, wait_until};

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// A self-signed certificate that a client can trust, and its key.
pub(crate) fn certificate(name: &str) -> (CertificateDer<'static>, Arc<CertifiedKey>) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    let certificate = params.self_signed(&key).unwrap().der().clone();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let key = aws_lc_rs::sign::any_supported_type(&key).unwrap();
    (certificate.clone(), Arc::new(CertifiedKey::new(vec![certificate], key)))
}

/// A client that trusts these certificates.
pub(crate) fn trusting(certificates: &[CertificateDer<'static>], alpn: &[&[u8]]) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        roots.add(certificate.clone()).unwrap();
    }
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider);
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
    config
}

/// Listener `web` gets TLS with these certificates; the first is the default.
pub(crate) fn with_tls(mut snapshot: Snapshot, named: &[(&str, &Arc<CertifiedKey>)]) -> Snapshot {
    let mut certificates = CertificateSet::new(Arc::clone(named[0].1));
    for (name, certificate) in named {
        certificates.add(name, Arc::clone(certificate));
    }
    snapshot.listeners[0].tls = Some(Arc::new(server_config(certificates, true).unwrap()));
    snapshot
}

fn ask_with_tls(address: SocketAddr, name: &str, config: ClientConfig) -> std::io::Result<String> {
    let name = name.to_owned().try_into().unwrap();
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(LONG))?;
    let connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut stream = StreamOwned::new(connection, stream);
    stream.write_all(GET)?;
    let mut response = String::new();
    stream.read_to_string(&mut response)?;
    Ok(response)
}

#[test]
fn the_certificate_is_that_of_the_server_name() {
    let target = TestTarget::answering(OK);
    let (first, first_key) = certificate("first.example");
    let (other, other_key) = certificate("other.example");
    let (wild, wild_key) = certificate("*.wild.example");
    let snapshot = with_tls(
        simple(group("web", &[healthy(target.address)])),
        &[
            ("first.example", &first_key),
            ("other.example", &other_key),
            ("*.wild.example", &wild_key),
        ],
    );
    let mut proxy = TestProxy::start(snapshot);
    for (name, certificate) in
        [("first.example", &first), ("other.example", &other), ("a.wild.example", &wild)]
    {
        // Only the right certificate is trusted.
        let config = trusting(std::slice::from_ref(certificate), &[]);
        let response = ask_with_tls(proxy.address(), name, config).unwrap();
        assert!(response.starts_with("HTTP/1.1 200 OK\r\n"), "{response}");
        let event = proxy.event();
        let tls = event.tls.unwrap();
        assert_eq!(tls.server_name.as_deref(), Some(name));
        assert_eq!((event.kind.as_str(), tls.protocol), ("https", "TLSv1.3"));
    }
    assert_eq!(field(&target.text(), "x-forwarded-proto"), Some("https"));
    let config = trusting(std::slice::from_ref(&first), &[]);
    assert!(ask_with_tls(proxy.address(), "unknown.example", config).is_err());
}

#[test]
fn a_handshake_that_fails_is_counted() {
    let target = TestTarget::answering(OK);
    let (_, key) = certificate("a.example");
    let snapshot =
        with_tls(simple(group("web", &[healthy(target.address)])), &[("a.example", &key)]);
    let proxy = TestProxy::start(snapshot);
    let mut stream = TcpStream::connect(proxy.address()).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    let mut rest = Vec::new();
    drop(stream.read_to_end(&mut rest));
    wait_until("a failed handshake is counted", || {
        proxy.metrics().listeners["web"].get(Counter::ClientTlsErrors) == 1
    });
}

/// A target that speaks TLS with this certificate.
fn tls_target(key: &Arc<CertifiedKey>) -> TestTarget {
    let certificates = CertificateSet::new(Arc::clone(key));
    let config = Arc::new(server_config(certificates, false).unwrap());
    TestTarget::start(move |end| {
        let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
        let mut stream = StreamOwned::new(connection, end.stream);
        let mut request = [0; 4096];
        while let Ok(1..) = stream.read(&mut request) {
            stream.write_all(OK.as_bytes()).unwrap();
        }
    })
}

#[test]
fn targets_with_tls_are_verified() {
    let (right, right_key) = certificate("target.example");
    let (_, wrong_key) = certificate("target.example");
    let trusted = Arc::new(trusting(&[right], &[]));
    for (key, name, status, reason) in [
        (&right_key, "target.example", 200, None),
        (&right_key, "other.example", 502, Some("target_tls_failed")),
        (&wrong_key, "target.example", 502, Some("target_tls_failed")),
    ] {
        let target = tls_target(key);
        let mut group = group("web", &[healthy(target.address)]);
        let server_name = name.to_owned().try_into().unwrap();
        group.tls = Some(TargetTls { config: Arc::clone(&trusted), server_name });
        let mut proxy = TestProxy::start(simple(group));
        let mut client = crate::support::Client::connect(proxy.address());
        for _ in 0..2 {
            client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
            assert_eq!(client.response().status, status, "{name}");
            assert_eq!(proxy.event().reason, reason, "{name}");
        }
        if status == 200 {
            assert_eq!(target.connections(), 1, "the connection is used again");
        }
    }
}
