//! The main loop: every change (configuration, health, next hops, a request, a failed write) wakes
//! it, and it updates the maps accordingly.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use lb_config::Config;
use lb_dataplane::StatsSource;
use lb_health::{HealthEvent, NetworkProber, Scheduler, TunnelProber, TunnelSetup};
use lb_names::{Expansion, expansion::has_names};
use lb_netlink::Resolver;
use lb_plan::{NextHops, Plan};
use lb_scaling::Scaling;
use tokio::{
    sync::{mpsc, watch},
    time::{self, MissedTickBehavior},
};

use super::{
    AgentHandle, AgentOptions, Ask, EventLog, Frontend, Refusal, Snapshot,
    actor::Actor,
    api_thread::ApiThread,
    balancer::{Balancer, Prepared, Reconciled},
    certificates::Certificates,
    change_lines::ChangeLines,
    config_file,
    counter_ages::CounterAges,
    event_hooks::EventHooks,
    exhaustion::Exhaustion,
    file_reading::FileReading,
    host::{OwnLimits, seconds_since_1970},
    kernel_log,
    macs::MacFollower,
    names::known::Names,
    nat_return_path::HostWatch,
    proxies::{Proxies, Publisher},
    readiness::Readiness,
    request::failed,
    signals::Signals,
    source::{self, FileWatch, SETTLE, Source},
    start_lines,
    vip_routes::VipRoutes,
    warning_log::WarningLog,
    watchers::Watchers,
};

/// How often the maps are read back and compared with the plan.
const VERIFY_INTERVAL: Duration = Duration::from_secs(30);

/// How often the state for `status` is updated without an event.
const REFRESH_INTERVAL: Duration = Duration::from_secs(1);

/// Waits between attempts after a failed write: from this, doubling, up to [`RETRY_MAX`].
const RETRY_MIN: Duration = Duration::from_millis(50);
const RETRY_MAX: Duration = Duration::from_secs(5);

/// Runs an agent until SIGTERM or SIGINT. The data path continues afterwards. `open` opens the
/// sockets of API and metrics within their runtime, so that an address in use is reported before
/// anything is loaded.
pub async fn run<F: Frontend>(
    options: AgentOptions,
    open: impl FnOnce() -> Result<F>,
) -> Result<()> {
    let mut agent = Agent::start(options, open).await?;
    let mut readiness = Readiness::from_environment();
    let outcome = agent.serve(&mut readiness).await;
    readiness.stopping();
    tracing::info!("stopped; the data path continues to forward (`xelb detach` removes it)");
    outcome
}

pub(super) struct Agent {
    pub(super) options: AgentOptions,
    pub(super) source: Source,
    /// `None` until there is a configuration.
    pub(super) balancer: Option<Balancer>,
    pub(super) scheduler: Scheduler,
    pub(super) tunnel: TunnelSetup,
    pub(super) resolver: Resolver,
    pub(super) macs: MacFollower,
    health_events: mpsc::UnboundedReceiver<HealthEvent>,
    next_hops: mpsc::UnboundedReceiver<NextHops>,
    requests: mpsc::Receiver<Ask>,
    pub(super) snapshots: watch::Sender<Arc<Snapshot>>,
    watchers: Watchers,
    pub(super) started_at: u64,
    pub(super) applied_count: u64,
    pub(super) last_error: String,
    pub(super) stats: StatsSource,
    pub(super) exhaustion: Exhaustion,
    pub(super) counter_ages: CounterAges,
    pub(super) host_watch: HostWatch,
    pub(super) warning_log: WarningLog,
    pub(super) own_limits: OwnLimits,
    pub(super) events: Arc<EventLog>,
    pub(super) event_hooks: EventHooks,
    pub(super) scaling: Scaling,
    pub(super) names: Names,
    pub(super) vip_routes: VipRoutes,
    pub(super) certificates: Certificates,
    pub(super) publisher: Publisher,
    pub(super) proxies: Arc<Proxies>,
    pub(super) reading: FileReading,
    pub(super) change_lines: ChangeLines,
    /// Whose request is being carried out.
    pub(super) actor: Option<Actor>,
    /// When a failed write is tried again, and the length of the wait.
    pub(super) retry: Option<(time::Instant, Duration)>,
}

impl Agent {
    async fn start<F: Frontend>(
        options: AgentOptions,
        open: impl FnOnce() -> Result<F>,
    ) -> Result<Self> {
        let own_limits = OwnLimits::new()?;
        let (source, initial) = source::open(&options)?;
        start_lines::log_version(&source);
        let (health_sender, health_events) = mpsc::unbounded_channel();
        let (hop_sender, next_hops) = mpsc::unbounded_channel();
        let (ask, requests) = mpsc::channel(64);
        let (snapshots, snapshot) = watch::channel(Arc::new(Snapshot::default()));
        let (to_proxies, proxy_snapshots) = watch::channel(None);
        let api_thread = ApiThread::new().context("cannot create the runtime of the API")?;
        let entered = api_thread.enter();
        let front = open()?;
        drop(entered);
        let resolver =
            Resolver::start(hop_sender).context("cannot follow routes and neighbours")?;
        let macs = MacFollower::start(options.accepted_macs.clone())?;
        let tunnel = TunnelSetup::new();
        let prober = TunnelProber::new(Arc::new(NetworkProber::new(options.exec.clone())), &tunnel);
        let mut agent = Self {
            source,
            balancer: None,
            scheduler: Scheduler::with_prober(health_sender, Arc::new(prober)),
            tunnel,
            resolver,
            macs,
            health_events,
            next_hops,
            requests,
            snapshots,
            watchers: Watchers::default(),
            started_at: seconds_since_1970(),
            applied_count: 0,
            last_error: String::new(),
            stats: StatsSource::new(&options.bpffs),
            exhaustion: Exhaustion::default(),
            counter_ages: CounterAges::default(),
            host_watch: HostWatch::default(),
            warning_log: WarningLog::default(),
            own_limits,
            events: Arc::default(),
            event_hooks: EventHooks::new(options.driver_context()),
            scaling: Scaling::new(options.driver_context()),
            names: Names::default(),
            vip_routes: VipRoutes::default(),
            certificates: Certificates::default(),
            publisher: Publisher::new(to_proxies),
            proxies: Arc::default(),
            reading: FileReading::default(),
            change_lines: ChangeLines::default(),
            actor: None,
            retry: None,
            options,
        };
        if let Some(config) = initial {
            agent.begin_names(&config).await;
            agent.adopt(config).map_err(|refusal| anyhow::anyhow!(refusal.to_string()))?;
        } else {
            start_lines::log_without_configuration(&agent.stats, &agent.options.bpffs);
        }
        agent.tell_started();
        agent.publish();
        let handle = AgentHandle::new(ask, snapshot, Arc::clone(&agent.events))
            .with_programs(agent.options.exec.programs.clone())
            .with_proxies(proxy_snapshots, Arc::clone(&agent.proxies))
            .with_names(agent.names.resolver.clone());
        agent.watchers = handle.watchers();
        let stats = agent.stats.clone();
        api_thread.open(front.serve(handle, stats))?;
        Ok(agent)
    }

    async fn serve(&mut self, readiness: &mut Readiness) -> Result<()> {
        let mut signals = Signals::new()?;
        let mut file_changes = match &self.source {
            Source::File { path, .. } => Some(FileWatch::new(path).with_context(|| {
                format!("cannot watch the configuration file {}", path.display())
            })?),
            Source::Store(..) => None,
        };
        if file_changes.is_some() {
            // It may have changed between the first read and the start of the watch.
            self.reload(Duration::ZERO);
        }
        let mut verify = time::interval_at(time::Instant::now() + VERIFY_INTERVAL, VERIFY_INTERVAL);
        verify.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut refresh = time::interval(REFRESH_INTERVAL);
        refresh.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            self.follow_host();
            self.publish_to_proxies();
            readiness.report(self.retry.is_none(), || self.status_line());
            let retry_at = self.retry.map_or_else(time::Instant::now, |(at, _)| at);
            let change = self.balancer.as_ref().and_then(Balancer::next_change);
            let change_at = change.unwrap_or_else(time::Instant::now);
            tokio::select! {
                biased;
                _ = signals.terminate.recv() => return Ok(()),
                _ = signals.interrupt.recv() => return Ok(()),
                Some(event) = self.health_events.recv() => {
                    self.on_health(event);
                    // A flood of verdicts delays no request.
                    if let Ok(ask) = self.requests.try_recv() {
                        self.on_ask(ask);
                    }
                }
                Some(next_hops) = self.next_hops.recv() => self.on_next_hops(next_hops),
                () = self.macs.changed() => self.macs.publish_to(self.balancer.as_ref()),
                Some(ask) = self.requests.recv() => self.on_ask(ask),
                () = self.resolver.link_change() => self.restore(),
                Some(()) = async { file_changes.as_mut()?.changed().await } => {
                    self.reload(SETTLE);
                }
                _ = signals.reload.recv() => self.reload(Duration::ZERO),
                finished = self.scaling.finished() => self.on_scaled(finished),
                () = self.names.resolver.changed() => self.follow_names(),
                read = self.reading.ended() => {
                    readiness.reloading();
                    self.reloaded(read);
                }
                () = time::sleep_until(retry_at), if self.retry.is_some() => self.reconcile(None),
                () = time::sleep_until(change_at), if change.is_some() && self.retry.is_none() => {
                    self.reconcile(None);
                }
                () = readiness.wake() => {}
                _ = verify.tick() => self.verify(),
                // The detail of a target changes without an event.
                _ = refresh.tick() => {
                    self.run_periodic_checks().await;
                    self.scale();
                    self.store_names();
                    if self.watchers.are_there() {
                        self.publish();
                    }
                }
            }
        }
    }

    fn on_health(&mut self, first: HealthEvent) {
        let Some(balancer) = &mut self.balancer else {
            return;
        };
        let mut decided_at = None;
        let mut next = Some(first);
        while let Some(event) = next {
            if self.scheduler.is_current(&event) {
                decided_at = Some(balancer.judge(event));
            }
            next = self.health_events.try_recv().ok();
        }
        if decided_at.is_some() {
            self.reconcile(decided_at);
        }
    }

    fn on_next_hops(&mut self, mut next_hops: NextHops) {
        while let Ok(newer) = self.next_hops.try_recv() {
            next_hops = newer;
        }
        if let Some(balancer) = &mut self.balancer {
            balancer.route(next_hops);
            self.reconcile(None);
        }
    }

    fn on_ask(&mut self, ask: Ask) {
        // The client may have gone away.
        match ask {
            Ask::Change(request, answer) => {
                let _unheard = answer.send(self.on_request(request));
            }
            Ask::Question(question, answer) => self.on_question(question, answer),
            Ask::Publish(answer) => {
                self.publish();
                let _unheard = answer.send(());
            }
        }
    }

    /// Does the steps of adopting a configuration that may fail, before it is stored.
    pub(super) fn prepare(&mut self, config: &Config, force: bool) -> Result<Prepared, Refusal> {
        self.refuse_unstored_groups(config)?;
        let config = &self.expanded(config.clone()).config;
        if let Some(balancer) = &mut self.balancer {
            return balancer.check(config, force, &self.stats);
        }
        let runtime = self.source.runtime();
        let seed = config_file::hash_seed(config).map_err(Refusal::Failed)?;
        let mut balancer =
            Balancer::start(&self.options, config.clone(), seed, runtime).map_err(failed)?;
        if let Ok(store) = self.source.editable() {
            balancer.restore_removed_groups(store).map_err(failed)?;
        }
        start_lines::log_interfaces(balancer.data_path.attached());
        kernel_log::follow(balancer.data_path.ebpf());
        self.balancer = Some(balancer);
        // A failure to save state matters only after a reboot.
        if let Err(error) = self.keep_runtime() {
            tracing::error!(%error, "drains and the hash seed will be lost at a reboot");
        }
        Ok(Prepared::default())
    }

    /// Takes a configuration over: data path, health checks, next hops, maps.
    pub(super) fn adopt(&mut self, config: Config) -> Result<(), Refusal> {
        let Prepared { plan, .. } = self.prepare(&config, true)?;
        self.adopt_planned(config, plan)
    }

    /// The same for a configuration that has just been prepared.
    pub(super) fn adopt_planned(
        &mut self,
        config: Config,
        plan: Option<Plan>,
    ) -> Result<(), Refusal> {
        self.event_hooks.configure(&config.on_event);
        self.configure_names(&config);
        // Members that were stored come back with the group: the plan does not have them.
        let moves = self.configure_scaling(&config)? || has_names(&config);
        // Names may resolve to something else by now.
        let plan = plan.filter(|_| !moves);
        let Expansion { config, origins, left_out } = self.expanded(config);
        // The first configuration is the balancer's from the start.
        let mut alike = self.applied_count > 0;
        if let Some(balancer) = &mut self.balancer {
            alike &= balancer.checks_alike(&config);
            balancer.configure(config)?;
        }
        self.note_names(origins, left_out);
        self.applied_count += 1;
        self.last_error.clear();
        self.reconcile_with(plan, None);
        if !alike {
            // A health check may change without a change of targets.
            self.follow();
        }
        self.tell_applied();
        Ok(())
    }

    /// One attempt; a failure is tried again later.
    pub(super) fn reconcile(&mut self, decided_at: Option<Instant>) {
        self.reconcile_with(None, decided_at);
    }

    fn reconcile_with(&mut self, plan: Option<Plan>, decided_at: Option<Instant>) {
        let Some(balancer) = &mut self.balancer else {
            return;
        };
        // They need no map, so that a failed write does not delay them.
        let Balancer { http, config, drained, member_drains, .. } = balancer;
        let of_http = http.update(config, drained, member_drains);
        self.event_hooks.record(&self.events, of_http.into_iter());
        match balancer.reconcile(plan, decided_at) {
            Ok(Reconciled { targets_changed, events }) => {
                self.retry = None;
                self.tunnel.update(balancer.probe_paths());
                self.resolver.attached(balancer.ingress());
                let sign = |mut event| {
                    if let Some(actor) = &self.actor {
                        actor.sign(&mut event);
                    }
                    event
                };
                self.event_hooks.record(&self.events, events.into_iter().map(sign));
                if targets_changed {
                    self.follow();
                }
                self.log_warnings(Instant::now());
            }
            Err(error) => {
                let wait = self.retry.map_or(RETRY_MIN, |(_, wait)| (wait * 2).min(RETRY_MAX));
                let error = anyhow::Error::new(error);
                tracing::error!("{error:#}; trying again in {wait:?}");
                self.last_error = format!("{error:#}");
                self.retry = Some((time::Instant::now() + wait, wait));
            }
        }
    }
}
