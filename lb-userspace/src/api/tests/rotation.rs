//! Certificates and tokens that are replaced while the server runs.

use std::time::Duration;

use nix::sys::signal::{Signal, raise};
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    time::{sleep, timeout},
};

use super::{
    fake::{Answer, Fake, PATIENCE, ROOMY, Response, exchange_over, request},
    pki::{Pki, write_private},
};
use crate::api::access::{Role, Token};

/// The certificate that the server shows, and whether it lets a token in.
async fn look(pki: &Pki, fake: &Fake, token: &Token) -> (CertificateDer<'static>, u16) {
    let stream = pki.connect(fake.remote.unwrap(), None).await.unwrap();
    let shown = stream.get_ref().1.peer_certificates().unwrap()[0].clone().into_owned();
    let header = format!("authorization: Bearer {}\r\n", token.reveal());
    let sent = request("GET", "/v1/listeners", &header, "");
    (shown, Response::parse(&exchange_over(stream, &sent).await).status)
}

#[tokio::test]
async fn files_are_read_again_and_bad_ones_change_nothing() {
    let pki = Pki::new();
    let fake = Fake::start_for(ROOMY, Answer::Done, &pki.access());
    let of_file = || CertificateDer::from_pem_file(pki.path("server.crt")).unwrap();
    let (old, new) = (pki.token(Role::Read).clone(), Token::random().unwrap());
    let first = of_file();
    assert_eq!(look(&pki, &fake, &old).await, (first.clone(), 200));
    assert_eq!(look(&pki, &fake, &new).await.1, 401);

    pki.issuer.sign("server", &["localhost"], 2091, pki.folder.path());
    write_private(&pki.path("tokens"), &format!("new read {}", new.digest()));
    assert_ne!(first, of_file());
    assert_eq!(look(&pki, &fake, &old).await, (first, 200), "nobody has said that they changed");
    pki.authority.reload().unwrap();
    assert_eq!(look(&pki, &fake, &old).await, (of_file(), 401));
    assert_eq!(look(&pki, &fake, &new).await, (of_file(), 200));

    write_private(&pki.path("tokens"), "new read");
    let error = pki.authority.reload().unwrap_err().to_string();
    assert!(error.contains("line 1: a line is"), "{error}");
    assert_eq!(look(&pki, &fake, &new).await, (of_file(), 200), "the old ones stay");

    // A signal is for the whole process, hence it is sent here and not in a test of its own.
    write_private(&pki.path("tokens"), &format!("old read {}", old.digest()));
    raise(Signal::SIGHUP).unwrap();
    let read = async {
        while look(&pki, &fake, &old).await.1 != 200 {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, read).await.expect("SIGHUP reads them again");
}

#[tokio::test]
async fn a_connection_outlives_neither_its_token_nor_its_certificate() {
    let pki = Pki::new();
    let fake = Fake::start_for(ROOMY, Answer::Done, &pki.access());
    let server = fake.remote.unwrap();
    let token = pki.bearer(Role::Read);
    let pair = pki.certificate(Role::Read);
    let by_token = (pki.connect(server, None).await.unwrap(), token.as_str());
    let by_certificate = (pki.connect(server, Some(&pair)).await.unwrap(), "");
    let mut open = [by_token, by_certificate];
    let line = "other read e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    for wanted in [["200", "200"], ["401", "403"]] {
        for ((stream, header), wanted) in open.iter_mut().zip(wanted) {
            let sent = format!("GET /v1/listeners HTTP/1.1\r\nhost: xelb\r\n{header}\r\n");
            stream.write_all(sent.as_bytes()).await.unwrap();
            let mut answer = [0; 4096];
            let length = stream.read(&mut answer).await.unwrap();
            let answer = String::from_utf8_lossy(&answer[..length]);
            assert_eq!(answer.split(' ').nth(1), Some(wanted), "{answer}");
        }
        write_private(&pki.path("tokens"), line);
        pki.authority.reload().unwrap();
    }
}
