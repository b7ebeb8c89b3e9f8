//! Server-sent events: what comes, when, and for how many.

use std::{sync::Arc, time::Duration};

use lb_agent::Event;
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    net::{UnixStream, unix::OwnedReadHalf},
    time::{sleep, timeout},
};

use super::fake::{Answer, Fake, PATIENCE, ROOMY};
use crate::{StateView, listener_sockets::Limits};

/// A client that watches.
struct WatchingClient {
    lines: Lines<BufReader<OwnedReadHalf>>,
    writer: tokio::net::unix::OwnedWriteHalf,
}

impl WatchingClient {
    async fn open(fake: &Fake, header: &str) -> Self {
        let (reader, mut writer) = UnixStream::connect(&fake.socket).await.unwrap().into_split();
        let head = format!("GET /v1/watch HTTP/1.1\r\nhost: xelb\r\n{header}\r\n");
        writer.write_all(head.as_bytes()).await.unwrap();
        Self { lines: BufReader::new(reader).lines(), writer }
    }

    async fn line(&mut self) -> String {
        let line = timeout(PATIENCE, self.lines.next_line()).await.expect("it comes");
        line.unwrap().expect("the stream goes on")
    }

    /// The next message: its name, its number and its content.
    async fn next(&mut self) -> (String, Option<u64>, Value) {
        let (mut name, mut number) = (String::new(), None);
        loop {
            let line = self.line().await;
            if let Some(text) = line.strip_prefix("event: ") {
                text.clone_into(&mut name);
            } else if let Some(text) = line.strip_prefix("id: ") {
                number = text.parse().ok();
            } else if let Some(text) = line.strip_prefix("data: ") {
                let content = serde_json::from_str(text).unwrap();
                // The number may come after the content.
                while let line = self.line().await
                    && !line.is_empty()
                {
                    if let Some(text) = line.strip_prefix("id: ") {
                        number = text.parse().ok();
                    } else if let Some(text) = line.strip_prefix("event: ") {
                        text.clone_into(&mut name);
                    }
                }
                return (name, number, content);
            }
        }
    }
}

fn event(group: &str) -> impl Iterator<Item = Event> {
    std::iter::once(Event { group: group.to_owned(), ..Event::default() })
}

#[tokio::test]
async fn states_and_events_come_when_they_happen() {
    let fake = Fake::start(Answer::Done);
    fake.events.add(event("old"));
    let mut eyes = WatchingClient::open(&fake, "").await;
    let (name, number, content) = eyes.next().await;
    assert_eq!((name.as_str(), number), ("state", None));
    let state: StateView = serde_json::from_value(content).unwrap();
    assert_eq!((state.targets, state.healthy), (3, 3));
    // Earlier events are not sent, nor a state without changes.
    fake.snapshots.send_modify(|now| Arc::make_mut(now).pid = 43);
    fake.events.add(event("web"));
    let (name, number, content) = eyes.next().await;
    assert_eq!((name.as_str(), number), ("event", Some(2)));
    assert_eq!(content["group"], "web");
    fake.snapshots.send_modify(|now| Arc::make_mut(now).applied_count = 7);
    let (name, _, content) = eyes.next().await;
    assert_eq!((name.as_str(), &content["applied_count"]), ("state", &Value::from(7)));

    // An interrupted stream resumes where it ended.
    let mut again = WatchingClient::open(&fake, "last-event-id: 0\r\n").await;
    assert_eq!(again.next().await.1, Some(1));
    assert_eq!(again.next().await.1, Some(2));
    assert_eq!(again.next().await.0, "state");
    // A number that has no next one is that of no event.
    let last = format!("last-event-id: {}\r\n", u64::MAX);
    assert_eq!(WatchingClient::open(&fake, &last).await.next().await.0, "state");
    let wrong = WatchingClient::open(&fake, "last-event-id: x\r\n").await.line().await;
    assert_eq!(wrong, "HTTP/1.1 400 Bad Request");
}

#[tokio::test]
async fn a_watcher_stays_longer_than_others_but_not_for_ever() {
    let soon = Duration::from_millis(300);
    let limits = Limits { connection_timeout: soon, watch_timeout: 4 * soon, ..ROOMY };
    let fake = Fake::start_within(limits, Answer::Done);
    let mut eyes = WatchingClient::open(&fake, "").await;
    eyes.next().await;
    sleep(2 * soon).await;
    fake.events.add(event("web"));
    assert_eq!(eyes.next().await.0, "event");
    let end = timeout(PATIENCE, async { while let Ok(Some(_)) = eyes.lines.next_line().await {} });
    end.await.expect("the connection is closed");
}

#[tokio::test]
async fn watchers_are_bounded() {
    let fake = Fake::start_within(Limits { connections_max: 40, ..ROOMY }, Answer::Done);
    let mut watchers = Vec::new();
    for _ in 0..16 {
        let mut eyes = WatchingClient::open(&fake, "").await;
        assert_eq!(eyes.line().await, "HTTP/1.1 200 OK");
        watchers.push(eyes);
    }
    let refused = WatchingClient::open(&fake, "").await.line().await;
    assert_eq!(refused, "HTTP/1.1 503 Service Unavailable");
    assert_eq!(fake.client().status().await.unwrap().pid, 42);
    // A slot is free again when a client disconnects.
    let gone = watchers.pop().unwrap();
    drop((gone.lines, gone.writer));
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while WatchingClient::open(&fake, "").await.line().await != "HTTP/1.1 200 OK" {
        assert!(tokio::time::Instant::now() < deadline, "no place is free");
        fake.events.add(event("web"));
        sleep(Duration::from_millis(20)).await;
    }
}
