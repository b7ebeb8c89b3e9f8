//! The loop: wake, query the kernel for possible changes, resolve, send updates.
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
/// Everything is queried again this often, as a safety net.
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

/// Inputs of the resolver.
#[derive(Clone, Debug, Default)]
struct Wanted {
    /// Targets whose next hops are followed; `None` before the first update.
    addresses: Option<BTreeSet<IpAddr>>,
    ingress: Ingress,
}

impl Resolver {
    /// Starts to follow next hops in the network namespace of the calling thread, and sends what it
    /// finds: always for all watched addresses, and only after a change. It must be called inside a
    /// tokio runtime that has I/O and time enabled.
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
            refresher: NeighbourRefresher::default(),
            last_sent: None,
            stale: Stale::everything(),
            resync_at: Instant::now(),
            refresh_at: None,
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

    /// The interfaces with the program: a route by an interface that cannot send redirected packets
    /// is unusable.
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

/// What has to be queried again.
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
    refresher: NeighbourRefresher,
    /// What was sent last.
    last_sent: Option<BTreeMap<IpAddr, NextHopState>>,
    stale: Stale,
    resync_at: Instant,
    /// When the next round is due, if one is.
    refresh_at: Option<Instant>,
    /// When a neighbour is to be resolved again.
    retry_at: Option<Instant>,
    /// Known routes are not queried again before.
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
                // In this order, so that a stream of events cannot delay the round.
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
                    self.schedule_refresh();
                }
            }
        }
    }

    fn wake_at(&self) -> Instant {
        [self.refresh_at, self.retry_at].into_iter().flatten().fold(self.resync_at, Instant::min)
    }

    fn watch(&mut self, wishes: Wanted) {
        let addresses = wishes.addresses.unwrap_or_default();
        self.network.ingress = wishes.ingress;
        self.network.routes.retain(|address, _| addresses.contains(address));
        self.addresses = addresses;
        self.refresh_at = Some(Instant::now());
    }

    fn absorb(&mut self, events: Vec<Event>) {
        let mut relevant = false;
        for event in events {
            relevant |= self.absorb_one(event);
        }
        if relevant {
            self.schedule_refresh();
        }
    }

    fn schedule_refresh(&mut self) {
        let at = Instant::now() + BURST;
        // The first event of a burst counts, so that an endless burst does not delay it.
        self.refresh_at = Some(self.refresh_at.map_or(at, |earlier| earlier.min(at)));
    }

    /// Processes one event; returns whether a next hop may have changed.
    fn absorb_one(&mut self, event: Event) -> bool {
        match event {
            Event::Link(index, link) => {
                let before = match &link {
                    Some(link) => self.network.links.insert(index, link.clone()),
                    None => self.network.links.remove(&index),
                };
                let changed = before != link;
                // An interface that goes down removes IPv4 routes without events for them.
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
                before != neighbour && self.refresher.wants(key)
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
                tracing::debug!("netlink events were lost: everything is queried again");
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
        self.refresh_at = Some(Instant::now());
    }

    /// Queries, resolves and sends updates. Returns whether to continue.
    async fn round(&mut self) -> bool {
        let start = Instant::now();
        self.refresh_at = None;
        self.retry_at = None;
        if start >= self.resync_at {
            self.stale = Stale::everything();
            self.resync_at = start + RESYNC;
        }
        if let Err(error) = self.refresh(start).await {
            self.stale = Stale::everything();
            // A table that changed during the read is not an error: it is read again.
            let changed = error.raw_os_error() == Some(libc::EINTR);
            let pause = if changed { BURST } else { RETRY };
            self.refresh_at = Some(Instant::now() + pause);
            if !changed {
                tracing::warn!(%error, "cannot get routes and neighbours from the kernel: will \
                                        retry");
            }
            return true;
        }
        self.retry_at = self.refresher.next_due(&self.network.neighbours, Instant::now());
        self.send_if_changed()
    }

    /// Updates `network` and requests its neighbours.
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
            self.refresh_at = Some(self.rest_until);
        }
        self.stale.all_routes = false;
        self.stale.routes = waiting.into_iter().collect();
        asked
    }

    /// Requests the neighbours that targets depend on, if that is due.
    async fn keep_neighbours(&mut self) -> io::Result<()> {
        let wanted = self
            .addresses
            .iter()
            .filter_map(|address| resolve::neighbour_of(*address, &self.network))
            .collect();
        let released = self.refresher.want(&wanted, &self.network.neighbours);
        self.requests.release(&released);
        let due = self.refresher.due(&self.network.neighbours, Instant::now());
        let refusals = self.requests.keep(&due).await?;
        let mut news = due
            .iter()
            .zip(refusals)
            .filter(|(ask, refusal)| self.refresher.answered(ask.key, *refusal))
            .filter_map(|(ask, refusal)| Some((ask.key, refusal?)));
        if let Some(((interface, neighbour), errno)) = news.next() {
            // One line, even if the table is full for a thousand.
            let others = news.count();
            let error = io::Error::from_raw_os_error(errno);
            tracing::warn!(%neighbour, interface, %error, others, "the kernel refuses to resolve");
        }
        Ok(())
    }

    /// Sends the map if it differs; false if the receiver was dropped.
    fn send_if_changed(&mut self) -> bool {
        let states: BTreeMap<IpAddr, NextHopState> = self
            .addresses
            .iter()
            .map(|address| {
                let state =
                    resolve::resolve(*address, &self.network, |key| self.refresher.refusal(key));
                (*address, state)
            })
            .collect();
        if self.last_sent.as_ref() == Some(&states) {
            return true;
        }
        let heard = self.updates.send(states.clone()).is_ok();
        self.last_sent = Some(states);
        heard
    }
}

/// Waits for an event; for ever if there are no events.
async fn changed_features(events: &mut Option<NetdevEvents>) {
    match events {
        Some(events) => events.next().await,
        None => std::future::pending().await,
    }
}

impl Drop for Watcher {
    /// Also when the task is aborted or its runtime ends.
    fn drop(&mut self) {
        let ours = self.refresher.ours(&self.network.neighbours);
        self.requests.release(&ours);
    }
}
