//! The API over a real socket, with an agent that answers what it is told to.

use std::{
    io::{Read as _, Write as _},
    os::unix::{fs::PermissionsExt as _, net::UnixStream},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::{mpsc, oneshot, watch};

use super::{BindError, Client, ClientError, StatsView, TargetAdd, TargetPatch, bind, serve};
use crate::{
    agent::{AgentHandle, Outcome, Refusal, Request, Snapshot, TargetView},
    config::parse,
    dataplane::StatsSource,
};

struct Scene {
    _folder: TempDir,
    socket: PathBuf,
    client: Client,
    requests: mpsc::UnboundedReceiver<String>,
}

fn target(group: &str) -> TargetView {
    TargetView { group: group.to_owned(), state: "healthy".to_owned(), ..TargetView::default() }
}

/// A server whose agent refuses what concerns the groups `wrong` and `busy`.
fn scene() -> Scene {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("deep/xelb.sock");
    let listener = bind(&socket).unwrap();
    let (ask, mut asked) = mpsc::channel::<(Request, oneshot::Sender<Outcome>)>(8);
    let snapshot =
        Snapshot { pid: 7, targets: vec![target("web"), target("dns")], ..Snapshot::default() };
    let (publish, snapshots) = watch::channel(Arc::new(snapshot));
    let (seen, requests) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let _publisher = publish;
        while let Some((request, answer)) = asked.recv().await {
            let text = format!("{request:?}");
            let outcome = match &request {
                Request::Apply(_) => Ok("revision 1".to_owned()),
                _ if text.contains("\"wrong\"") => {
                    Err(Refusal::Invalid("no such group".to_owned()))
                }
                _ if text.contains("\"busy\"") => Err(Refusal::Failed("try later".to_owned())),
                _ => Ok("done".to_owned()),
            };
            seen.send(text).unwrap();
            answer.send(outcome).unwrap();
        }
    });
    let handle = AgentHandle::new(ask, snapshots);
    let stats = StatsSource::new(Path::new("/nonexistent"));
    tokio::spawn(serve(listener, handle, stats, std::future::pending()));
    Scene { client: Client::new(&socket), socket, requests, _folder: folder }
}

/// Status and body of a raw request.
async fn raw(socket: &Path, request: &str) -> (u16, Value) {
    let (socket, request) = (socket.to_path_buf(), request.to_owned());
    tokio::task::spawn_blocking(move || {
        let mut stream = UnixStream::connect(socket).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        // A server that still waits for a body has answered, but does not close.
        let _closed = stream.read_to_string(&mut answer);
        let status = answer.split(' ').nth(1).unwrap_or("0").parse().unwrap();
        let body = answer.split("\r\n\r\n").nth(1).unwrap_or_default();
        (status, serde_json::from_str(body).unwrap_or(Value::Null))
    })
    .await
    .unwrap()
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
}

fn with_body(method: &str, path: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: \
         {length}\r\n\r\n{body}"
    )
}

#[tokio::test]
async fn every_change_reaches_the_agent() {
    let mut scene = scene();
    let address = "10.0.1.13".parse().unwrap();
    let add = TargetAdd { address, port: Some(81), weight: None };
    let patch = |weight, drain| TargetPatch { weight, drain };
    let client = &scene.client;
    assert_eq!(client.target_add("web", &add).await.unwrap(), "done");
    client.target_remove("web", address, None).await.unwrap();
    client.target_patch("web", address, Some(81), &patch(Some(7), None)).await.unwrap();
    client.target_patch("web", address, None, &patch(None, Some(true))).await.unwrap();
    let document = parse("interfaces: [eth0]", "").unwrap().0;
    assert_eq!(client.apply(&document).await.unwrap(), "revision 1");
    for expected in [
        "TargetAdd { group: \"web\", address: 10.0.1.13, port: Some(81), weight: None }",
        "TargetRemove { group: \"web\", address: 10.0.1.13, port: None }",
        "TargetWeight { group: \"web\", address: 10.0.1.13, port: Some(81), weight: 7 }",
        "TargetDrain { group: \"web\", address: 10.0.1.13, port: None, drain: true }",
    ] {
        assert_eq!(scene.requests.recv().await.unwrap(), expected);
    }
}

#[tokio::test]
async fn what_is_asked_for_is_answered() {
    let scene = scene();
    assert_eq!(scene.client.status().await.unwrap().pid, 7);
    // No interface is attached: nothing has been counted.
    assert_eq!(scene.client.stats().await.unwrap(), StatsView::default());
    let (status, targets) = raw(&scene.socket, &get("/v1/targets?group=dns")).await;
    assert_eq!((status, targets.as_array().map(Vec::len)), (200, Some(1)));
    for path in ["/v1/listeners", "/v1/target-groups", "/v1/targets"] {
        let (status, body) = raw(&scene.socket, &get(path)).await;
        assert!(status == 200 && body.is_array(), "{path}: {status} {body}");
    }
}

#[tokio::test]
async fn refusals_have_their_status() {
    let scene = scene();
    let address = "10.0.1.13".parse().unwrap();
    let refused = |group| scene.client.target_remove(group, address, None);
    let error = refused("wrong").await.unwrap_err();
    assert!(matches!(&error, ClientError::Invalid(text) if text == "no such group"), "{error}");
    let error = refused("busy").await.unwrap_err();
    assert!(matches!(&error, ClientError::Failed(text) if text == "try later"), "{error}");
    let path = "/v1/target-groups/web/targets";
    let target = "/v1/target-groups/web/targets/10.0.1.13";
    for (request, expected, part) in [
        (get("/v2/status"), 404, "there is nothing at /v2/status"),
        (with_body("POST", path, "{"), 400, "the body is wrong"),
        (with_body("POST", path, r#"{"address": "x"}"#), 400, "the body is wrong"),
        (with_body("POST", path, r#"{"address": "10.0.0.1", "wait": 1}"#), 400, "unknown field"),
        (with_body("PATCH", target, "{}"), 400, "give either `weight` or `drain`"),
        (with_body("PUT", "/v1/config", "nonsense"), 400, "the body is wrong"),
    ] {
        let (status, body) = raw(&scene.socket, &request).await;
        let error = body["error"].as_str().unwrap_or_default();
        assert!(status == expected && error.contains(part), "{request}: {status} {body}");
    }
    let (status, _) = raw(&scene.socket, &with_body("DELETE", "/v1/status", "")).await;
    assert_eq!(status, 405);
}

#[tokio::test]
async fn hostile_clients_do_not_stop_others() {
    let scene = scene();
    let silent: Vec<UnixStream> =
        (0..40).map(|_| UnixStream::connect(&scene.socket).unwrap()).collect();
    let mut garbage = UnixStream::connect(&scene.socket).unwrap();
    garbage.write_all(&[0xff; 4096]).unwrap();
    let huge = "POST /v1/target-groups/web/targets HTTP/1.1\r\nhost: x\r\nconnection: \
                close\r\ncontent-length: 99999999999\r\n\r\n";
    let (status, _) = raw(&scene.socket, huge).await;
    assert_eq!(status, 413);
    assert_eq!(scene.client.status().await.unwrap().pid, 7);
    drop(silent);
}

#[tokio::test]
async fn nobody_at_the_socket_is_said_with_what_to_do() {
    let client = Client::new(Path::new("/nonexistent/xelb.sock"));
    let error = client.status().await.unwrap_err().to_string();
    assert_eq!(
        error,
        "no agent answers at /nonexistent/xelb.sock (No such file or directory (os error 2)); is \
         `xelb agent` running? --socket names another place"
    );
}

#[tokio::test]
async fn a_socket_has_one_agent_and_no_leftovers() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("xelb.sock");
    let listener = bind(&path).unwrap();
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o660);
    assert!(matches!(bind(&path), Err(BindError::InUse { .. })));
    // What an agent that was killed leaves behind.
    drop(listener);
    let _listener = bind(&path).unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "not a socket").unwrap();
    assert!(matches!(bind(&file), Err(BindError::Io { .. })));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "not a socket");
}

/// Field by field: what is read and written again is the same.
fn check<T: serde::de::DeserializeOwned + serde::Serialize>(text: &str) {
    let given: Value = serde_json::from_str(text).unwrap();
    let read: T = serde_json::from_value(given.clone()).unwrap();
    assert_eq!(serde_json::to_value(read).unwrap(), given);
}

#[test]
fn the_examples_of_the_documentation_are_answers() {
    let page = include_str!("../../../docs/cli.md");
    let blocks: Vec<&str> = page
        .split("```json\n")
        .skip(1)
        .map(|block| block.split("```").next().unwrap_or_default())
        .collect();
    let [listeners, groups, targets, stats, snapshot] = blocks.as_slice() else {
        panic!("{} examples", blocks.len());
    };
    check::<Vec<crate::agent::ListenerView>>(listeners);
    check::<Vec<crate::agent::TargetGroupView>>(groups);
    check::<Vec<TargetView>>(targets);
    check::<StatsView>(stats);
    check::<Snapshot>(snapshot);
}
