//! The listener as Prometheus sees it.

use std::sync::Arc;

use lb_agent::{AgentHandle, Snapshot};
use lb_dataplane::StatsSource;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::{mpsc, watch},
    task::JoinHandle,
    time::{Duration, timeout},
};

use super::snapshot;
use crate::{
    bind,
    server::{AgentScrape, Limits, serve_within},
};

/// No test waits longer for anything.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// Limits that no test of an honest client runs into.
pub(super) const ROOMY: Limits =
    Limits { connections_max: 8, head_timeout: PATIENCE, connection_timeout: PATIENCE };

/// A listener with an agent that is played behind it; there are no maps.
pub(super) struct Fake {
    pub(super) address: std::net::SocketAddr,
    snapshots: watch::Sender<Arc<Snapshot>>,
    server: JoinHandle<()>,
    folder: tempfile::TempDir,
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Fake {
    pub(super) fn start(limits: Limits, at: &str) -> Self {
        let listener = bind(at.parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        let (ask, _) = mpsc::channel(1);
        let (snapshots, snapshot) = watch::channel(Arc::new(snapshot()));
        let folder = tempfile::tempdir().unwrap();
        let stats = StatsSource::new(&folder.path().join("bpffs"));
        let handle = AgentHandle::new(ask, snapshot, Arc::default());
        let server =
            tokio::spawn(serve_within(limits, listener, AgentScrape { agent: handle, stats }));
        Self { address, snapshots, server, folder }
    }

    pub(super) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends bytes, and reads all that comes until the listener closes the connection.
    pub(super) async fn exchange(&self, sent: &[u8]) -> String {
        let (mut reader, mut writer) = self.connect().await.into_split();
        let mut answer = Vec::new();
        let read = async {
            let mut buffer = [0; 4096];
            // A listener that does not want all of it closes early, which may look like a reset.
            while let Ok(length @ 1..) = reader.read(&mut buffer).await {
                answer.extend_from_slice(&buffer[..length]);
            }
        };
        let both = async { tokio::join!(read, writer.write_all(sent)) };
        let ((), _written) = timeout(PATIENCE, both).await.expect("it closes in the end");
        String::from_utf8(answer).unwrap()
    }

    pub(super) async fn scrape(&self) -> String {
        self.exchange(b"GET /metrics HTTP/1.1\r\nhost: xelb\r\n\r\n").await
    }
}

#[tokio::test]
async fn a_scrape_is_open_metrics() {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let fake = Fake::start(ROOMY, address);
        let answer = fake.scrape().await;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        let content_type =
            "content-type: application/openmetrics-text; version=1.0.0; charset=utf-8";
        assert!(head.lines().any(|line| line == content_type), "{head}");
        let length = format!("content-length: {}", body.len());
        assert!(head.lines().any(|line| line == length), "{head}");
        assert!(
            body.ends_with("# EOF\n") && body.contains("\nxelb_warnings{kind=\"fail_open\"} 2\n"),
            "{body}"
        );
        // There are interfaces, and no maps to read.
        assert!(body.contains("\nxelb_data_path_readable 0\n"), "{body}");
        assert!(!fake.folder.path().join("bpffs").exists());
    }
}

#[tokio::test]
async fn only_scrapes_are_answered() {
    let fake = Fake::start(ROOMY, "127.0.0.1:0");
    let cases = [
        ("GET / HTTP/1.1", "404"),
        ("GET /metrics/ HTTP/1.1", "404"),
        ("GET /v1/status HTTP/1.1", "404"),
        ("POST /v1/status HTTP/1.1", "404"),
        ("GET /metrics?x=1 HTTP/1.1", "200"),
        ("POST /metrics HTTP/1.1", "405"),
        ("DELETE /metrics HTTP/1.1", "405"),
        ("BREW /metrics HTTP/1.1", "405"),
        ("HEAD /metrics HTTP/1.1", "200"),
        ("GET /metrics HTTP/1.0", "200"),
    ];
    for (line, status) in cases {
        let answer = fake.exchange(format!("{line}\r\nhost: xelb\r\n\r\n").as_bytes()).await;
        let found = answer.split(' ').nth(1);
        assert_eq!(found, Some(status), "{line}: {answer}");
        assert_eq!(answer.contains("allow: GET, HEAD\r\n"), status == "405", "{line}: {answer}");
        let has_body = !answer.ends_with("\r\n\r\n");
        assert_eq!(has_body, !line.starts_with("HEAD"), "{line}: {answer}");
    }
}

#[tokio::test]
async fn one_scrape_serves_all_requests_within_a_second() {
    let fake = Fake::start(ROOMY, "127.0.0.1:0");
    let is_new = |answer: &str| answer.contains("xelb_configurations_applied_total 5\n");
    assert!(!is_new(&fake.scrape().await));
    fake.snapshots.send_replace(Arc::new(Snapshot { applied_count: 5, ..snapshot() }));
    assert!(!is_new(&fake.scrape().await), "it was made again at once");
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert!(is_new(&fake.scrape().await), "it is old");
}

#[tokio::test]
async fn an_address_in_use_is_named() {
    let fake = Fake::start(ROOMY, "127.0.0.1:0");
    let error = anyhow::Error::new(bind(fake.address).unwrap_err());
    let said = format!("{error:#}");
    assert!(said.contains(&format!("cannot listen at {}", fake.address)), "{said}");
    assert!(said.contains("--metrics") && said.contains("in use"), "{said}");
}
