//! Certificates of clients: who may connect, what targets are told, and tickets that skip none of that.

use std::{
    io::{Read, Write as _},
    net::{SocketAddr, TcpListener},
    sync::Arc,
    thread,
};

use lb_proxy_control::Signal;
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertificateRevocationListParams, DnType,
    IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SerialNumber,
    date_time_ymd,
};
use rustls::{
    ClientConfig, ClientConnection, HandshakeKind, RootCertStore, StreamOwned,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};

use crate::support::{ConfigFile, connect, free_port, local, wait_until};

/// A CA for certificates of clients.
struct Authority {
    certificate: Certificate,
    issuer: Issuer<'static, KeyPair>,
}

/// A client's certificate and key.
type Identity = (CertificateDer<'static>, PrivateKeyDer<'static>);

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Self { certificate, issuer: Issuer::new(params, key) }
    }

    fn client(&self, name: &str, serial: u64) -> Identity {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.serial_number = Some(SerialNumber::from(serial));
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap().der().clone();
        (certificate, PrivateKeyDer::try_from(key.serialize_der()).unwrap())
    }

    /// A list that revokes one certificate.
    fn revoking(&self, serial: u64) -> String {
        let revoked = RevokedCertParams {
            serial_number: SerialNumber::from(serial),
            revocation_time: date_time_ymd(2024, 1, 1),
            reason_code: None,
            invalidity_date: None,
        };
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(2024, 1, 1),
            next_update: date_time_ymd(2040, 1, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: vec![revoked],
            key_identifier_method: KeyIdMethod::Sha256,
        };
        list.signed_by(&self.issuer).unwrap().pem().unwrap()
    }
}

/// A server that answers with the head of each request.
fn mirror() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            thread::spawn(move || {
                let mut head = Vec::new();
                let mut byte = [0];
                while stream.read(&mut byte).is_ok_and(|count| count > 0) {
                    head.push(byte[0]);
                    if head.ends_with(b"\r\n\r\n") {
                        let length = head.len();
                        write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n")
                            .unwrap();
                        stream.write_all(&head).unwrap();
                        // A proxy of requests does not pass it on; one of bytes does.
                        if head.windows(17).any(|part| part == b"Connection: close") {
                            return;
                        }
                        head.clear();
                    }
                }
            });
        }
    });
    address
}

fn document(port: u16, target: SocketAddr, protocol: &str, tls: &str) -> String {
    let group = if protocol == "tls" { "tcp" } else { "http" };
    format!(
        "interfaces: [eth0]
target_groups:
  - {{ name: web, protocol: {group}, port: {}, targets: [{{ address: 127.0.0.1 }}] }}
listeners:
  - name: shop
    address: 203.0.113.10
    port: {port}
    protocol: {protocol}
    certificates: [{{ certificate: FOLDER/shop.pem, key: FOLDER/shop.key }}]
    tls: {{ {tls} }}
    default_action: {{ forward: {{ target_group: web }} }}
",
        target.port()
    )
}

fn config(server: &str, identity: Option<&Identity>) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(server.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider);
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    let builder = builder.with_root_certificates(roots);
    Arc::new(match identity {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            builder.with_client_auth_cert(vec![certificate.clone()], key.clone_key()).unwrap()
        }
    })
}

/// What the target has got, and how the handshake was.
fn ask(port: u16, config: &Arc<ClientConfig>) -> Result<(String, HandshakeKind), String> {
    let name = "shop.example".try_into().unwrap();
    let client = ClientConnection::new(Arc::clone(config), name).unwrap();
    let mut stream = StreamOwned::new(client, connect(local(port)));
    let request = "GET / HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\
                   X-Amzn-Mtls-Clientcert-Subject: CN=admin\r\nx_amzn_mtls_clientcert: forged\r\n\r\n";
    stream.write_all(request.as_bytes()).map_err(|error| error.to_string())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).map_err(|error| error.to_string())?;
    Ok((answer, stream.conn.handshake_kind().unwrap()))
}

#[test]
fn verified_clients_alone_may_connect_and_targets_know_them() {
    let (port, authority, other) = (free_port(), Authority::new("ours"), Authority::new("theirs"));
    let file = ConfigFile::new("");
    let server = file.certificate("shop", "shop.example");
    std::fs::write(file.path("ca.pem"), authority.certificate.pem()).unwrap();
    std::fs::write(file.path("ca.crl"), authority.revoking(7)).unwrap();
    let tls = "client_auth: verify, ca: FOLDER/ca.pem, crl: FOLDER/ca.crl";
    file.write(&document(port, mirror(), "https", tls));
    let service = file.serve();
    let (head, _) = ask(port, &config(&server, Some(&authority.client("alice", 0x0102)))).unwrap();
    let head = head.to_ascii_lowercase();
    for line in [
        "\r\nx-amzn-mtls-clientcert-serial-number: 0102\r\n",
        "\r\nx-amzn-mtls-clientcert-subject: cn=alice\r\n",
        "\r\nx-amzn-mtls-clientcert-issuer: cn=ours\r\n",
        "\r\nx-amzn-mtls-clientcert-leaf: -----begin%20certificate-----%0a",
        "\r\nx-amzn-mtls-clientcert-validity: notbefore=",
    ] {
        assert_eq!(head.matches(line).count(), 1, "{line}: {head}");
    }
    assert!(!head.contains("admin") && !head.contains("forged"), "{head}");
    for (who, identity) in [
        ("nobody", None),
        ("one of another CA", Some(other.client("alice", 1))),
        ("one that is revoked", Some(authority.client("mallory", 7))),
    ] {
        assert!(ask(port, &config(&server, identity.as_ref())).is_err(), "{who}");
    }

    // Without the list, the certificate is good; a ticket from before is not taken for one.
    let mallory = config(&server, Some(&authority.client("mallory", 7)));
    file.write(&document(port, mirror(), "https", "client_auth: verify, ca: FOLDER/ca.pem"));
    service.signal(Signal::FileChanged);
    wait_until("the list is not used any more", || ask(port, &mallory).is_ok());
    assert_eq!(ask(port, &mallory).unwrap().1, HandshakeKind::Resumed);
    file.write(&document(port, mirror(), "https", tls));
    service.signal(Signal::FileChanged);
    wait_until("the list is used again", || ask(port, &mallory).is_err());
    service.stop();
}

#[test]
fn the_connection_log_says_why_clients_were_refused() {
    let (port, authority, other) = (free_port(), Authority::new("ours"), Authority::new("theirs"));
    let file = ConfigFile::new("");
    let server = file.certificate("shop", "shop.example");
    std::fs::write(file.path("ca.pem"), authority.certificate.pem()).unwrap();
    std::fs::write(file.path("ca.crl"), authority.revoking(7)).unwrap();
    let tls = "client_auth: verify, ca: FOLDER/ca.pem, crl: FOLDER/ca.crl";
    let log = "connection_log: { file: FOLDER/connections.log, format: alb }";
    let text = document(port, mirror(), "https", tls) + &format!("    attributes: {{ {log} }}\n");
    file.write(&text);
    let service = file.serve();
    let path = file.path("connections.log");
    let lines = || std::fs::read_to_string(&path).unwrap_or_default();
    let written = |count| wait_until("the line is written", || lines().lines().count() == count);
    ask(port, &config(&server, Some(&authority.client("alice", 0x0102)))).unwrap();
    written(1);
    for (number, identity) in
        [None, Some(other.client("alice", 1)), Some(authority.client("mallory", 7))]
            .iter()
            .enumerate()
    {
        assert!(ask(port, &config(&server, identity.as_ref())).is_err());
        written(number + 2);
    }
    let mut plain = connect(local(port));
    plain.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    written(5);
    service.stop();
    let log = lines();
    let statuses: Vec<&str> = log.lines().filter_map(|line| line.rsplit(' ').nth(1)).collect();
    let expected = [
        "Success",
        "Failed:UnmappedConnectionError",
        "Failed:ClientCertUntrusted",
        "Failed:ClientCertCrlHit",
        "Failed:UnmappedConnectionError",
    ];
    assert_eq!(statuses, expected, "{log}");
    // What was settled before the refusal is known.
    for (number, line) in log.lines().enumerate() {
        let is_known = line.contains(" TLSv1.3 TLS13_");
        assert_eq!(is_known, number < 4, "{line}");
    }
    let first = log.lines().next().unwrap();
    assert!(first.contains(" TLSv1.3 ") && first.contains(" \"CN=alice\" NotBefore="), "{first}");
}

#[test]
fn passthrough_takes_any_certificate_and_none() {
    let (port, authority) = (free_port(), Authority::new("unknown"));
    let file = ConfigFile::new("");
    let server = file.certificate("shop", "shop.example");
    file.write(&document(port, mirror(), "https", "client_auth: passthrough"));
    let service = file.serve();
    let (head, _) = ask(port, &config(&server, Some(&authority.client("alice", 1)))).unwrap();
    let line = "X-Amzn-Mtls-Clientcert: -----BEGIN%20CERTIFICATE-----%0A";
    assert_eq!(head.matches(line).count(), 1, "{head}");
    assert!(!head.contains("Clientcert-Subject"), "{head}");
    let (head, _) = ask(port, &config(&server, None)).unwrap();
    assert!(!head.to_ascii_lowercase().contains("mtls"), "{head}");
    service.stop();
}

#[test]
fn forged_fields_are_dropped_where_nobody_asks_for_certificates() {
    let port = free_port();
    let file = ConfigFile::new("");
    let server = file.certificate("shop", "shop.example");
    file.write(&document(port, mirror(), "https", "policy: modern"));
    let service = file.serve();
    let (head, _) = ask(port, &config(&server, None)).unwrap();
    assert!(!head.to_ascii_lowercase().contains("mtls"), "{head}");
    service.stop();
}

#[test]
fn listeners_of_tls_verify_clients_too() {
    let (port, authority) = (free_port(), Authority::new("ours"));
    let file = ConfigFile::new("");
    let server = file.certificate("shop", "shop.example");
    std::fs::write(file.path("ca.pem"), authority.certificate.pem()).unwrap();
    let tls = "client_auth: verify, ca: FOLDER/ca.pem";
    file.write(&document(port, mirror(), "tls", tls));
    let service = file.serve();
    let alice = config(&server, Some(&authority.client("alice", 1)));
    wait_until("the target is used", || ask(port, &alice).is_ok());
    assert!(ask(port, &config(&server, None)).is_err());
    service.stop();
}

#[test]
fn tickets_outlive_a_reload() {
    let port = free_port();
    let file = ConfigFile::new("");
    let server = file.certificate("shop", "shop.example");
    file.write(&document(port, mirror(), "https", "policy: modern"));
    let service = file.serve();
    let config = config(&server, None);
    assert_eq!(ask(port, &config).unwrap().1, HandshakeKind::Full);
    let reads = file.reads();
    service.signal(Signal::Hangup);
    wait_until("the configuration is read again", || file.reads() > reads);
    thread::sleep(std::time::Duration::from_millis(300));
    assert_eq!(ask(port, &config).unwrap().1, HandshakeKind::Resumed);
    service.stop();
}
