//! Random sequences of apply, rollback, target changes and restarts: the store, the documents and the
//! planner as the agent puts them together, over maps in memory. After each step the maps are
//! compared with a model that knows names and sets only.
//!
//! A failing sequence is printed with its number; `XELB_SEED=NUMBER cargo test -p lb-userspace --test
//! control` runs it alone.

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    net::{IpAddr, Ipv4Addr},
    path::Path,
    sync::Arc,
    time::Duration,
};

use lb_common::{Target, target::TargetState};
use lb_config::{self as config, Config, Document, Edit, TargetKey};
use lb_plan::{
    self as plan, Cache, Health, HealthTable, Inputs, NextHop, NextHopState, Tables,
    fake::FakeMaps, reconcile::Reconciler,
};
use lb_store::{Commit, Embedded, Store};
use serde_json::{Value, json};

const SEQUENCES: u64 = 1000;
const STEPS: u32 = 12;
const GROUPS: [&str; 3] = ["dns", "mail", "web"];

/// Pseudo-random numbers (Knuth's linear congruential generator).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u8) -> u8 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let [byte, ..] = self.0.to_be_bytes();
        // Uneven by less than a part in twenty, which is good enough here.
        byte % limit
    }

    fn index(&mut self, length: usize) -> usize {
        usize::from(self.below(u8::try_from(length).unwrap()))
    }

    fn weight(&mut self) -> u32 {
        50 * u32::from(self.below(3))
    }
}

/// What is configured, in the simplest words: the weights of each group's targets, by last octet;
/// and the group of each listener, by last octet.
#[derive(Clone, Debug, Default, PartialEq)]
struct Model {
    groups: BTreeMap<&'static str, BTreeMap<u8, u32>>,
    listeners: BTreeMap<u8, &'static str>,
}

impl Model {
    fn random(random: &mut Random) -> Self {
        let mut model = Self::default();
        for name in GROUPS {
            if random.below(4) > 0 {
                let targets = (0..=random.below(4)).map(|_| (1 + random.below(6), random.weight()));
                model.groups.insert(name, targets.collect());
            }
        }
        let names: Vec<&'static str> = model.groups.keys().copied().collect();
        for octet in 1..=4 {
            if let (Some(name), true) = (names.get(random.index(3)), random.below(2) == 0) {
                model.listeners.insert(octet, name);
            }
        }
        model
    }

    fn document(&self) -> Document {
        let targets = |targets: &BTreeMap<u8, u32>| -> Vec<Value> {
            let address = |octet: &u8| target(*octet).to_string();
            targets
                .iter()
                .map(|(octet, weight)| json!({ "address": address(octet), "weight": weight }))
                .collect()
        };
        let groups: Vec<Value> = self
            .groups
            .iter()
            .map(|(name, all)| {
                json!({
                    "name": name, "protocol": "tcp", "port": 80, "forwarding": "ipip",
                    "targets": targets(all), "attributes": { "deregistration_delay": "0s" },
                })
            })
            .collect();
        let listeners: Vec<Value> = self
            .listeners
            .iter()
            .map(|(octet, group)| {
                json!({
                    "name": format!("l{octet}"), "address": format!("203.0.113.{octet}"),
                    "port": 80, "protocol": "tcp",
                    "default_action": { "forward": { "target_group": group } },
                })
            })
            .collect();
        let all = json!({
            "interfaces": ["eth0"], "target_groups": groups, "listeners": listeners,
        });
        serde_json::from_value(all).unwrap()
    }
}

fn target(octet: u8) -> IpAddr {
    Ipv4Addr::new(10, 0, 1, octet).into()
}

/// The agent without its loop: what is kept, and the maps.
struct Agent<'dir> {
    dir: &'dir Path,
    store: Embedded,
    maps: FakeMaps,
    reconciler: Reconciler<lb_plan::fake::FakeStore>,
    cache: Cache,
    now: u32,
}

impl<'dir> Agent<'dir> {
    fn start(dir: &'dir Path, maps: FakeMaps, now: u32) -> Self {
        let store = Embedded::open(dir).unwrap();
        let reconciler = Reconciler::new(maps.open());
        let mut agent = Self { dir, store, maps, reconciler, cache: Cache::default(), now };
        agent.reconcile();
        agent
    }

    fn restart(self) -> Self {
        let Self { dir, maps, now, store, .. } = self;
        drop(store);
        Self::start(dir, maps, now)
    }

    fn commit(&mut self, document: Document, edit: Option<Edit>) {
        let base = self.store.current().map_or(0, |current| current.head.number);
        let (who, what) = ("test".to_owned(), "step".to_owned());
        config::validate(&document).unwrap();
        self.store
            .commit(Commit { base, who, what, message: String::new(), document, edit })
            .unwrap();
        self.reconcile();
    }

    fn edit(&mut self, edit: Edit) {
        let mut document = self.store.current().unwrap().document.clone();
        edit.apply(&mut document).unwrap();
        self.commit(document, Some(edit));
    }

    fn reconcile(&mut self) {
        let Some(current) = self.store.current() else {
            return;
        };
        let (config, _) = config::validate(&current.document).unwrap();
        // Former targets are gone with the next second: their delay is none. Slots that were armed
        // then are idle, and listeners that switched to another group get its ring.
        let mut idle_slots = BTreeSet::new();
        for _ in 0..4 {
            self.now += 1;
            self.maps.set_now(self.now);
            self.plan(&config, &idle_slots);
            idle_slots = armed(self.reconciler.current().unwrap());
        }
    }

    fn plan(&mut self, config: &Config, idle_slots: &BTreeSet<u32>) {
        let (health, next_hops) = known(config);
        let nobody = BTreeSet::new();
        let plan = self.reconciler.plan(|previous| {
            plan::compile(&Inputs {
                config,
                health: &health,
                drained: &nobody,
                cut: &nobody,
                removed: &[],
                next_hops: &Arc::new(next_hops),
                attached: &BTreeSet::from([1]),
                now: self.now,
                idle_slots,
                previous,
                cache: &self.cache,
            })
        });
        let plan = plan.unwrap();
        self.reconciler.apply(&plan).unwrap();
        self.cache = plan.cache;
    }
}

/// All targets are healthy, and next to the host.
fn known(config: &Config) -> (HealthTable, BTreeMap<IpAddr, NextHopState>) {
    let hop = NextHop {
        interface: 1,
        vlan: 0,
        source_mac: [2; 6],
        destination_mac: [4; 6],
        mtu: 1500,
        on_link: true,
    };
    let healthy = Health { state: TargetState::Healthy, reason: None, detail: String::new() };
    let groups = config.target_groups.iter();
    let targets = groups.flat_map(|group| {
        group.targets.iter().map(|target| TargetKey {
            group: group.name.clone(),
            address: target.address,
            port: target.port,
        })
    });
    let keys: Vec<TargetKey> = targets.collect();
    let hops = keys.iter().map(|key| (key.address, NextHopState::Resolved(hop)));
    (keys.iter().map(|key| (key.clone(), healthy.clone())).collect(), hops.collect())
}

/// Indices of all armed slots.
fn armed(tables: &Tables) -> BTreeSet<u32> {
    let slots = tables.groups.values().flat_map(|group| {
        let slots = (group.ring.base()..).zip(group.slots.iter());
        slots.filter(|(_, slot)| slot.is_armed()).map(|(index, _)| index)
    });
    slots.collect()
}

/// What maps say, in the words of the model: who owns slots of each group that one of these listeners
/// uses, and the group of each of them.
fn shown(tables: &Tables, listeners: &BTreeMap<u8, &'static str>) -> Model {
    let mut shown = Model::default();
    for (key, listener) in &tables.listeners {
        let octet = last(key.address.to_ip(lb_common::Family::V4));
        if !listeners.contains_key(&octet) {
            continue;
        }
        let group = &tables.groups[&listener.group];
        let name = GROUPS.into_iter().find(|name| *name == &*group.name);
        let name = name.unwrap_or_else(|| panic!("listener {octet} has {}", group.name));
        shown.listeners.insert(octet, name);
        let owners: BTreeSet<u16> = group.slots.iter().map(|slot| slot.current).collect();
        let owners = owners.into_iter().filter(|owner| *owner != 0);
        let targets = owners.map(|id| {
            let Target { address, .. } = &tables.targets[&id];
            (last(address.to_ip(lb_common::Family::V4)), 1)
        });
        shown.groups.insert(name, targets.collect());
    }
    shown
}

fn last(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(address) => address.octets()[3],
        IpAddr::V6(_) => 0,
    }
}

/// The same of the model: targets of weight 0 own nothing, unused groups are not visible, and
/// listeners of a group without owners keep their previous owners.
fn expected(model: &Model) -> Model {
    let mut expected = model.clone();
    let serves = |name: &str| model.groups[name].values().any(|weight| *weight > 0);
    expected.listeners.retain(|_, group| serves(group));
    let used = &expected.listeners;
    expected.groups.retain(|name, _| used.values().any(|group| group == name));
    for targets in expected.groups.values_mut() {
        targets.retain(|_, weight| *weight > 0);
        for weight in targets.values_mut() {
            *weight = 1;
        }
    }
    expected
}

/// Ids of targets and listeners, by what they are.
fn ids(tables: &Tables) -> BTreeMap<String, u16> {
    let targets = tables.targets.iter().map(|(id, target)| {
        let group = tables.groups.get(&target.group).map_or("", |group| &*group.name);
        (format!("{group} {:?} {:?}", target.address, target.port), *id)
    });
    let listeners = tables.listeners.iter().map(|(key, one)| (format!("{key:?}"), one.id));
    targets.chain(listeners).collect()
}

fn run(number: u64) {
    let dir = tempfile::Builder::new().prefix("xelb-control").tempdir_in("/dev/shm").unwrap();
    let mut random = Random(number);
    let mut agent = Agent::start(dir.path(), FakeMaps::default(), 1000);
    let mut history = vec![Model::random(&mut random)];
    agent.commit(history[0].document(), None);
    for step in 0..STEPS {
        let mut model = history.last().unwrap().clone();
        let before = ids(&agent.reconciler.current().unwrap().clone());
        let group = GROUPS[random.index(GROUPS.len())];
        let octet = 1 + random.below(6);
        let (name, address, port) = (group.to_owned(), target(octet), None);
        let there = model.groups.get(group).is_some_and(|targets| targets.contains_key(&octet));
        match random.below(6) {
            0 => {
                model = Model::random(&mut random);
                agent.commit(model.document(), None);
            }
            1 => {
                let to = random.index(history.len());
                model = history[to].clone();
                let revision = agent.store.revision(to as u64 + 1).unwrap().unwrap();
                agent.commit(revision.document, None);
            }
            2 => agent = agent.restart(),
            _ if !model.groups.contains_key(group) => continue,
            3 if !there => {
                let weight = random.weight();
                model.groups.get_mut(group).unwrap().insert(octet, weight);
                let weight = Some(weight);
                agent.edit(Edit::AddTarget { group: name, address: address.into(), port, weight });
            }
            4 if there => {
                model.groups.get_mut(group).unwrap().remove(&octet);
                agent.edit(Edit::RemoveTarget { group: name, address: address.into(), port });
            }
            5 if there => {
                let weight = random.weight();
                model.groups.get_mut(group).unwrap().insert(octet, weight);
                agent.edit(Edit::WeighTarget {
                    group: name,
                    address: address.into(),
                    port,
                    weight,
                });
            }
            _ => continue,
        }
        let tables = agent.reconciler.current().unwrap().clone();
        assert_eq!(tables, agent.maps.tables(), "step {step}");
        let expected = expected(&model);
        assert_eq!(shown(&tables, &expected.listeners), expected, "step {step}: {model:?}");
        assert_eq!(tables.listeners.len(), model.listeners.len(), "step {step}: {model:?}");
        for (what, id) in ids(&tables) {
            let former = before.get(&what).copied().unwrap_or(id);
            assert_eq!(id, former, "step {step}: the id of {what} has changed");
        }
        let number = agent.store.current().unwrap().head.number;
        if number > history.len() as u64 {
            history.push(model);
        }
    }
}

#[test]
fn sequences() {
    let seed = env::var("XELB_SEED").ok().map(|seed| seed.parse().unwrap());
    let numbers = seed.map_or(0..SEQUENCES, |seed| seed..seed + 1);
    let begun = std::time::Instant::now();
    for number in numbers {
        let outcome = std::panic::catch_unwind(|| run(number));
        assert!(outcome.is_ok(), "sequence {number} fails: run it with XELB_SEED={number}");
    }
    println!("sequences hold after {:?}", Duration::from_secs(begun.elapsed().as_secs()));
}
