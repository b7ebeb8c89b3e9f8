//! The loop: wake, ask the kernel what may be different, resolve, tell.
//!
//! It deliberately holds no rule about next hops (`resolve`) or neighbours (`neighbour_refresh`).

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    sync::{Notify, mpsc::UnboundedSender, watch},
    task::JoinHandle,
};

use super::{
    NextHopState, ResolverError,
    decode::Event,
    neighbour_refresh::NeighbourRefresher,
    netdev::{Netdev, NetdevEvents},
    netlink::{Events, Requests},
    resolve::{self, Network},
    xdp_transmit::Ingress,
};

/// How long a burst of events is gathered.
const BURST: Duration = Duration::from_millis(5);
/// A round is followed by a rest of this many times its own length, so that a host whose routes
/// never rest spends at most a fifth of one CPU here.
const REST_FACTOR: u32 = 4;
/// Everything is asked anew this often, as a safety net.
const RESYNC: Duration = Duration::from_secs(30);
/// After a failure, until the next try.
const RETRY: Duration = Duration::from_secs(1);

/// Follows the next hops of a set of addresses. Its task ends when it is dropped.
#[derive(Debug)]
pub struct Resolver {
    wishes: watch::Sender<Wanted>,
    link_changes: Arc<Notify>,
    task: JoinHandle<()>,
}

/// What the resolver is for.
#[derive(Clone, Debug, Default)]
struct Wanted {
    /// Whose next hops are followed; `None` before the first word about it.
    addresses: Option<BTreeSet<IpAddr>>,
    ingress: Ingress,
}

impl Resolver {
    /// Starts to follow next hops in the network namespace of the calling thread, and sends what
    /// it finds: always for all watched addresses, and only when something is different. It must
    /// be called inside a tokio runtime that has I/O and time enabled.
    ///
    /// Nothing is sent before the first [`Resolver::watch`].
    pub fn start(
        updates: UnboundedSender<BTreeMap<IpAddr, NextHopState>>,
    ) -> Result<Self, ResolverError> {
        // Events first: what changes after the first dump is then seen for sure.
        let events = Events::open()?;
        let requests = Requests::open()?;
        let netdev = Netdev::open().map_err(ResolverError::Socket)?;
        let netdev_events = match &netdev {
            Some(netdev) => NetdevEvents::open(netdev).map_err(ResolverError::Socket)?,
            None => None,
        };
        let (wish, wishes) = watch::channel(Wanted::default());
        let link_changes = Arc::new(Notify::new());
        let watcher = Watcher {
            link_changes: Arc::clone(&link_changes),
            requests,
            netdev,
            updates,
            addresses: BTreeSet::new(),
            network: Network::default(),
            keeper: NeighbourRefresher::default(),
            told: None,
            stale: Stale::everything(),
            resync_at: Instant::now(),
            settle_at: None,
            retry_at: None,
            rest_until: Instant::now(),
        };
        let task = tokio::spawn(watcher.run(events, netdev_events, wishes));
        Ok(Self { wishes: wish, link_changes, task })
    }

    /// Waits until an interface has come, gone or changed since this was awaited last.
    pub async fn link_change(&self) {
        self.link_changes.notified().await;
    }

    /// Replaces the set of watched addresses.
    pub fn watch(&self, addresses: BTreeSet<IpAddr>) {
        self.wishes.send_modify(|wishes| wishes.addresses = Some(addresses));
    }

    /// Where the program runs: a way by an interface that does not send what it redirects is none.
    pub fn attached(&self, ingress: Ingress) {
        self.wishes.send_if_modified(|wishes| {
            let differs = wishes.ingress != ingress;
            wishes.ingress = ingress;
            differs
        });
    }
}

impl Drop for Resolver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What has to be asked anew.
#[derive(Debug, Default)]
struct Stale {
    tables: bool,
    all_routes: bool,
    routes: BTreeSet<IpAddr>,
    takes: bool,
}

impl Stale {
    fn everything() -> Self {
        Self { tables: true, all_routes: true, routes: BTreeSet::new(), takes: true }
    }
}

struct Watcher {
    link_changes: Arc<Notify>,
    requests: Requests,
    netdev: Option<Netdev>,
    updates: UnboundedSender<BTreeMap<IpAddr, NextHopState>>,
    addresses: BTreeSet<IpAddr>,
    network: Network,
    keeper: NeighbourRefresher,
    /// What was sent last.
    told: Option<BTreeMap<IpAddr, NextHopState>>,
    stale: Stale,
    resync_at: Instant,
    /// When the next round is due, if one is.
    settle_at: Option<Instant>,
    /// When a neighbour is to be asked for again.
    retry_at: Option<Instant>,
    /// Known routes are not asked anew before.
    rest_until: Instant,
}

impl Watcher {
    async fn run(
        mut self,
        mut events: Events,
        mut netdev_events: Option<NetdevEvents>,
        mut wishes: watch::Receiver<Wanted>,
    ) {
        if wishes.wait_for(|wishes| wishes.addresses.is_some()).await.is_err() {
            return;
        }
        self.watch(wishes.borrow_and_update().clone());
        loop {
            let wake_at = self.wake_at();
            tokio::select! {
                // In this order, so that a stream of events cannot put the round off.
                biased;
                () = tokio::time::sleep_until(wake_at.into()) => {
                    if !self.round().await {
                        return;
                    }
                }
                changed = wishes.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    self.watch(wishes.borrow_and_update().clone());
                }
                batch = events.next() => match batch {
                    Ok(batch) => self.absorb(batch),
                    Err(error) => self.events_failed(&error).await,
                },
                () = changed_features(&mut netdev_events) => {
                    self.stale.takes = true;
                    self.settle_soon();
                }
            }
        }
    }

    fn wake_at(&self) -> Instant {
        [self.settle_at, self.retry_at].into_iter().flatten().fold(self.resync_at, Instant::min)
    }

    fn watch(&mut self, wishes: Wanted) {
        let addresses = wishes.addresses.unwrap_or_default();
        self.network.ingress = wishes.ingress;
        self.network.routes.retain(|address, _| addresses.contains(address));
        self.addresses = addresses;
        self.settle_at = Some(Instant::now());
    }

    fn absorb(&mut self, events: Vec<Event>) {
        let mut relevant = false;
        for event in events {
            relevant |= self.absorb_one(event);
        }
        if relevant {
            self.settle_soon();
        }
    }

    fn settle_soon(&mut self) {
        let at = Instant::now() + BURST;
        // The first event of a burst counts, so that one without end is not waited for.
        self.settle_at = Some(self.settle_at.map_or(at, |earlier| earlier.min(at)));
    }

    /// Takes one event in; says whether a next hop may be different.
    fn absorb_one(&mut self, event: Event) -> bool {
        match event {
            Event::Link(index, link) => {
                let before = match &link {
                    Some(link) => self.network.links.insert(index, link.clone()),
                    None => self.network.links.remove(&index),
                };
                let changed = before != link;
                // An interface that goes down takes IPv4 routes along without an event of theirs.
                self.stale.all_routes |= changed;
                if changed {
                    self.link_changes.notify_one();
                }
                changed
            }
            Event::Neighbour(key, neighbour) => {
                let before = match neighbour {
                    Some(neighbour) => self.network.neighbours.insert(key, neighbour),
                    None => self.network.neighbours.remove(&key),
                };
                before != neighbour && self.keeper.wants(key)
            }
            Event::Route(prefix) => {
                let before = self.stale.routes.len();
                self.stale.routes.extend(resolve::within(&self.addresses, prefix));
                self.stale.routes.len() != before
            }
            Event::Routing => {
                self.stale.all_routes = true;
                true
            }
            Event::Overrun => {
                tracing::debug!("netlink events were lost: everything is asked anew");
                self.stale = Stale::everything();
                self.link_changes.notify_one();
                true
            }
        }
    }

    async fn events_failed(&mut self, error: &io::Error) {
        tracing::warn!(%error, "cannot read netlink events: next hops may lag behind");
        self.stale = Stale::everything();
        tokio::time::sleep(RETRY).await;
        self.settle_at = Some(Instant::now());
    }

    /// Asks, resolves, tells. Says whether to go on.
    async fn round(&mut self) -> bool {
        let start = Instant::now();
        self.settle_at = None;
        self.retry_at = None;
        if start >= self.resync_at {
            self.stale = Stale::everything();
            self.resync_at = start + RESYNC;
        }
        if let Err(error) = self.refresh(start).await {
            self.stale = Stale::everything();
            // A table that changed while it was read is no fault: it is read again.
            let changed = error.raw_os_error() == Some(libc::EINTR);
            let pause = if changed { BURST } else { RETRY };
            self.settle_at = Some(Instant::now() + pause);
            if !changed {
                tracing::warn!(%error, "cannot ask the kernel for routes and neighbours: will retry");
            }
            return true;
        }
        self.retry_at = self.keeper.next_due(&self.network.neighbours, Instant::now());
        self.tell()
    }

    /// Brings `network` up to date and sees to its neighbours.
    async fn refresh(&mut self, start: Instant) -> io::Result<()> {
        if std::mem::take(&mut self.stale.tables) {
            self.network.links = self.requests.links().await?;
            self.network.neighbours = self.requests.neighbours().await?;
        }
        if std::mem::take(&mut self.stale.takes)
            && let Some(netdev) = &mut self.netdev
        {
            self.network.takes = Some(netdev.takes()?);
        }
        let asked = self.take_stale_routes(start);
        if !asked.is_empty() {
            let routes = self.requests.routes(&asked).await?;
            self.network.routes.extend(asked.into_iter().zip(routes));
            let end = Instant::now();
            self.rest_until = end + (end - start) * REST_FACTOR;
        }
        self.keep_neighbours().await
    }

    /// The addresses whose routes are to be asked now. During a rest these are only those that
    /// were never asked; the others wait for its end.
    fn take_stale_routes(&mut self, now: Instant) -> Vec<IpAddr> {
        let resting = now < self.rest_until;
        let known = &self.network.routes;
        let stale = &self.stale;
        let (asked, waiting): (Vec<IpAddr>, Vec<IpAddr>) = self
            .addresses
            .iter()
            .filter(|address| {
                stale.all_routes || stale.routes.contains(address) || !known.contains_key(address)
            })
            .partition(|address| !resting || !known.contains_key(address));
        if !waiting.is_empty() {
            self.settle_at = Some(self.rest_until);
        }
        self.stale.all_routes = false;
        self.stale.routes = waiting.into_iter().collect();
        asked
    }

    /// Asks for the neighbours that targets depend on, where that is due.
    async fn keep_neighbours(&mut self) -> io::Result<()> {
        let wanted = self
            .addresses
            .iter()
            .filter_map(|address| resolve::neighbour_of(*address, &self.network))
            .collect();
        let released = self.keeper.want(&wanted, &self.network.neighbours);
        self.requests.release(&released);
        let due = self.keeper.due(&self.network.neighbours, Instant::now());
        let refusals = self.requests.keep(&due).await?;
        let mut news = due
            .iter()
            .zip(refusals)
            .filter(|(ask, refusal)| self.keeper.answered(ask.key, *refusal))
            .filter_map(|(ask, refusal)| Some((ask.key, refusal?)));
        if let Some(((interface, neighbour), errno)) = news.next() {
            // One line, also when the table has no room for a thousand.
            let others = news.count();
            let error = io::Error::from_raw_os_error(errno);
            tracing::warn!(%neighbour, interface, %error, others, "the kernel refuses to resolve");
        }
        Ok(())
    }

    /// Sends the map if it is different; false when nobody listens any more.
    fn tell(&mut self) -> bool {
        let states: BTreeMap<IpAddr, NextHopState> = self
            .addresses
            .iter()
            .map(|address| {
                let state =
                    resolve::resolve(*address, &self.network, |key| self.keeper.refusal(key));
                (*address, state)
            })
            .collect();
        if self.told.as_ref() == Some(&states) {
            return true;
        }
        let heard = self.updates.send(states.clone()).is_ok();
        self.told = Some(states);
        heard
    }
}

/// Waits for an event; for ever where there are none.
async fn changed_features(events: &mut Option<NetdevEvents>) {
    match events {
        Some(events) => events.next().await,
        None => std::future::pending().await,
    }
}

impl Drop for Watcher {
    /// Also when the task is aborted or its runtime ends.
    fn drop(&mut self) {
        let ours = self.keeper.ours(&self.network.neighbours);
        self.requests.release(&ours);
    }
}
