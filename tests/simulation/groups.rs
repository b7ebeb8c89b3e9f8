//! Several target groups, two listeners that switch between them, and their agent.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use lb_agent::idle_slots;
use lb_common::{Be16, Family, ListenerKey, Slot};
use lb_config::{self as config, Config, Target, TargetGroup, TargetKey};
use lb_plan::{self as plan, Tables};

use crate::{
    agent::Agent,
    flows::{PORT, Tuple, VIPS},
    group::{DELAY, IDLE, address, verdict},
    host::Host,
    lead_breaks::LeadBreak,
};

/// Groups that there can be.
pub(crate) const GROUPS: usize = 3;

const CONFIG: &str = "
interfaces: [eth0]
target_groups:
  - { name: g0, protocol: tcp, port: 80, forwarding: ipip, targets: [{ address: 10.0.0.1 }] }
listeners:
  - name: one
    address: 203.0.113.10
    port: 80
    protocol: tcp
    default_action: { forward: { target_group: g0 } }
  - name: two
    address: 203.0.113.11
    port: 80
    protocol: tcp
    default_action: { forward: { target_group: g0 } }
";

/// What is known of a server, from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Server {
    pub(crate) alive: bool,
    /// Whether a health check has had a verdict on it.
    pub(crate) checked: bool,
}

/// One group in the configuration.
#[derive(Clone, Debug)]
pub(crate) struct Declared {
    pub(crate) name: String,
    pub(crate) servers: BTreeSet<u16>,
}

/// The groups, the listeners and the agent.
pub(crate) struct Groups {
    pub(crate) agent: Agent,
    config: Config,
    pub(crate) declared: [Option<Declared>; GROUPS],
    /// The group of each listener.
    pub(crate) leads: [usize; 2],
    /// Its sorry group, which is another one.
    pub(crate) sorries: [Option<usize>; 2],
    pub(crate) servers: BTreeMap<u16, Server>,
}

impl Groups {
    pub(crate) fn new(broken: Option<LeadBreak>) -> Self {
        let (_, config, _) = config::parse(CONFIG, "simulation").expect("it is right");
        let mut host = Host::new(None);
        host.broken_lead = broken;
        let declared = |number: usize, servers: &[u16]| {
            Some(Declared {
                name: format!("g{number}"),
                servers: servers.iter().copied().collect(),
            })
        };
        let server = Server { alive: true, checked: true };
        Self {
            agent: Agent::new(host),
            config,
            declared: [declared(0, &[1, 2, 3]), declared(1, &[3, 4]), None],
            leads: [0, 0],
            sorries: [None, None],
            servers: (1..=4).map(|number| (number, server)).collect(),
        }
    }

    /// The servers of a group that take new flows.
    pub(crate) fn in_service(&self, group: usize) -> Vec<u16> {
        let declared = self.declared[group].as_ref();
        let servers = declared.into_iter().flat_map(|declared| &declared.servers);
        let takes = |number: &&u16| {
            self.servers.get(number).is_some_and(|server| server.alive && server.checked)
        };
        servers.filter(takes).copied().collect()
    }

    /// Whether a listener names a group.
    pub(crate) fn uses(&self, group: usize) -> bool {
        self.leads.contains(&group) || self.sorries.contains(&Some(group))
    }

    /// The group that a listener forwards to: its sorry group while its own is down, and that one is not.
    pub(crate) fn serving(&self, listener: usize) -> usize {
        let own = self.leads[listener];
        match self.sorries[listener] {
            Some(sorry) if self.is_down(own) && !self.in_service(sorry).is_empty() => sorry,
            _ => own,
        }
    }

    /// Whether the listeners of a group have a sorry group in its place.
    pub(crate) fn has_sorry(&self, group: usize) -> bool {
        let leads = self.leads.iter().zip(self.sorries).filter(|(lead, _)| **lead == group);
        leads.clone().next().is_some() && leads.into_iter().all(|(_, sorry)| sorry.is_some())
    }

    /// Whether a group that listeners name uses its dead servers, since it has no others.
    pub(crate) fn any_fails_open(&self) -> bool {
        (0..GROUPS).any(|group| self.uses(group) && self.is_down(group))
    }

    /// Whether all servers of a group are known to be dead.
    fn is_down(&self, group: usize) -> bool {
        let servers = self.declared[group].iter().flat_map(|declared| &declared.servers);
        let mut servers = servers.filter_map(|number| self.servers.get(number));
        servers.all(|server| server.checked && !server.alive)
    }

    /// What the agent does each second.
    pub(crate) fn tick(&mut self) {
        let now = self.agent.host.borrow().now;
        let Agent { tables, .. } = &self.agent;
        let idle_slots = idle_slots(tables, now, |slot| self.agent.seen(slot), |_, _, _| false);
        self.agent.idle_slots = idle_slots;
        if self.agent.is_due() {
            self.reconcile();
        }
    }

    fn configure(&mut self) {
        let template = Arc::clone(&self.config.target_groups[0]);
        let group = |declared: &Declared| {
            let mut group = TargetGroup::clone(&template);
            group.name = declared.name.as_str().into();
            group.life.deregistration_delay = std::time::Duration::from_secs(DELAY.into());
            let target = |number: &u16| Target {
                address: address(*number),
                port: 80,
                weight: 100,
                backup: false,
            };
            group.targets = declared.servers.iter().map(target).collect();
            Arc::new(group)
        };
        self.config.target_groups = self.declared.iter().flatten().map(group).collect();
        let name = |group: usize| self.declared[group].as_ref().map(|one| one.name.clone());
        let leads = self.leads.into_iter().zip(self.sorries);
        for (listener, (group, sorry)) in self.config.listeners.iter_mut().zip(leads) {
            let listener = Arc::make_mut(listener);
            listener.sorry_target_group = sorry.and_then(name);
            listener.idle_timeout = std::time::Duration::from_secs(IDLE.into());
            if let Some(declared) = &self.declared[group] {
                listener.target_group.clone_from(&declared.name);
            }
        }
    }

    /// Brings the maps to what is wanted; `false` when the agent was killed on the way.
    pub(crate) fn reconcile(&mut self) -> bool {
        self.configure();
        let names = self.config.target_groups.iter().map(|group| group.name.clone());
        let former = self.agent.tables.groups.values().map(|group| group.name.clone());
        let names: BTreeSet<Arc<str>> = names.chain(former).collect();
        let checked = self.servers.iter().filter(|(_, server)| server.checked);
        let health = checked.flat_map(|(number, server)| {
            let key = |name: &Arc<str>| TargetKey {
                group: name.clone(),
                address: address(*number),
                port: 80,
            };
            names.iter().map(move |name| (key(name), verdict(server.alive)))
        });
        let health = health.collect();
        let plan = self.agent.plan(&self.config, &health, &BTreeSet::new(), &self.servers);
        self.tell_host(&plan.tables);
        if !self.agent.apply(plan) {
            return false;
        }
        let mut host = self.agent.host.borrow_mut();
        if let Some(broken) = host.broken_lead {
            broken.after_change(&mut host);
            drop(host);
            if broken.changes_maps() {
                self.agent.read_back();
            }
        }
        true
    }

    /// Passes the groups of listeners to the mistakes.
    fn tell_host(&self, tables: &Tables) {
        let listeners = || {
            let all = self.config.listeners.iter().enumerate();
            all.filter_map(|(number, listener)| {
                let id = tables.listeners.get(&config::listener_key(listener)?)?.id;
                Some((number, id))
            })
        };
        let led = listeners().filter_map(|(number, id)| {
            let name = &self.declared[self.serving(number)].as_ref()?.name;
            let group = tables.groups.iter().find(|(_, group)| *group.name == **name)?;
            Some((id, *group.0))
        });
        let sorry = listeners().filter(|(number, _)| self.serving(*number) != self.leads[*number]);
        let mut host = self.agent.host.borrow_mut();
        host.led_to = led.collect();
        host.sorry = sorry.map(|(_, id)| id).collect();
    }

    /// The slot of a flow of a listener, and its server when the slot is not armed.
    pub(crate) fn slot_of(&self, listener: usize, tuple: &Tuple) -> Option<(usize, Slot)> {
        let host = self.agent.host.borrow();
        let vip = lb_common::Address::v4(VIPS[listener]);
        let key = ListenerKey::new(Family::V4, vip, Be16::new(PORT), 6);
        let entry = host.tables.listeners.get(&key)?;
        let index = host.tables.rings.get(&entry.group)?.slot_of(tuple.hash);
        Some((index, host.tables.slots.get(index)))
    }

    /// Rings of listeners on their way.
    pub(crate) fn transitions(&self) -> usize {
        self.agent.tables.groups.values().filter(|group| plan::is_transition(&group.name)).count()
    }
}
