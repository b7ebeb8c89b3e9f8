//! The command line's client over TLS.

use std::path::PathBuf;

use super::{
    fake::{Answer, Fake, PATIENCE, ROOMY},
    pki::{Issuer, Pki, write_private},
};
use crate::Terms;
use crate::{
    Client, ClientError, TargetPatch, TlsTransport, TokenSource, Transport,
    access::{Role, Token},
};

fn transport(pki: &Pki, fake: &Fake, token: Option<TokenSource>) -> TlsTransport {
    let server = format!("https://{}", fake.remote.unwrap()).parse().unwrap();
    TlsTransport { server, ca: Some(pki.path("ca.pem")), token, identity: None }
}

fn client(transport: TlsTransport) -> Client {
    Client::by(Transport::Tls(transport)).with_timeout(PATIENCE)
}

#[tokio::test]
async fn every_credential_opens() {
    let pki = Pki::new();
    let fake = Fake::start_for(ROOMY, Answer::Done, &pki.access());
    let token = pki.token(Role::Operate);
    write_private(&pki.path("token"), &format!("{}\n", token.reveal()));
    let pair = pki.certificate(Role::Operate);
    let by_certificate = TlsTransport {
        identity: Some((pair.certificate, pair.key)),
        ..transport(&pki, &fake, None)
    };
    for transport in [
        transport(&pki, &fake, Some(TokenSource::Given(token.clone()))),
        transport(&pki, &fake, Some(TokenSource::File(pki.path("token")))),
        by_certificate,
    ] {
        let client = client(transport);
        assert_eq!(client.status().await.unwrap().pid, 42);
        let drain = TargetPatch { weight: None, drain: Some(true) };
        let address = "10.0.1.13".parse().unwrap();
        assert_eq!(
            client.target_patch("web", &address, None, &drain, &Terms::default()).await.unwrap(),
            "done"
        );
        let error = client.target_remove("web", &address, None, false, false).await.unwrap_err();
        let ClientError::Refused(said) = &error else { panic!("{error:?}") };
        assert!(said.contains("needs the role `configure`"), "{said}");
    }
    assert_eq!(fake.asked().len(), 3);
}

#[tokio::test]
async fn what_is_wrong_is_said() {
    let pki = Pki::new();
    let fake = Fake::start_for(ROOMY, Answer::Done, &pki.access());
    Issuer::new("other").write(&pki.path("other.pem"));
    let expired = pki.issuer.sign("old", &["cert-read"], 2021, pki.folder.path());
    std::fs::write(pki.path("open-token"), pki.token(Role::Read).reveal()).unwrap();
    write_private(&pki.path("odd-token"), "a\u{1}b");
    let plain = || transport(&pki, &fake, None);
    let file = |name: &str| Some(TokenSource::File(pki.path(name)));
    let nobody = {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("https://{}", socket.local_addr().unwrap()).parse().unwrap()
    };
    let given = |text: &str| Some(TokenSource::Given(Token::new(text.to_owned())));
    let identity = |pair: (PathBuf, PathBuf)| Some(pair);
    for (transport, kind, says) in [
        (plain(), "Refused", "no credential"),
        (TlsTransport { token: given("x"), ..plain() }, "Refused", "unknown token"),
        (
            TlsTransport { server: nobody, ..plain() },
            "NoServer",
            "does `xelb agent` run there with",
        ),
        (
            TlsTransport { ca: Some(pki.path("other.pem")), ..plain() },
            "Tls",
            "CA certificates to trust with --ca",
        ),
        (TlsTransport { ca: Some(pki.path("missing")), ..plain() }, "Invalid", "cannot read"),
        (TlsTransport { token: file("missing"), ..plain() }, "Invalid", "cannot read"),
        (TlsTransport { token: file("open-token"), ..plain() }, "Invalid", "has mode 0644"),
        (
            TlsTransport { token: file("odd-token"), ..plain() },
            "Invalid",
            "the token has invalid characters",
        ),
        (
            TlsTransport { identity: identity((expired.certificate, expired.key)), ..plain() },
            "Tls",
            "is the client certificate valid?",
        ),
        (
            TlsTransport {
                identity: identity((pki.path("ca.pem"), pki.path("server.key"))),
                ..plain()
            },
            "Invalid",
            "does not match its key",
        ),
    ] {
        let shown = format!("{transport:?}");
        let error = client(transport).status().await.unwrap_err();
        assert!(format!("{error:?}").starts_with(kind), "{shown}: {error:?}");
        assert!(error.to_string().contains(says), "{shown}: {error}");
    }
}

#[tokio::test]
async fn a_server_without_tls_gets_its_own_error() {
    use tokio::io::AsyncWriteExt as _;
    let pki = Pki::new();
    let fake = Fake::start_for(ROOMY, Answer::Done, &pki.access());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = format!("https://{}", listener.local_addr().unwrap()).parse().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
    });
    let error =
        client(TlsTransport { server, ..transport(&pki, &fake, None) }).status().await.unwrap_err();
    assert!(matches!(error, ClientError::Tls { .. }), "{error:?}");
}

#[test]
fn a_token_does_not_show_itself() {
    let token = Token::new("xelb_secret".to_owned());
    let transport = TlsTransport {
        server: "https://localhost:1".parse().unwrap(),
        ca: None,
        token: Some(TokenSource::Given(token)),
        identity: None,
    };
    let client = Client::by(Transport::Tls(transport));
    assert!(!format!("{client:?}").contains("secret"));
}
