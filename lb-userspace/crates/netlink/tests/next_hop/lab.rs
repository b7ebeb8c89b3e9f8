//! Two hosts connected by veth pairs, in their own network namespaces, and an observer of a
//! resolver inside one of them. It holds no expectations.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    net::IpAddr,
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use lb_netlink::Resolver;
use lb_plan::{NextHop, NextHopState};

use nix::sched::{CloneFlags, setns};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// The host under test and its peer; `v0` at the host is cabled to `v1` at the peer.
/// Host 10.9.0.1/16 and fd09::1/64, peer 10.9.0.2/16 and fd09::2/64.
pub(crate) struct Lab {
    host: String,
    peer: String,
}

impl Lab {
    /// Builds it. Panics with the reason where that is not possible.
    pub(crate) fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        assert!(
            nix::unistd::geteuid().is_root(),
            "this test makes network namespaces: run it as root"
        );
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("xelbnh{}x{number}", std::process::id());
        // From here on its destructor cleans up, however far this gets.
        let lab = Self { host: format!("{name}h"), peer: format!("{name}p") };
        for namespace in [&lab.host, &lab.peer] {
            ip(&format!("netns add {namespace}"));
            // Neighbour discovery has no source address before duplicate address detection is
            // over: without it, IPv6 works as soon as the cable is in, as IPv4 does.
            sysctl(namespace, "net.ipv6.conf.all.accept_dad=0");
            sysctl(namespace, "net.ipv6.conf.default.accept_dad=0");
            ip(&format!("-n {namespace} link set lo up"));
        }
        lab.cable("v0", "v1");
        lab.host("addr add 10.9.0.1/16 dev v0");
        lab.host("addr add fd09::1/64 dev v0 nodad");
        lab.peer("addr add 10.9.0.2/16 dev v1");
        lab.peer("addr add fd09::2/64 dev v1 nodad");
        lab
    }

    /// Joins host and peer by one more cable; both ends are up.
    pub(crate) fn cable(&self, at_host: &str, at_peer: &str) {
        let peer = &self.peer;
        self.host(&format!("link add {at_host} type veth peer name {at_peer} netns {peer}"));
        self.host(&format!("link set {at_host} up"));
        self.peer(&format!("link set {at_peer} up"));
    }

    /// `ip` at the host.
    pub(crate) fn host(&self, arguments: &str) -> String {
        ip(&format!("-n {} {arguments}", self.host))
    }

    /// `ip` at the peer.
    pub(crate) fn peer(&self, arguments: &str) -> String {
        ip(&format!("-n {} {arguments}", self.peer))
    }

    /// Many `ip` commands at the host, one a line.
    pub(crate) fn host_batch(&self, lines: &str) {
        let file = std::env::temp_dir().join(format!("{}.batch", self.host));
        std::fs::write(&file, lines).expect("write the batch file");
        let done = Command::new("ip").args(["-n", &self.host, "-batch"]).arg(&file).output();
        drop(std::fs::remove_file(&file));
        let done = done.expect("run ip -batch");
        assert!(done.status.success(), "ip -batch: {done:?}");
    }

    /// Sets a sysctl at the peer.
    pub(crate) fn peer_sysctl(&self, assignment: &str) {
        sysctl(&self.peer, assignment);
    }

    /// MAC and index of an interface of the host.
    pub(crate) fn host_interface(&self, name: &str) -> (u32, [u8; 6]) {
        interface(&self.host(&format!("-o link show {name}")))
    }

    /// MAC of an interface of the peer.
    pub(crate) fn peer_mac(&self, name: &str) -> [u8; 6] {
        interface(&self.peer(&format!("-o link show {name}"))).1
    }

    /// Runs a test on the host: on a separate thread that lives in its namespace.
    pub(crate) fn run<F: Future<Output = ()>>(&self, test: impl FnOnce(Observer) -> F + Send) {
        let path = format!("/run/netns/{}", self.host);
        let thread = || {
            let namespace = File::open(&path).expect("open the namespace");
            setns(namespace, CloneFlags::CLONE_NEWNET).expect("enter the namespace");
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("build a runtime");
            runtime.block_on(async {
                let observer = Observer::start();
                tokio::time::timeout(Duration::from_mins(1), test(observer))
                    .await
                    .expect("the test ends within a minute");
            });
        };
        let result = std::thread::scope(|scope| scope.spawn(thread).join());
        if let Err(panic) = result {
            std::panic::resume_unwind(panic);
        }
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        for namespace in [&self.host, &self.peer] {
            // It may not exist; a destructor must not panic.
            drop(Command::new("ip").args(["netns", "del", namespace]).output());
        }
    }
}

/// A resolver and what it said last.
pub(crate) struct Observer {
    pub(crate) resolver: Resolver,
    pub(crate) updates: UnboundedReceiver<BTreeMap<IpAddr, NextHopState>>,
    pub(crate) last: BTreeMap<IpAddr, NextHopState>,
}

impl Observer {
    fn start() -> Self {
        let (sender, updates) = unbounded_channel();
        Self {
            resolver: Resolver::start(sender).expect("start the resolver"),
            updates,
            last: BTreeMap::new(),
        }
    }

    pub(crate) fn watch(&self, addresses: &[&str]) {
        let addresses: BTreeSet<IpAddr> = addresses.iter().copied().map(address).collect();
        self.resolver.watch(addresses);
    }

    /// Waits until what is known of an address is as wanted; gives the time that took.
    pub(crate) async fn until(
        &mut self,
        text: &str,
        within: Duration,
        wanted: impl Fn(&NextHopState) -> bool,
    ) -> Duration {
        let address = address(text);
        self.until_all(within, |states| states.get(&address).is_some_and(&wanted)).await
    }

    pub(crate) async fn until_all(
        &mut self,
        within: Duration,
        wanted: impl Fn(&BTreeMap<IpAddr, NextHopState>) -> bool,
    ) -> Duration {
        let start = Instant::now();
        while !wanted(&self.last) {
            let left = within.saturating_sub(start.elapsed());
            match tokio::time::timeout(left, self.updates.recv()).await {
                Ok(Some(states)) => self.last = states,
                Ok(None) => panic!("the resolver is gone; it last said {:#?}", self.last),
                Err(elapsed) => {
                    panic!("{elapsed} after {within:?}; it last said {:#?}", self.last)
                }
            }
        }
        start.elapsed()
    }

    pub(crate) async fn until_resolved(&mut self, text: &str, within: Duration) -> NextHop {
        self.until(text, within, |state| matches!(state, NextHopState::Resolved(_))).await;
        match self.last.get(&address(text)) {
            Some(NextHopState::Resolved(hop)) => *hop,
            other => panic!("{text} was just resolved, now it is {other:?}"),
        }
    }

    pub(crate) async fn until_reason(
        &mut self,
        text: &str,
        reason: &str,
        within: Duration,
    ) -> Duration {
        let is_it = |state: &NextHopState| match state {
            NextHopState::Asking(why) | NextHopState::Unresolved(why) => why == reason,
            NextHopState::Resolved(_) => false,
        };
        self.until(text, within, is_it).await
    }

    pub(crate) async fn until_mac(
        &mut self,
        text: &str,
        mac: [u8; 6],
        within: Duration,
    ) -> Duration {
        self.until(
            text,
            within,
            |state| matches!(state, NextHopState::Resolved(hop) if hop.destination_mac == mac),
        )
        .await
    }
}

pub(crate) fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn ip(arguments: &str) -> String {
    let done = Command::new("ip")
        .args(arguments.split_whitespace())
        .output()
        .expect("run ip (Debian package iproute2)");
    assert!(done.status.success(), "ip {arguments}: {done:?}");
    String::from_utf8_lossy(&done.stdout).into_owned()
}

fn sysctl(namespace: &str, assignment: &str) {
    ip(&format!("netns exec {namespace} sysctl -qw {assignment}"));
}

/// Reads "2: v0@if3: <...> link/ether 02:..:01 brd ...".
fn interface(line: &str) -> (u32, [u8; 6]) {
    let index = line.split(':').next().and_then(|index| index.parse().ok());
    let mut words = line.split_whitespace();
    words.find(|word| *word == "link/ether");
    let mac: Vec<u8> = words
        .next()
        .into_iter()
        .flat_map(|mac| mac.split(':'))
        .map(|byte| u8::from_str_radix(byte, 16).expect("a MAC"))
        .collect();
    (index.expect("an index"), mac.try_into().expect("a MAC of six bytes"))
}
