//! The running balancer: the data path, its inputs (configuration, health, next hops, drains), and
//! the single path from any change of them to the maps.

mod drains;
mod removed;
mod startup_wait;
mod write;

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    mem,
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use lb_config::{self as config, Config, TargetGroup, TargetKey};
use lb_dataplane::{DataPath, KernelStore, LoadError, LoadOptions, StatsSource, StoreError, clock};
use lb_health::{HealthEvent, ProbePaths};
use lb_netlink::Ingress;
use lb_plan::{
    self as plan, HealthTable, Inputs, NextHops, Plan, Unserved,
    reconcile::{ReconcileError, Reconciler},
};
use lb_store::{Drain, Runtime};

use super::{
    AgentOptions, Event, Refusal, config_file,
    guard::{broken_listeners, permit},
    http_targets::HttpTargets,
    idle_slots::{self, ArmedAges},
    interfaces::Interfaces,
    next_hops::KeptNextHops,
    probe_paths,
    request::{failed, invalid},
    resume::resume,
    start_lines,
    state_name::state_name,
    transitions,
};

use self::startup_wait::StartupWait;
pub(super) use self::write::WriteError;

/// Everything that exists once there is a configuration.
pub(super) struct Balancer {
    pub(super) data_path: DataPath,
    pub(super) config: Config,
    pub(super) reconciler: Reconciler<KernelStore>,
    pub(super) health: HealthTable,
    pub(super) drained: BTreeSet<TargetKey>,
    /// Members of scaled groups that get no new flows.
    pub(super) member_drains: BTreeSet<TargetKey>,
    pub(super) http: HttpTargets,
    /// Targets that come from DNS names, and their names.
    pub(super) origins: BTreeMap<TargetKey, Arc<str>>,
    /// Who drained them, and why, where that is known.
    pub(super) drain_notes: BTreeMap<TargetKey, Drain>,
    pub(super) next_hops: KeptNextHops,
    /// Groups that have left the configuration while their targets finish their flows.
    pub(super) removed_groups: Vec<Arc<TargetGroup>>,
    /// Targets that were removed and do not finish their flows; until the plan says so.
    pub(super) cut: BTreeSet<TargetKey>,
    /// Slots that disarm with the next plan.
    idle_slots: BTreeSet<u32>,
    ages: ArmedAges,
    pub(super) plan: Plan,
    pub(super) interfaces: Interfaces,
    /// Time from the end of a deciding probe to its ring in the kernel, for the last one.
    pub(super) last_reaction: Duration,
    /// While new maps wait for the first verdicts; another layout's may forward.
    startup_wait: Option<StartupWait>,
}

impl Balancer {
    /// Loads the data path, with the maps of a previous agent if there are any, and does not change
    /// them yet. `hash_seed` is that of the configuration, `runtime` the state from before a
    /// reboot.
    pub(super) fn start(
        options: &AgentOptions,
        config: Config,
        hash_seed: Option<[u64; 2]>,
        runtime: Option<&Runtime>,
    ) -> Result<Self, LoadError> {
        let (data_path, store) = DataPath::load(&LoadOptions {
            bpffs: options.bpffs.clone(),
            interfaces: config.interfaces.clone(),
            mode: options.xdp_mode,
            sizes: options.sizes,
            hash_seed,
            former_seed: runtime.and_then(|runtime| runtime.hash_seed),
        })?;
        let mut reconciler = Reconciler::new(store);
        let tables = reconciler.current()?;
        let mut resumed = resume(tables);
        start_lines::log_takeover(data_path.maps(), &options.bpffs, tables, &resumed);
        let mut drain_notes = BTreeMap::new();
        if let Some(Runtime { drained, drains, .. }) = runtime {
            // It is written before the maps are.
            resumed.drained = drained.iter().cloned().collect();
            drain_notes = drains.iter().map(|one| (one.target.clone(), one.clone())).collect();
        }
        let now = Instant::now();
        let startup_wait =
            StartupWait::begin(data_path.maps(), startup_wait::timeout(&config), now);
        let http = HttpTargets::new(&config, now);
        Ok(Self {
            data_path,
            config,
            http,
            origins: BTreeMap::new(),
            reconciler,
            health: resumed.health,
            drained: resumed.drained,
            member_drains: BTreeSet::new(),
            drain_notes,
            next_hops: KeptNextHops::resumed(resumed.next_hops, now),
            removed_groups: Vec::new(),
            cut: BTreeSet::new(),
            idle_slots: BTreeSet::new(),
            ages: ArmedAges::new(options.armed_limit),
            plan: Plan::default(),
            interfaces: Interfaces::default(),
            last_reaction: Duration::ZERO,
            startup_wait,
        })
    }

    /// The plan for another configuration, or for the present one.
    fn plan_for(&mut self, other: Option<&Config>) -> Result<Plan, ReconcileError<StoreError>> {
        let attached = &self.attached();
        let drained = self.all_drained();
        let Self {
            reconciler,
            config,
            health,
            cut,
            next_hops,
            idle_slots,
            plan,
            removed_groups,
            ..
        } = self;
        let removed = removed_groups.as_slice();
        let (cache, next_hops, now) = (&plan.cache, next_hops.current(), clock::seconds());
        let mut known = (Cow::Borrowed(&*health), Cow::<BTreeSet<TargetKey>>::Owned(drained));
        if let Some(other) = other {
            let current = reconciler.current().map_err(ReconcileError::Store)?;
            plan::carry_over_into(&plan::renamed(other, current), &mut known.0, &mut known.1);
        }
        let (config, health, drained) = (other.unwrap_or(config), &*known.0, &*known.1);
        reconciler.plan(|previous| {
            plan::compile(&Inputs {
                config,
                health,
                drained,
                cut,
                removed,
                next_hops,
                attached,
                now,
                idle_slots,
                previous,
                cache,
            })
        })
    }

    /// Indices of the interfaces that clients' packets come in by.
    pub(super) fn attached(&self) -> BTreeSet<u32> {
        let there = self.data_path.attached().iter().filter(|one| one.fault.is_empty());
        there.map(|interface| interface.index).collect()
    }

    /// The same, by how the program runs there.
    pub(super) fn ingress(&self) -> Ingress {
        let of = |native: bool| {
            let attached = self.data_path.attached().iter().filter(|one| one.fault.is_empty());
            attached.filter(|one| one.native == native).map(|one| one.index).collect()
        };
        Ingress { native: of(true), generic: of(false) }
    }

    /// Checks the interfaces that the program is attached to for problems.
    pub(super) fn check_interfaces(&mut self, now: Instant) {
        let attached = self.data_path.attached().iter();
        let attached: Vec<_> = attached.filter(|one| one.fault.is_empty()).cloned().collect();
        self.interfaces.poll(&attached, &self.config, now);
    }

    /// Updates the maps to the present inputs; `plan` is the plan for them, if it exists already.
    /// If a verdict is the reason, its time.
    pub(super) fn reconcile(
        &mut self,
        plan: Option<Plan>,
        decided_at: Option<Instant>,
    ) -> Result<Reconciled, WriteError> {
        let plan = match plan {
            Some(plan) => plan,
            None => self.plan_for(None)?,
        };
        let plan = self.write(plan)?;
        if let Some(decided_at) = decided_at {
            self.last_reaction = decided_at.elapsed();
        }
        Ok(self.adopt(plan))
    }

    /// Whether new maps wait for the first verdicts.
    pub(super) const fn is_waiting(&self) -> bool {
        self.startup_wait.is_some()
    }

    /// Makes a plan the present one; returns its changes.
    fn adopt(&mut self, plan: Plan) -> Reconciled {
        let keys = |plan: &Plan| -> BTreeSet<TargetKey> {
            plan.targets.iter().map(|report| report.key.clone()).collect()
        };
        let [before, after] = self.plan.targets.apart(&plan.targets);
        let differ = !transitions::same_targets(&before, &after);
        if differ {
            let present = keys(&plan);
            self.health.retain(|target| present.contains(target));
        }
        let events = transitions::between(&before, &after);
        if plan.cache.armed() > 0 {
            self.ages.update(&plan.tables, clock::seconds());
        } else {
            self.ages.forget();
        }
        self.plan = plan;
        Reconciled { targets_changed: differ, events }
    }

    /// Whether a configuration could be taken over: it fits the maps, its interfaces exist. Unless
    /// forced, whether every listener keeps targets that can serve it, and no connection breaks.
    pub(super) fn check(
        &mut self,
        config: &Config,
        force: bool,
        stats: &StatsSource,
    ) -> Result<Prepared, Refusal> {
        let plan = self.plan_for(Some(config)).map_err(unplanned)?;
        self.data_path.check(&config.interfaces).map_err(failed)?;
        let Unserved { mut left, waiting } = self.unserved(config, &plan);
        left.extend(self.http_unserved((&self.config, &self.drained), (config, &self.drained)));
        let current = self.reconciler.current().map_err(failed)?;
        let mut broken = plan::broken_connections(current, &plan);
        broken.extend(broken_listeners(&self.config, config, &self.plan.targets, stats));
        let mut remarks = waiting;
        remarks.extend(permit(left, broken, force)?);
        let same_interfaces = config.interfaces == self.config.interfaces;
        Ok(Prepared { plan: same_interfaces.then_some(plan), remarks })
    }

    /// Listeners that lose their last usable target by a change, and those that wait.
    fn unserved(&self, config: &Config, plan: &Plan) -> Unserved {
        plan::unserved((&self.config, &self.plan.targets), (config, plan))
    }

    /// Adopts a configuration that [`Balancer::check`] has accepted. On an error nothing has
    /// changed.
    pub(super) fn configure(&mut self, config: Config) -> Result<(), Refusal> {
        if config.interfaces != self.config.interfaces {
            self.data_path.attach(&config.interfaces).map_err(failed)?;
        }
        let seed = config_file::hash_seed(&config).ok().flatten();
        if seed.is_some_and(|seed| seed != self.data_path.hash_seed()) {
            tracing::warn!("the new hash_seed takes effect when the agent is restarted");
        }
        let renamed = plan::renamed(&config, self.reconciler.current().map_err(failed)?);
        plan::carry_over(&renamed, &mut self.health, &mut self.drained);
        let previous = mem::replace(&mut self.config, config);
        self.http.configure(&previous, &self.config);
        self.keep_removed(previous);
        self.follow_drains(&renamed);
        Ok(())
    }

    /// State that survives a reboot.
    pub(super) fn runtime(&self) -> Runtime {
        Runtime {
            hash_seed: Some(self.data_path.hash_seed()),
            drained: self.drained.iter().cloned().collect(),
            drains: self.drain_notes.values().cloned().collect(),
            ..Runtime::default()
        }
    }

    /// When the plan changes without an event.
    fn plan_changes(&self) -> Option<tokio::time::Instant> {
        let seconds = self.plan.next_change?.wrapping_sub(clock::seconds());
        // That time has passed already.
        let seconds = if seconds > u32::MAX / 2 { 0 } else { seconds };
        Some(tokio::time::Instant::now() + Duration::from_secs(seconds.into()))
    }

    fn targets(&self) -> BTreeSet<TargetKey> {
        let groups = self.config.target_groups.iter();
        groups
            .flat_map(|group| group.targets.iter().map(|target| key(&group.name, target)))
            .collect()
    }

    /// Probe paths of checks with `via: tunnel`.
    pub(super) fn probe_paths(&self) -> ProbePaths {
        let hash_seed = self.data_path.hash_seed();
        ProbePaths {
            probe_paths: probe_paths::probe_paths(
                &self.config,
                &self.plan,
                self.next_hops.current(),
            ),
            hash_seed,
        }
    }

    /// The addresses whose next hops are wanted.
    pub(super) fn addresses(&self) -> BTreeSet<IpAddr> {
        let leaving = self.plan.targets.iter().filter(|report| report.leaving);
        let leaving = leaving.map(|report| report.key.address);
        self.targets().into_iter().map(|target| target.address).chain(leaving).collect()
    }

    /// Takes verdicts over; the time of the last one that decided something.
    pub(super) fn judge(&mut self, event: HealthEvent) -> Instant {
        let HealthEvent { target, health, decided_at } = event;
        tracing::info!(
            %target,
            state = state_name(health.state),
            reason = health.shown_reason().map(tracing::field::display),
            detail = Some(&health.detail).filter(|detail| !detail.is_empty()),
            "the health of a target has changed"
        );
        if self.http.has_group(&target) {
            self.http.judge(target, health);
        } else {
            self.health.insert(target, health);
        }
        decided_at
    }

    /// Takes next hops over.
    pub(super) fn route(&mut self, next_hops: NextHops) {
        self.next_hops.take(next_hops, Instant::now());
    }

    /// Drops previous next hops whose time is over. Returns whether there was any.
    pub(super) fn expire_next_hops(&mut self, now: Instant) -> bool {
        self.next_hops.expire(now)
    }

    /// Finds armed slots that can disarm. Returns whether there is any.
    pub(super) fn update_idle_slots(&mut self) -> bool {
        let Self { reconciler, plan, ages, .. } = self;
        if plan.cache.armed() > 0 {
            let now = clock::seconds();
            let (seen, over) = (|slot| reconciler.seen(slot), ages.over(now));
            self.idle_slots = idle_slots::slots(&plan.tables, now, seen, over);
        }
        !self.idle_slots.is_empty()
    }

    /// Whether the maps hold what this agent wrote.
    pub(super) fn verify(&mut self) -> Result<bool, StoreError> {
        self.reconciler.verify()
    }
}

/// A configuration that may be taken over.
#[derive(Default)]
pub(super) struct Prepared {
    /// The plan for it, if it is still valid when the configuration is adopted.
    pub(super) plan: Option<Plan>,
    /// The status as text, one item per line.
    pub(super) remarks: Vec<String>,
}

/// Changes of a plan.
pub(super) struct Reconciled {
    /// There are other targets now.
    pub(super) targets_changed: bool,
    /// Events of targets.
    pub(super) events: Vec<Event>,
}

/// A configuration that does not fit is an error of the request; an error of the kernel is not.
fn unplanned(error: ReconcileError<StoreError>) -> Refusal {
    match error {
        ReconcileError::Plan(error) => invalid(error),
        other @ ReconcileError::Store(_) => failed(other),
    }
}

pub(super) fn key(group: &Arc<str>, target: &config::Target) -> TargetKey {
    TargetKey { group: Arc::clone(group), address: target.address, port: target.port }
}
