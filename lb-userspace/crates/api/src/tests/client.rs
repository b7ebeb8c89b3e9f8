//! What the command line says when there is no answer, or not the wanted one.

use std::{fs, os::unix::fs::PermissionsExt as _, time::Duration};

use nix::unistd::{Uid, geteuid, setfsuid};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::UnixListener,
};

use super::fake::{Answer, Fake, PATIENCE};
use crate::{Client, ClientError, TargetAdd, Terms};

#[tokio::test]
async fn without_an_agent_the_client_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing.sock");
    let dead = folder.path().join("dead.sock");
    drop(UnixListener::bind(&dead).unwrap());
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    for path in [missing, dead, file] {
        let error = Client::new(&path).status().await.unwrap_err();
        assert!(matches!(error, ClientError::NoAgent { .. }), "{error:?}");
        let said = error.to_string();
        assert!(said.starts_with(&format!("no agent answers at {}", path.display())), "{said}");
        assert!(said.contains("is `xelb agent` running? use --socket"), "{said}");
    }
}

#[tokio::test]
async fn not_permitted() {
    let fake = Fake::start(Answer::Done);
    fs::set_permissions(&fake.socket, fs::Permissions::from_mode(0o000)).unwrap();
    // Of this thread alone; root would be permitted everything.
    let me = geteuid();
    setfsuid(Uid::from_raw(65_534));
    let answer = fake.client().status().await;
    setfsuid(me);
    let error = answer.unwrap_err();
    assert!(matches!(error, ClientError::NotPermitted { .. }), "{error:?}");
    assert!(error.to_string().contains("run as root"), "{error}");
}

#[tokio::test]
async fn no_answer_in_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("xelb.sock");
    let _silent = UnixListener::bind(&path).unwrap();
    let client = Client::new(&path).with_timeout(Duration::from_millis(50));
    let error = client.status().await.unwrap_err();
    assert!(matches!(error, ClientError::TimedOut { .. }), "{error:?}");
    assert!(error.to_string().contains("has not answered for 50ms"), "{error}");
}

#[tokio::test]
async fn answers_that_make_no_sense() {
    let plain = |status: &str, body: &str| {
        let length = body.len();
        format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n\r\n{body}")
    };
    for answer in [
        String::new(),
        "SSH-2.0-OpenSSH_9.2\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{".to_owned(),
        plain("200 OK", ""),
        plain("200 OK", "{}"),
        plain("200 OK", "[1, 2"),
        plain("404 Not Found", "<html>"),
        plain("500 Internal Server Error", "{\"message\": \"x\"}"),
        plain("200 OK", "").replace("content-length: 0", "content-length: 99999999999999"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("xelb.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let reply = answer.clone();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 4096];
            let _length = stream.read(&mut request).await.unwrap();
            stream.write_all(reply.as_bytes()).await.unwrap();
        });
        let error = Client::new(&path).with_timeout(PATIENCE).status().await.unwrap_err();
        assert!(matches!(error, ClientError::Garbled { .. }), "{answer:?}: {error:?}");
    }
}

#[tokio::test]
async fn refusals_distinguish_wrong_requests_from_failures() {
    let target = TargetAdd { address: "10.0.1.13".parse().unwrap(), port: None, weight: None };
    for (answer, invalid, said) in [
        (Answer::Invalid, true, "no such group"),
        (Answer::Failed, false, "the disk is full"),
        (Answer::Nothing, false, "the agent is stopping; try again"),
    ] {
        let fake = Fake::start(answer);
        let error = fake.client().target_add("web", &target).await.unwrap_err();
        let as_wanted = match &error {
            ClientError::Invalid(_) => invalid,
            ClientError::Failed(_) => !invalid,
            _ => false,
        };
        assert!(as_wanted, "{error:?}");
        assert_eq!(error.to_string(), said);
    }
}

#[tokio::test]
async fn a_configuration_that_is_too_large_is_refused_not_garbled() {
    let fake = Fake::start(Answer::Done);
    let document = serde_json::from_str(&format!("\"{}\"", "x".repeat(17 << 20))).unwrap();
    let error = fake.client().apply(&document, &Terms::default()).await.unwrap_err();
    assert!(matches!(&error, ClientError::Invalid(said) if said.contains("16 MiB")), "{error:?}");
}
