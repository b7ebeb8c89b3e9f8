//! The target group of a sequence, its agent, and what is to be expected of each target.

use std::{collections::BTreeMap, net::IpAddr, sync::Arc};

use lb_common::{Slot, target::TargetState};
use lb_config::{self as config, Config, Target, TargetKey};
use lb_plan::{Health, NextHop, NextHopState, Reason, Tables, consistency};

use crate::{agent::Agent, breaks::Break, host::Host};

/// Seconds after which a silent flow may be forgotten.
pub(crate) const IDLE: u32 = 10;

/// Seconds that a slot stays armed after it has changed.
pub(crate) const ARMED_LIMIT: u32 = 40;

const CONFIG: &str = "
interfaces: [eth0]
target_groups:
  - { name: web, protocol: tcp, port: 80, forwarding: ipip, targets: [{ address: 10.0.0.1 }] }
listeners:
  - name: web
    address: 203.0.113.10
    port: 80
    protocol: tcp
    default_action: { forward: { target_group: web } }
";

/// With fewer targets in service that are no backups, backups take new flows as well.
const BACKUP_THRESHOLD: usize = 2;

/// With fewer targets in service, a group with a quorum takes no new flows.
const QUORUM: usize = 2;

/// Seconds for which a target that is drained or removed keeps its flows.
pub(crate) const DELAY: u32 = 15;

/// What is known of a target, from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fate {
    pub(crate) alive: bool,
    pub(crate) phase: Phase,
    pub(crate) weight: u32,
    /// It takes new flows only while fewer than [`BACKUP_THRESHOLD`] others do.
    pub(crate) backup: bool,
}

/// The phase of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// In the configuration, in service.
    Serving,
    /// The same, but drained; it keeps its flows until this second.
    Drained(u32),
    /// No longer in the configuration; it keeps its flows until this second.
    Leaving(u32),
}

impl Fate {
    pub(crate) const NEW: Self =
        Self { alive: true, phase: Phase::Serving, weight: 100, backup: false };

    /// Whether it may take new flows; a backup only where it is needed.
    pub(crate) fn takes_new(self) -> bool {
        self.alive && self.phase == Phase::Serving && self.weight > 0
    }

    /// Whether flows that belong to it may go there.
    pub(crate) const fn keeps_flows(self, now: u32) -> bool {
        self.alive
            && match self.phase {
                Phase::Serving => true,
                Phase::Drained(until) | Phase::Leaving(until) => now < until,
            }
    }

    const fn is_leaving(self) -> bool {
        matches!(self.phase, Phase::Leaving(_))
    }
}

/// The group and its agent.
pub(crate) struct Group {
    pub(crate) agent: Agent,
    config: Config,
    ages: consistency::Ages,
    /// Targets by number, the last two bytes of their address.
    pub(crate) targets: BTreeMap<u16, Fate>,
    pub(crate) has_quorum: bool,
}

pub(crate) fn address(number: u16) -> IpAddr {
    let [high, low] = number.to_be_bytes();
    [10, 0, high, low].into()
}

impl Group {
    /// `remembered` is the time in seconds that the data path remembers silent flows for: longer
    /// than slots stay armed, it leaves more behind that must not count.
    pub(crate) fn new(remembered: u64, has_quorum: bool, broken: Option<Break>) -> Self {
        let (_, mut config, _) = config::parse(CONFIG, "simulation").expect("it is right");
        Arc::make_mut(&mut config.target_groups[0]).life.deregistration_delay =
            std::time::Duration::from_secs(DELAY.into());
        Arc::make_mut(&mut config.target_groups[0]).life.backup_threshold =
            u32::try_from(BACKUP_THRESHOLD).expect("it is small");
        if has_quorum {
            Arc::make_mut(&mut config.target_groups[0]).life.quorum =
                u32::try_from(QUORUM).expect("it is small");
        }
        Arc::make_mut(&mut config.listeners[0]).idle_timeout =
            std::time::Duration::from_secs(remembered);
        let targets = (1..=3).map(|number| (number, Fate::NEW)).collect();
        Self {
            agent: Agent::new(Host::new(broken)),
            config,
            ages: consistency::Ages::default(),
            targets,
            has_quorum,
        }
    }

    /// Whether backups are chosen as well.
    fn needs_backups(&self) -> bool {
        let configured = self.targets.values().filter(|fate| !fate.is_leaving());
        let first: Vec<&Fate> = configured.filter(|fate| !fate.backup).collect();
        // Where all are backups, none is.
        first.is_empty() || first.iter().filter(|fate| fate.takes_new()).count() < BACKUP_THRESHOLD
    }

    /// Whether a target takes new flows now.
    pub(crate) fn takes_new(&self, number: u16) -> bool {
        let backups = self.needs_backups();
        let fate = self.targets.get(&number);
        !self.is_below_quorum()
            && fate.is_some_and(|fate| fate.takes_new() && (backups || !fate.backup))
    }

    /// Whether so few targets are in service that none takes new flows.
    pub(crate) fn is_below_quorum(&self) -> bool {
        let backups = self.needs_backups();
        let chosen = self.targets.values().filter(|fate| backups || !fate.backup);
        self.has_quorum && chosen.filter(|fate| fate.takes_new()).count() < QUORUM
    }

    /// An agent that knows nothing but the maps.
    pub(crate) fn restart(&mut self) {
        self.agent.restart();
        self.ages = consistency::Ages::default();
    }

    /// Looks for slots that can disarm, as the agent does each second.
    pub(crate) fn tick(&mut self) {
        let Host { now, broken, .. } = *self.agent.host.borrow();
        let limit = if broken == Some(Break::Limit) { u32::MAX } else { ARMED_LIMIT };
        let Self { agent, ages, .. } = self;
        let idle = |(index, slot): &(u32, Slot)| {
            consistency::is_idle(agent.seen(*index), now, IDLE)
                || ages.is_over(*index, *slot, now, limit)
        };
        let mut idle_slots = armed(&agent.tables).filter(idle).map(|(index, _)| index).collect();
        agent.idle_slots.append(&mut idle_slots);
        if agent.is_due() {
            self.reconcile();
        }
    }

    /// Brings the maps to what the targets are; `false` when the agent was killed on the way.
    pub(crate) fn reconcile(&mut self) -> bool {
        let key =
            |number: &u16| TargetKey { group: "web".into(), address: address(*number), port: 80 };
        let targets = self.targets.iter().filter(|(_, fate)| !fate.is_leaving());
        Arc::make_mut(&mut self.config.target_groups[0]).targets = targets
            .map(|(number, fate)| Target {
                address: address(*number),
                port: 80,
                weight: fate.weight,
                backup: fate.backup,
            })
            .collect();
        let health = self.targets.iter();
        let health = health.map(|(number, fate)| (key(number), verdict(fate.alive))).collect();
        let drained =
            self.targets.iter().filter(|(_, fate)| matches!(fate.phase, Phase::Drained(_)));
        let drained = drained.map(|(number, _)| key(number)).collect();
        let plan = self.agent.plan(&self.config, &health, &drained, &self.targets);
        if !self.agent.apply(plan) {
            return false;
        }
        let Host { now, broken, .. } = *self.agent.host.borrow();
        if broken.is_some_and(Break::changes_maps) {
            self.agent.read_back();
        }
        // After each write: a slot that changes and changes back is as old as that.
        self.ages.update(armed(&self.agent.tables), now);
        true
    }
}

fn armed(tables: &Tables) -> impl Iterator<Item = (u32, Slot)> {
    tables.groups.values().flat_map(|group| {
        let slots = (group.ring.base()..).zip(group.slots.iter().copied());
        slots.filter(|(_, slot)| slot.is_armed())
    })
}

pub(crate) fn verdict(alive: bool) -> Health {
    if alive {
        Health { state: TargetState::Healthy, reason: None, detail: String::new() }
    } else {
        let reason = Some(Reason::Timeout);
        Health { state: TargetState::Unhealthy, reason, detail: "dead".to_owned() }
    }
}

pub(crate) fn next_hop() -> NextHopState {
    NextHopState::Resolved(NextHop {
        interface: 2,
        vlan: 0,
        source_mac: [2, 0, 0, 0, 0, 2],
        destination_mac: [2, 0, 0, 0, 0, 3],
        mtu: 1500,
        on_link: true,
    })
}
