//! The stream of a proxy, and its reports.

use std::sync::Arc;

use lb_agent::{Feed, ProxyReport, ProxySnapshot, ProxyTarget};
use tokio::time::timeout;

use super::{
    fake::{Answer, Fake, PATIENCE, ROOMY, request},
    pki::Pki,
};
use crate::{Client, ClientError, ProxyFeed, access::Role};

fn snapshot(version: u64, digest: &str, state: &str) -> Arc<ProxySnapshot> {
    let target = ProxyTarget {
        group: "web".to_owned(),
        address: [10, 0, 0, 1].into(),
        port: 80,
        state: state.to_owned(),
    };
    let (digest, targets) = (digest.to_owned(), vec![target]);
    Arc::new(ProxySnapshot { version, digest, targets, ..ProxySnapshot::default() })
}

async fn next(feed: &mut ProxyFeed) -> Feed {
    let message = timeout(PATIENCE, feed.next()).await.expect("it comes");
    message.unwrap().expect("the stream goes on")
}

#[tokio::test]
async fn a_proxy_gets_everything_and_then_what_changes() {
    let fake = Fake::start(Answer::Done);
    let mut feed = fake.client().proxy_feed().await.unwrap();
    fake.to_proxies.send_replace(Some(snapshot(1, "a", "initial")));
    let Feed::Snapshot(all) = next(&mut feed).await else { panic!("everything comes first") };
    assert_eq!(*all, *snapshot(1, "a", "initial"));
    fake.to_proxies.send_replace(Some(snapshot(2, "a", "healthy")));
    let Feed::Change(change) = next(&mut feed).await else { panic!("a verdict is small") };
    assert_eq!((change.version, change.targets[0].state.as_str()), (2, "healthy"));
    fake.to_proxies.send_replace(Some(snapshot(3, "b", "healthy")));
    assert!(matches!(next(&mut feed).await, Feed::Snapshot(all) if all.digest == "b"));
    // Another proxy, later, gets the same at once.
    let mut other = fake.client().proxy_feed().await.unwrap();
    assert!(matches!(next(&mut other).await, Feed::Snapshot(all) if all.version == 3));
}

#[tokio::test]
async fn the_feed_is_for_proxies() {
    let pki = Pki::new();
    let fake = Fake::start_for(ROOMY, Answer::Done, &pki.access());
    let refused = Client::new(&pki.path("read.sock")).proxy_feed().await.unwrap_err();
    let said = refused.to_string();
    assert!(matches!(refused, ClientError::Refused(_)), "{said}");
    assert!(said.contains("this needs the role `proxy`"), "{said}");
    for (role, status) in [(Role::Operate, "403"), (Role::Read, "403")] {
        let stream = pki.connect(fake.remote.unwrap(), None).await.unwrap();
        let sent = request("GET", "/v1/proxies/feed", &pki.bearer(role), "");
        let answer = super::fake::exchange_over(stream, &sent).await;
        assert_eq!(&answer[9..12], status.as_bytes(), "{role}");
    }
}

#[tokio::test]
async fn reports_are_checked() {
    let fake = Fake::start(Answer::Done);
    let good = ProxyReport { name: "edge".to_owned(), ..ProxyReport::default() };
    fake.client().proxy_report(&good).await.unwrap();
    for name in ["", "a b", "x\ny", &"n".repeat(65)] {
        let report = ProxyReport { name: name.to_owned(), ..good.clone() };
        let error = fake.client().proxy_report(&report).await.unwrap_err();
        assert!(matches!(error, ClientError::Invalid(_)), "{name:?}: {error}");
    }
}
