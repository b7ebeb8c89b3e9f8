//! Probes over TLS, against servers with good and bad certificates.

use std::{fs, net::SocketAddr, sync::Arc, time::Duration};

use lb_config::{HttpCheck, Matcher, TlsCheck, Verify};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use rustls::{
    ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{PrivateKeyDer, pem::PemObject as _},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    time::Instant,
};
use tokio_rustls::TlsAcceptor;

use super::{Outcome, Probe, http, tcp::tests::probe_of};

const TIMEOUT: Duration = Duration::from_secs(2);

/// An authority, in a file.
pub(super) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: tempfile::TempDir,
}

impl Authority {
    pub(super) fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("ca.pem"), issuer.pem()).unwrap();
        Self { issuer, folder }
    }

    pub(super) fn verify(&self) -> Verify {
        Verify::File(self.folder.path().join("ca.pem"))
    }

    /// A server's configuration, with a certificate for a name that ends in this year.
    pub(super) fn server(&self, name: &str, ends: i32, alpn: &[&[u8]]) -> ServerConfig {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(ends, 1, 1);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let key = PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap();
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
        config
    }
}

/// A web server in TLS.
async fn serve(config: ServerConfig) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let name = stream.get_ref().1.server_name().unwrap_or("nobody").to_owned();
                let mut request = vec![0; 2048];
                let _length = stream.read(&mut request).await;
                let body = format!("asked for {name}");
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
                let _gone = stream.write_all(format!("{head}{body}").as_bytes()).await;
            });
        }
    });
    address
}

fn check(server_name: Option<&str>, verify: Verify, body: &str) -> HttpCheck {
    HttpCheck {
        http2: false,
        tls: Some(TlsCheck { server_name: server_name.map(str::to_owned), verify }),
        host: None,
        path: "/".to_owned(),
        matcher: Matcher(vec![(200, 200)]),
        body: Some(body.to_owned()),
        reports: Vec::new(),
    }
}

async fn outcome(address: SocketAddr, check: &HttpCheck) -> Outcome {
    let probe = Probe { timeout: TIMEOUT, ..probe_of(address) };
    http::probe(&probe, check, Instant::now() + TIMEOUT).await
}

#[tokio::test]
async fn certificates_are_verified_only_on_request() {
    let (authority, other) = (Authority::new("one"), Authority::new("other"));
    let name = Some("www.example.org");
    let good = serve(authority.server("www.example.org", 2090, &[])).await;
    let asked = "asked for www.example.org";
    for verify in [Verify::None, authority.verify()] {
        assert_eq!(outcome(good, &check(name, verify, asked)).await, Outcome::Success);
    }
    // Without a name, no SNI is sent, and no certificate has the address.
    let nameless = check(None, Verify::None, "asked for nobody");
    assert_eq!(outcome(good, &nameless).await, Outcome::Success);
    let wrong_name = "its certificate is for another name; set `server_name`";
    let expired = serve(authority.server("www.example.org", 2021, &[])).await;
    for (address, name, verify, detail) in [
        (good, None, authority.verify(), wrong_name),
        (good, Some("www.example.com"), authority.verify(), wrong_name),
        (good, name, other.verify(), "its certificate is from a CA that `verify` does not trust"),
        (expired, name, authority.verify(), "its certificate has expired"),
    ] {
        assert_eq!(outcome(address, &check(name, verify, "")).await, Outcome::failed(detail));
    }
    let blind = check(name, Verify::None, asked);
    assert_eq!(outcome(expired, &blind).await, Outcome::Success, "nobody looks");
}

#[tokio::test]
async fn the_body_must_have_the_text() {
    let authority = Authority::new("one");
    let address = serve(authority.server("a.example", 2090, &[])).await;
    let seen = outcome(address, &check(Some("a.example"), Verify::None, "ready")).await;
    assert_eq!(
        seen,
        Outcome::failed(
            "status 200, but \"ready\" is not in the body, which begins \"asked for a.example\""
        )
    );
}

#[tokio::test]
async fn a_server_without_tls_and_one_that_stalls() {
    let plain = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = plain.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = plain.accept().await {
            let _gone = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
    });
    let tls = check(None, Verify::None, "x");
    assert_eq!(outcome(address, &tls).await, Outcome::failed("the answer is not TLS"));
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap();
    let begun = Instant::now();
    let seen = outcome(address, &tls).await;
    assert_eq!(seen, Outcome::timeout("connected, but the TLS handshake does not end"));
    assert!(begun.elapsed() < TIMEOUT * 2);
    let closing = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = closing.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = closing.accept().await {
            let mut hello = [0; 64];
            let _some = stream.read(&mut hello).await;
        }
    });
    let Outcome::Failure { detail, .. } = outcome(address, &tls).await else {
        panic!("a success");
    };
    let ends = ["connection closed during the TLS handshake", "connection reset by the target"];
    assert!(ends.contains(&detail.as_str()), "{detail}");
}

#[test]
fn files_of_authorities_are_read_or_refused() {
    let authority = Authority::new("one");
    let good = authority.folder.path().join("ca.pem");
    assert_eq!(super::tls::authorities(&good).unwrap().len(), 1);
    let empty = authority.folder.path().join("empty.pem");
    fs::write(&empty, "no certificate\n").unwrap();
    let shown = empty.display().to_string();
    assert_eq!(
        super::tls::authorities(&empty).unwrap_err(),
        format!("{shown} has no certificate (PEM)")
    );
    let missing = authority.folder.path().join("missing.pem");
    assert!(super::tls::authorities(&missing).unwrap_err().starts_with("cannot read "));
}

/// A server of OpenSSL, which uses certificates that others refuse; killed when it is dropped.
struct OddServer(std::process::Child);

impl Drop for OddServer {
    fn drop(&mut self) {
        let _ended = self.0.kill().and_then(|()| self.0.wait());
    }
}

impl OddServer {
    /// With a new key and a certificate that a shell command makes of `key.pem` as `cert.pem`.
    fn start(
        folder: &std::path::Path,
        key: &str,
        certificate: &str,
        version: &str,
    ) -> (Self, SocketAddr) {
        use std::process::{Command, Stdio};

        let script = format!("openssl genrsa -out key.pem {key} && {certificate}");
        let made = Command::new("sh").args(["-ec", &script]).current_dir(folder).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        // A port that is free now.
        let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let server = Command::new("openssl")
            .args([
                "s_server",
                "-accept",
                &address.to_string(),
                "-key",
                "key.pem",
                "-cert",
                "cert.pem",
            ])
            .args(["-www", "-cipher", "DEFAULT@SECLEVEL=0", version])
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        (Self(server), address)
    }
}

#[tokio::test]
async fn odd_certificates_are_no_matter_unless_they_are_verified() {
    let sign = "openssl req -x509 -key key.pem -subj /CN=odd -days 3 -out cert.pem";
    let version_1 = "openssl req -new -key key.pem -subj /CN=odd -out csr.pem && \
                     openssl x509 -req -in csr.pem -signkey key.pem -days 3 -out cert.pem";
    let critical = format!("{sign} -addext 1.2.3.4=critical,ASN1:UTF8:x");
    let sha1 = format!("{sign} -sha1");
    for (key, certificate) in
        [("2048", version_1), ("1024", sign), ("2048", critical.as_str()), ("1024", sha1.as_str())]
    {
        for version in ["-tls1_2", "-tls1_3"] {
            let folder = tempfile::tempdir().unwrap();
            let (_server, address) = OddServer::start(folder.path(), key, certificate, version);
            let blind = check(Some("odd"), Verify::None, "s_server");
            let mut seen = outcome(address, &blind).await;
            for _ in 0..100 {
                if seen != Outcome::failed("connection refused") {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
                seen = outcome(address, &blind).await;
            }
            assert_eq!(seen, Outcome::Success, "{certificate} {version}");
            // The certificate is read when it is to be verified, and found wanting.
            let strict = check(Some("odd"), Verify::System, "s_server");
            let seen = outcome(address, &strict).await;
            assert_ne!(seen, Outcome::Success, "{certificate} {version}");
        }
    }
}
