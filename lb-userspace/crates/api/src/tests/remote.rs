//! Which credentials are accepted over TLS, and the errors of the others.

use std::net::SocketAddr;

use super::{
    fake::{Answer, Fake, ROOMY, Response, exchange_over, request},
    pki::{Issuer, Pair, Pki, write_private},
};
use crate::access::{AccessError, Authority, AuthorityFiles, Role, Token};

fn start(pki: &Pki) -> (Fake, SocketAddr) {
    let fake = Fake::start_for(ROOMY, Answer::Done, &pki.access());
    let server = fake.remote.unwrap();
    (fake, server)
}

async fn ask(pki: &Pki, server: SocketAddr, client: Option<&Pair>, header: &str) -> Response {
    let stream = pki.connect(server, client).await.unwrap();
    let sent = request("GET", "/v1/status", header, "");
    Response::parse(&exchange_over(stream, &sent).await)
}

#[tokio::test]
async fn a_request_without_credential_learns_nothing() {
    let pki = Pki::new();
    let (fake, server) = start(&pki);
    let wrong = Token::random().unwrap();
    let digest = pki.token(Role::Configure).digest();
    let twice = pki.bearer(Role::Read).repeat(2);
    let plain = "Bearer realm=\"xelb\"";
    let invalid = "Bearer realm=\"xelb\", error=\"invalid_token\"";
    let malformed = "Bearer realm=\"xelb\", error=\"invalid_request\"";
    for (header, challenge, says) in [
        (String::new(), plain, "no credential: send `authorization: Bearer TOKEN`"),
        (format!("authorization: Bearer {}\r\n", wrong.reveal()), invalid, "unknown token"),
        // What the file holds opens nothing.
        (format!("authorization: Bearer {digest}\r\n"), invalid, "unknown token"),
        ("authorization: Bearer\r\n".to_owned(), malformed, "is not `authorization: Bearer"),
        ("authorization: Basic cm9vdDo=\r\n".to_owned(), malformed, "is not `authorization"),
        (twice, malformed, "is not `authorization"),
    ] {
        for (method, path) in
            [("GET", "/v1/status"), ("PUT", "/v1/config"), ("GET", "/"), ("POST", "/v1/status")]
        {
            let stream = pki.connect(server, None).await.unwrap();
            let sent = request(method, path, &header, "{}");
            let answer = Response::parse(&exchange_over(stream, &sent).await);
            assert_eq!(answer.status, 401, "{method} {path} {header:?}: {answer:?}");
            assert!(answer.error().contains(says), "{header:?}: {answer:?}");
            let wanted = format!("\r\nwww-authenticate: {challenge}\r\n");
            assert!(answer.head.contains(&wanted), "{header:?}: {answer:?}");
        }
    }
    assert_eq!(fake.asked(), Vec::<String>::new());
}

#[tokio::test]
async fn a_certificate_needs_a_role_and_a_token_counts_for_more() {
    let pki = Pki::new();
    let (_fake, server) = start(&pki);
    let stranger = pki.issuer.sign("stranger", &[], 2090, pki.folder.path());
    let by_dns = pki.issuer.sign("other", &["cert-read"], 2090, pki.folder.path());
    let wildcard = pki.issuer.sign("wild", &["*.example.org"], 2090, pki.folder.path());
    let page = "origin: https://www.example.org\r\n".to_owned();
    let wrong = "authorization: Bearer xelb_0\r\n".to_owned();
    for (client, header, status, says) in [
        (&stranger, String::new(), 403, "the certificate of \"stranger\" has no role"),
        (&wildcard, String::new(), 403, "the certificate of \"wild\" has no role"),
        (&by_dns, String::new(), 200, ""),
        (&pki.certificate(Role::Read), String::new(), 200, ""),
        (&stranger, pki.bearer(Role::Read), 200, ""),
        (&pki.certificate(Role::Read), page.clone(), 403, "requests of web pages"),
        (&pki.certificate(Role::Read), page + &pki.bearer(Role::Read), 200, ""),
        (&pki.certificate(Role::Read), wrong, 401, "unknown token"),
    ] {
        let answer = ask(&pki, server, Some(client), &header).await;
        assert_eq!(answer.status, status, "{client:?} {header}: {answer:?}");
        assert!(status == 200 || answer.error().contains(says), "{answer:?}");
        assert!(answer.head.contains("www-authenticate") == (status == 401), "{answer:?}");
    }
}

#[tokio::test]
async fn certificates_that_are_not_believed_end_the_handshake() {
    let pki = Pki::new();
    let (fake, server) = start(&pki);
    let expired = pki.issuer.sign("cert-expired", &["cert-read"], 2021, pki.folder.path());
    let foreign =
        Issuer::new("issuer").sign("cert-foreign", &["cert-read"], 2090, pki.folder.path());
    for (pair, alert) in [(expired, "CertificateExpired"), (foreign, "UnknownCA")] {
        // In TLS 1.3 a client hears of it when it reads first.
        let error = match pki.connect(server, Some(&pair)).await {
            Err(error) => error,
            Ok(mut stream) => {
                use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
                let sent = request("GET", "/v1/status", "", "");
                let _broken = stream.write_all(&sent).await;
                stream.read_to_end(&mut Vec::new()).await.unwrap_err()
            }
        };
        let alerts = format!("{error:?}");
        assert!(alerts.contains(alert) || alerts.contains("DecryptError"), "{alerts}");
    }
    assert_eq!(fake.asked(), Vec::<String>::new());
}

#[tokio::test]
async fn files_that_do_not_fit_are_refused_with_what_to_do() {
    let pki = Pki::new();
    let other = Issuer::new("other").sign("other", &["localhost"], 2090, pki.folder.path());
    let good = AuthorityFiles {
        certificate: pki.path("server.crt"),
        key: pki.path("server.key"),
        client_ca: Some(pki.path("ca.pem")),
        tokens: pki.path("tokens"),
    };
    let file = |name: &str, text: &str| {
        write_private(&pki.path(name), text);
        pki.path(name)
    };
    let (empty, no_pem) = (file("empty", ""), file("no.pem", "-----BEGIN CERTIFICATE-----\nx"));
    let open = file("open.key", &std::fs::read_to_string(&good.key).unwrap());
    std::fs::set_permissions(&open, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    let bad_tokens = file("bad", "alice admin 00");
    let with = |change: &dyn Fn(&mut AuthorityFiles)| {
        let mut files = good.clone();
        change(&mut files);
        files
    };
    let cases = [
        (with(&|f| f.certificate = pki.path("missing")), "cannot read"),
        (with(&|f| f.certificate.clone_from(&empty)), "has no certificate (PEM)"),
        (with(&|f| f.certificate.clone_from(&no_pem)), "is not PEM"),
        (with(&|f| f.certificate.clone_from(&other.certificate)), "does not match its key"),
        (with(&|f| f.key.clone_from(&empty)), "has no private key (PEM)"),
        (with(&|f| f.key.clone_from(&open)), "has mode 0644"),
        (with(&|f| f.client_ca = Some(empty.clone())), "has no certificate (PEM)"),
        (with(&|f| f.client_ca = None), "add --tls-client-ca FILE"),
        (with(&|f| f.tokens.clone_from(&empty)), "the file has no lines; `xelb token NAME ROLE`"),
        (with(&|f| f.tokens.clone_from(&bad_tokens)), "line 1: `admin` is not a role"),
        (with(&|f| f.tokens = pki.folder.path().to_owned()), "is not a regular file"),
    ];
    for (files, says) in cases {
        let error: AccessError = Authority::load(files.clone()).unwrap_err();
        assert!(error.to_string().contains(says), "{files:?}: {error}");
    }
    Authority::load(good).unwrap();
}
