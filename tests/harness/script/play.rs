//! An agent without probes, netlink and programs: it plans and writes the maps as the real one does.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    rc::Rc,
    sync::Arc,
};

use lb_agent::{self as agent, Resumed};
use lb_common::target::TargetState;
use lb_config::{self as config, Config, Limits, TargetKey};
use lb_plan::{
    self as plan, Cache, Health, HealthTable, Inputs, MapStore as _, NextHop, NextHopState, Plan,
    Reason, reconcile::Reconciler,
};

use super::{
    Ground,
    ground::{Clocked, Marks},
    parse::Step,
    show,
};

/// The loopback interface: every network namespace has it, and a map of interfaces takes no others.
const INTERFACE: u32 = 1;

pub(super) struct Player<G: Ground> {
    ground: G,
    reconciler: Reconciler<Clocked<G::Store>>,
    marks: Rc<RefCell<Marks>>,
    begins: u32,
    limits: Limits,
    config: Option<Config>,
    health: HealthTable,
    drained: BTreeSet<TargetKey>,
    lost: BTreeSet<IpAddr>,
    /// Addresses that are behind a VLAN tag, with its number.
    tags: BTreeMap<IpAddr, u16>,
    plan: Plan,
    /// What the last configuration was refused for, one text a line.
    refused: Vec<String>,
}

impl<G: Ground> Player<G> {
    pub(super) fn new(ground: G) -> Self {
        let begins = ground.begins();
        let marks = Rc::new(RefCell::new(Marks::at(begins)));
        Self {
            reconciler: Reconciler::new(open(&ground, &marks)),
            ground,
            marks,
            begins,
            limits: Limits::MOST,
            config: None,
            health: HealthTable::default(),
            drained: BTreeSet::new(),
            lost: BTreeSet::new(),
            tags: BTreeMap::new(),
            plan: Plan::default(),
            refused: Vec::new(),
        }
    }

    /// Takes a step that changes something.
    pub(super) fn take(&mut self, step: &Step) -> Result<(), String> {
        let words: Vec<&str> = step.words.iter().map(String::as_str).collect();
        match words.as_slice() {
            ["apply"] => self.apply(&step.body, false),
            ["apply", "force"] => self.apply(&step.body, true),
            ["limits", limits @ ..] => self.allow(limits)?,
            ["health", target, verdict] => self.judge(target, verdict)?,
            ["drain", target] => {
                self.drained.insert(self.target(target)?);
            }
            ["undrain", target] => {
                self.drained.remove(&self.target(target)?);
            }
            ["route", address, "lost"] => {
                self.lost.insert(parsed(address)?);
            }
            ["route", address, "found"] => {
                self.lost.remove(&parsed(address)?);
            }
            ["route", address, "vlan", number] => {
                self.tags.insert(parsed(address)?, parsed(number)?);
            }
            ["advance", time] => self.advance(time)?,
            ["restart"] => self.restart(),
            _ => return Err(format!("no such step: {}", words.join(" "))),
        }
        self.reconcile();
        Ok(())
    }

    fn apply(&mut self, text: &str, force: bool) {
        self.refused.clear();
        let config = match config::parse_within(text, "configuration", &self.limits) {
            Ok((_, config, _)) => config,
            Err(errors) => {
                self.refused = errors.to_string().lines().map(str::to_owned).collect();
                return;
            }
        };
        let tables = self.reconciler.current().expect("reading does not fail");
        plan::carry_over(&plan::renamed(&config, tables), &mut self.health, &mut self.drained);
        let plan = match self.plan_for(&config, &BTreeSet::new()) {
            Ok(plan) => plan,
            Err(error) => {
                self.refused.push(error);
                return;
            }
        };
        let present = self.config.as_ref().map(|present| (present, &self.plan.targets));
        let left =
            present.map_or_else(Vec::new, |present| plan::unserved(present, (&config, &plan)).left);
        if force || left.is_empty() {
            self.config = Some(config);
        } else {
            self.refused.extend(left.iter().map(|left| format!("without targets: {left}")));
        }
    }

    fn allow(&mut self, words: &[&str]) -> Result<(), String> {
        self.limits = Limits::MOST;
        for word in words {
            let (name, number) = word.split_once('=').ok_or("a limit is NAME=NUMBER")?;
            let place = match name {
                "listeners" => &mut self.limits.listeners,
                "target_groups" => &mut self.limits.target_groups,
                "targets" => &mut self.limits.targets,
                "ring_slots" => &mut self.limits.ring_slots,
                other => return Err(format!("no such limit: {other}")),
            };
            *place = parsed(number)?;
        }
        Ok(())
    }

    fn judge(&mut self, target: &str, verdict: &str) -> Result<(), String> {
        let health = match verdict {
            "up" => Health { state: TargetState::Healthy, reason: None, detail: String::new() },
            "down" => Health {
                state: TargetState::Unhealthy,
                reason: Some(Reason::Timeout),
                detail: "no answer".to_owned(),
            },
            other => return Err(format!("a verdict is up or down, not {other}")),
        };
        let targets = match target {
            "all" => self.targets(),
            one => vec![self.target(one)?],
        };
        for target in targets {
            self.health.insert(target, health.clone());
        }
        Ok(())
    }

    /// Time passes; the agent wakes up when its plan changes, and at the end.
    fn advance(&mut self, time: &str) -> Result<(), String> {
        let seconds = time.strip_suffix('s').ok_or("a time is a number of seconds, such as 30s")?;
        let end = self.now() + parsed::<u32>(seconds)?;
        while self.now() < end {
            let next = self.plan.next_change.filter(|next| (self.now() + 1..end).contains(next));
            self.marks.borrow_mut().now = next.unwrap_or(end);
            self.reconcile();
        }
        Ok(())
    }

    fn restart(&mut self) {
        self.reconciler = Reconciler::new(open(&self.ground, &self.marks));
        self.plan = Plan::default();
        let tables = self.reconciler.current().expect("reading does not fail");
        let Resumed { health, drained, .. } = agent::resume(tables);
        (self.health, self.drained) = (health, drained);
    }

    /// Brings the maps to what follows from everything that is known.
    fn reconcile(&mut self) {
        let Some(config) = self.config.clone() else { return };
        let reconciler = &self.reconciler;
        let seen = |slot| reconciler.seen(slot);
        let idle_slots = agent::idle_slots(&self.plan.tables, self.now(), seen, |_, _, _| false);
        let plan = self.plan_for(&config, &idle_slots).expect("what was taken over fits");
        self.reconciler.apply(&plan).expect("writing does not fail");
        self.plan = plan;
    }

    fn plan_for(&mut self, config: &Config, idle_slots: &BTreeSet<u32>) -> Result<Plan, String> {
        let now = self.now();
        let next_hops = self.next_hops(config);
        let Self { reconciler, health, drained, plan, .. } = self;
        let cache: &Cache = &plan.cache;
        let planned = reconciler.plan(|previous| {
            plan::compile(&Inputs {
                config,
                health,
                drained,
                cut: &BTreeSet::new(),
                removed: &[],
                next_hops: &Arc::new(next_hops),
                attached: &BTreeSet::from([INTERFACE]),
                now,
                idle_slots,
                previous,
                cache,
            })
        });
        planned.map_err(|error| error.to_string())
    }

    fn next_hops(&self, config: &Config) -> BTreeMap<IpAddr, NextHopState> {
        let leaving = self.plan.targets.iter().map(|report| report.key.address);
        let groups = config.target_groups.iter();
        let wanted = groups.flat_map(|group| group.targets.iter().map(|target| target.address));
        let hop = |address: IpAddr| {
            let state = if self.lost.contains(&address) {
                NextHopState::Unresolved("no route".to_owned())
            } else {
                NextHopState::Resolved(next_hop(self.tags.get(&address).copied().unwrap_or(0)))
            };
            (address, state)
        };
        wanted.chain(leaving).map(hop).collect()
    }

    /// The tables as they are in the maps.
    pub(super) fn shown(&self) -> String {
        let store = open(&self.ground, &self.marks);
        let tables = store.read(None).expect("reading does not fail");
        let mut text = told("refused", &self.refused);
        text.push_str(&show::tables(&tables, self.begins));
        let warnings: Vec<String> = self.plan.warnings.iter().map(ToString::to_string).collect();
        text.push_str(&told("warning", &warnings));
        text.push_str(&told("FAULT", &plan::faults(&tables)));
        text.push_str(&told("HAZARD", &self.ground.hazards()));
        text
    }

    fn now(&self) -> u32 {
        self.marks.borrow().now
    }

    fn targets(&self) -> Vec<TargetKey> {
        let groups = self.config.iter().flat_map(|config| &config.target_groups);
        let keys = groups.flat_map(|group| {
            group.targets.iter().map(|target| TargetKey {
                group: group.name.clone(),
                address: target.address,
                port: target.port,
            })
        });
        keys.collect()
    }

    fn target(&self, text: &str) -> Result<TargetKey, String> {
        let found = self.targets().into_iter().find(|key| key.to_string() == text);
        found.ok_or_else(|| format!("there is no target {text}"))
    }
}

fn open<G: Ground>(ground: &G, marks: &Rc<RefCell<Marks>>) -> Clocked<G::Store> {
    let store = ground.open().expect("the maps can be opened");
    Clocked { store, marks: Rc::clone(marks) }
}

/// A line for each of these.
fn told(kind: &str, lines: &[String]) -> String {
    let mut text = String::new();
    for line in lines {
        text.extend([kind, ": ", line, "\n"]);
    }
    text
}

fn parsed<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("cannot read {text}"))
}

fn next_hop(vlan: u16) -> NextHop {
    NextHop {
        interface: INTERFACE,
        vlan,
        source_mac: [2, 0, 0, 0, 0, 2],
        destination_mac: [2, 0, 0, 0, 0, 3],
        mtu: 1500,
        on_link: true,
    }
}
