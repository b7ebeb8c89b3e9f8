//! The resolver against a DNS server of the test's own on loopback, which answers as it is told.

mod server;

use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use lb_dns::{FollowedName, Resolver, SystemFiles};
use server::{Reply, Server};

/// Longer than any change takes.
const LONG: Duration = Duration::from_secs(10);

fn names(all: &[&str]) -> BTreeSet<Arc<str>> {
    all.iter().map(|name| Arc::from(*name)).collect()
}

/// A resolver that knows no files of the host.
fn resolver(dir: &tempfile::TempDir) -> Resolver {
    Resolver::new(SystemFiles::at(&dir.path().join("resolv.conf"), &dir.path().join("hosts")))
}

struct World {
    server: Server,
    resolver: Resolver,
    /// Its hosts file.
    dir: tempfile::TempDir,
}

impl World {
    /// Follows `web.example.org`.
    fn start(reply: Reply) -> Self {
        let server = Server::start(reply);
        let dir = tempfile::tempdir().unwrap();
        let resolver = resolver(&dir);
        resolver.follow(&names(&["web.example.org"]), &[server.address]);
        Self { server, resolver, dir }
    }

    fn web(&self) -> FollowedName {
        self.resolver.views().into_iter().find(|one| *one.name == *"web.example.org").unwrap()
    }

    fn addresses(&self) -> Vec<String> {
        self.web().life.addresses().map(|one| one.to_string()).collect()
    }

    /// Waits until its addresses are these, and whether it fails is this.
    async fn until(&self, addresses: &[&str], error: &str) {
        let end = Instant::now() + LONG;
        loop {
            let life = self.web().life;
            let fits =
                if error.is_empty() { life.error.is_empty() } else { life.error.contains(error) };
            if self.addresses() == addresses && fits {
                return;
            }
            let now = self.web();
            assert!(Instant::now() < end, "{addresses:?} {error}: {now:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

fn some(addresses: &[&str], ttl: u32) -> Reply {
    Reply::Addresses(addresses.iter().map(|one| one.parse::<IpAddr>().unwrap()).collect(), ttl)
}

#[tokio::test]
async fn answers_are_followed_as_they_change() {
    let world = World::start(some(&["10.0.0.2", "2001:db8::1", "10.0.0.1"], 0));
    world.until(&["10.0.0.1", "10.0.0.2", "2001:db8::1"], "").await;
    let asked = world.server.queries();
    world.server.answer(some(&["10.0.0.3"], 0));
    world.until(&["10.0.0.3"], "").await;
    assert!(world.server.queries() >= asked + 2, "both families");
    // 1 second is the shortest time to live.
    let begun = (Instant::now(), world.server.queries());
    tokio::time::sleep(Duration::from_millis(2500)).await;
    let more = world.server.queries() - begun.1;
    assert!((2..=6).contains(&more), "{more} queries in {:?}", begun.0.elapsed());
}

#[tokio::test]
async fn failures_keep_the_last_addresses() {
    let world = World::start(some(&["10.0.0.1"], 0));
    world.until(&["10.0.0.1"], "").await;
    for (reply, error) in [
        (Reply::Code(2), "it says SERVFAIL"),
        (Reply::Code(3), "the name does not exist (NXDOMAIN)"),
        (some(&[], 0), "the name has no addresses"),
        (Reply::Code(5), "it says REFUSED"),
    ] {
        world.server.answer(reply);
        world.until(&["10.0.0.1"], error).await;
        // The next failure comes after a second, not after eight.
        world.server.answer(some(&["10.0.0.1"], 0));
        world.until(&["10.0.0.1"], "").await;
    }
    assert!(world.web().life.failing_since.is_none());
}

#[tokio::test]
async fn silence_is_a_failure_and_the_next_server_is_asked() {
    let silent = Server::start(Reply::Silence);
    let good = Server::start(some(&["10.0.0.1"], 60));
    let dir = tempfile::tempdir().unwrap();
    let resolver = resolver(&dir);
    let begun = Instant::now();
    let both = vec![silent.address, good.address];
    resolver.first(&names(&["web.example.org"]), Some(both), LONG).await;
    let took = begun.elapsed();
    assert_eq!(resolver.addresses()["web.example.org"], [IpAddr::from([10, 0, 0, 1])]);
    assert!((Duration::from_secs(2)..Duration::from_secs(4)).contains(&took), "{took:?}");
    // A bounded wait ends while the lookup goes on.
    let begun = Instant::now();
    let wait = Duration::from_millis(200);
    resolver.first(&names(&["other.example.org"]), Some(vec![silent.address]), wait).await;
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn huge_answers_come_over_tcp_and_are_bounded() {
    let many: Vec<String> = (1..=200).rev().map(|last| format!("10.0.0.{last}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let world = World::start(some(&many, 60));
    let lowest: Vec<String> = (1..=64).map(|last| format!("10.0.0.{last}")).collect();
    let lowest: Vec<&str> = lowest.iter().map(String::as_str).collect();
    world.until(&lowest, "").await;
    assert_eq!(world.web().life.surplus(), 136);
    assert!(world.server.connections() > 0, "the answer does not fit a datagram");
}

#[tokio::test]
async fn hostile_servers_do_no_harm() {
    for reply in [Reply::Noise, Reply::Loop, Reply::Forged] {
        let world = World::start(reply.clone());
        let end = Instant::now() + LONG;
        while world.web().life.lookups == 0 {
            assert!(Instant::now() < end, "{reply:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert!(!world.web().life.error.is_empty(), "{reply:?}");
        assert!(world.addresses().is_empty(), "{reply:?}");
    }
    // A forged answer before the right one is passed over.
    let world = World::start(Reply::ForgedFirst(vec![[10, 0, 0, 1].into()]));
    world.until(&["10.0.0.1"], "").await;
}

#[tokio::test]
async fn the_hosts_file_comes_first_and_other_servers_are_asked_at_once() {
    let world = World::start(some(&["10.0.0.1"], 300));
    world.until(&["10.0.0.1"], "").await;
    let other = Server::start(some(&["10.0.0.2"], 300));
    world.resolver.follow(&names(&["web.example.org"]), &[other.address]);
    world.until(&["10.0.0.2"], "").await;
    std::fs::write(world.dir.path().join("hosts"), "10.0.0.9 web.example.org\n").unwrap();
    let back: SocketAddr = world.server.address;
    world.resolver.follow(&names(&["web.example.org"]), &[back]);
    world.until(&["10.0.0.9"], "").await;
    world.resolver.follow(&BTreeSet::new(), &[back]);
    assert!(world.resolver.views().is_empty(), "it is not followed any more");
}

#[tokio::test]
async fn known_addresses_hold_until_a_server_answers() {
    let server = Server::start(Reply::Code(2));
    let dir = tempfile::tempdir().unwrap();
    let resolver = resolver(&dir);
    resolver.restore([("web.example.org".into(), vec![[10, 0, 0, 7].into()])]);
    let begun = Instant::now();
    resolver.first(&names(&["web.example.org"]), Some(vec![server.address]), LONG).await;
    assert!(begun.elapsed() < Duration::from_secs(1), "nothing is waited for");
    resolver.follow(&names(&["web.example.org"]), &[server.address]);
    let world = World { server, resolver, dir };
    world.until(&["10.0.0.7"], "SERVFAIL").await;
    world.server.answer(some(&["10.0.0.8"], 60));
    world.until(&["10.0.0.8"], "").await;
}
