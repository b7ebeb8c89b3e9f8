//! Certificates and tokens that are replaced while the server runs.

use std::time::Duration;

use nix::sys::signal::{Signal, raise};
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _},
    time::{sleep, timeout},
};

use super::{
    fake::{Answer, Fake, PATIENCE, ROOMY, Response, exchange_over, request},
    pki::{Pki, write_private},
};
use crate::access::{Role, Token};

/// The certificate of the server, and whether it accepts a token.
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

    // A signal is for the whole process, hence it is sent here and not in a separate test.
    write_private(&pki.path("tokens"), &format!("old read {}", old.digest()));
    raise(Signal::SIGHUP).unwrap();
    let read = async {
        while look(&pki, &fake, &old).await.1 != 200 {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, read).await.expect("SIGHUP reads them again");

    // Removing the last line revokes all access; the old lines must not stay in force.
    write_private(&pki.path("tokens"), "# nobody\n");
    pki.authority.reload().unwrap();
    assert_eq!(look(&pki, &fake, &old).await.1, 401);
    assert_eq!(look(&pki, &fake, &new).await.1, 401);
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

/// Reads until the text has come, or the end.
async fn read_until(stream: &mut (impl AsyncRead + Unpin), wanted: &str) -> String {
    let mut read = Vec::new();
    let all = async {
        while !String::from_utf8_lossy(&read).contains(wanted) {
            if stream.read_buf(&mut read).await.unwrap() == 0 {
                break;
            }
        }
    };
    timeout(PATIENCE, all).await.unwrap_or_else(|_| panic!("{wanted:?} does not come"));
    String::from_utf8_lossy(&read).into_owned()
}

#[tokio::test]
async fn a_stream_ends_when_its_credential_is_revoked() {
    let pki = Pki::new();
    let fake = Fake::start_for(ROOMY, Answer::Done, &pki.access());
    let server = fake.remote.unwrap();
    let mut streams = Vec::new();
    let (stays, leaves) = (pki.bearer(Role::Read), pki.bearer(Role::Operate));
    let pair = pki.certificate(Role::Read);
    for (header, pair) in [(&stays, None), (&leaves, None), (&String::new(), Some(&pair))] {
        let mut stream = pki.connect(server, pair).await.unwrap();
        let sent = format!("GET /v1/watch HTTP/1.1\r\nhost: xelb\r\n{header}\r\n");
        stream.write_all(sent.as_bytes()).await.unwrap();
        read_until(&mut stream, "event: state").await;
        streams.push(stream);
    }
    // Files that stay as they are end nothing.
    pki.authority.reload().unwrap();
    fake.snapshots.send_modify(|now| std::sync::Arc::make_mut(now).applied_count = 7);
    for stream in &mut streams {
        read_until(stream, "\"applied_count\":7").await;
    }
    // The remaining client gets another role, which does not end its stream.
    let line = format!("other configure {}", pki.token(Role::Read).digest());
    write_private(&pki.path("tokens"), &line);
    let begun = std::time::Instant::now();
    pki.authority.reload().unwrap();
    for stream in &mut streams[1..] {
        // The last chunk of the body, so that clients need not wait for a timeout of the
        // connection.
        let rest = read_until(stream, "0\r\n\r\n").await;
        assert!(rest.ends_with("0\r\n\r\n"), "{rest}");
    }
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    fake.snapshots.send_modify(|now| std::sync::Arc::make_mut(now).applied_count = 8);
    read_until(&mut streams[0], "\"applied_count\":8").await;
}
