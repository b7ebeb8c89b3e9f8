//! What the agent computes between a request and its writes to the maps: rings, plans, changes. No
//! kernel, no disk, no network. `cargo xtask bench control-plane`, or `cargo bench -p lb-tests`.

use std::{
    collections::BTreeSet,
    hint::black_box,
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};

use criterion::{BatchSize, BenchmarkId, Criterion, criterion_group, criterion_main};
use lb_agent::ArmedAges;
use lb_common::target::TargetState;
use lb_config::{self as config, Checker, Config, Document, Edit, TargetKey};
use lb_plan::{
    self as plan, Health, HealthTable, Inputs, NextHop, NextHopState, NextHops, Plan,
    maglev::{self, Member},
};

/// Targets in all groups together, ten in each.
const SIZES: [u16; 5] = [1, 10, 100, 1000, 10_000];

/// Targets of a group.
const GROUP: u16 = 10;

/// A configuration, and all that a plan needs besides.
struct World {
    document: Document,
    config: Config,
    health: HealthTable,
    next_hops: Arc<NextHops>,
    plan: Plan,
}

impl World {
    fn new(targets: u16) -> Self {
        let parsed = config::parse(&text(targets), "bench");
        let (document, config, _) = parsed.expect("the configuration is valid");
        let healthy = Health { state: TargetState::Healthy, reason: None, detail: String::new() };
        let health = config.target_groups.iter().flat_map(|group| {
            group.targets.iter().map(|target| {
                let (group, address) = (group.name.clone(), target.address);
                (TargetKey { group, address, port: target.port }, healthy.clone())
            })
        });
        let hop = NextHopState::Resolved(NextHop {
            interface: 1,
            vlan: 0,
            source_mac: [2, 0, 0, 0, 0, 1],
            destination_mac: [2, 0, 0, 0, 0, 3],
            mtu: 1500,
            on_link: true,
        });
        let next_hops: NextHops =
            (0..targets).map(|number| (address(number), hop.clone())).collect();
        let next_hops = Arc::new(next_hops);
        let health = health.collect();
        let mut world = Self { document, config, health, next_hops, plan: Plan::default() };
        world.plan = world.compile(&world.config);
        // A group is cached from the second plan on, as in an agent that has run for a while.
        world.plan = world.compile(&world.config);
        world
    }

    fn compile(&self, config: &Config) -> Plan {
        let inputs = Inputs {
            config,
            health: &self.health,
            drained: &BTreeSet::new(),
            cut: &BTreeSet::new(),
            removed: &[],
            next_hops: &self.next_hops,
            attached: &BTreeSet::new(),
            now: 1,
            idle_slots: &BTreeSet::new(),
            previous: &self.plan.tables,
            cache: &self.plan.cache,
        };
        plan::compile(&inputs).expect("the configuration fits")
    }

    /// What has checked the configuration.
    fn checker(&self) -> Checker {
        let mut checker = Checker::default();
        let _known = checker.check(&self.document).expect("the configuration is valid");
        checker
    }

    /// The weight of one target in the middle.
    fn edit(&self) -> Edit {
        let group = self.config.target_groups.len() / 2;
        let group = self.config.target_groups.get(group).expect("there is a group");
        let target = group.targets.first().expect("it has a target");
        Edit::WeighTarget {
            group: group.name.to_string(),
            address: target.address.into(),
            port: None,
            weight: 50,
        }
    }
}

fn address(number: u16) -> IpAddr {
    let [high, low] = number.to_be_bytes();
    Ipv4Addr::new(10, 9, high, low).into()
}

fn text(targets: u16) -> String {
    use std::fmt::Write as _;

    let groups = targets.div_ceil(GROUP);
    let mut text = "interfaces: [eth0]\ntarget_groups:\n".to_owned();
    for group in 0..groups {
        let _written = write!(
            text,
            "  - name: group-{group}\n    protocol: tcp\n    port: 80\n    forwarding: ipip\n    \
             targets:\n"
        );
        for number in (group * GROUP)..((group + 1) * GROUP).min(targets) {
            let _written = writeln!(text, "      - {{ address: {} }}", address(number));
        }
    }
    text.push_str("listeners:\n");
    for group in 0..groups {
        let [high, low] = group.to_be_bytes();
        let _written = writeln!(
            text,
            "  - {{ name: listener-{group}, address: 203.0.{}.{low}, port: 80, protocol: tcp, \
             default_action: {{ forward: {{ target_group: group-{group} }} }} }}",
            113 + high
        );
    }
    text
}

/// A ring that is built from scratch, for targets of different weights.
fn rings(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("ring");
    for targets in [10_u16, 100, 1000, 10_000] {
        let members: Vec<Member> = (0..targets)
            .map(|number| Member {
                id: number + 1,
                identity: maglev::identity(address(number), 80),
                weight: u32::from(number % 100 + 1),
            })
            .collect();
        let bits = maglev::ring_bits(members.len(), None);
        let id = BenchmarkId::new(format!("{} slots", 1_u32 << bits), targets);
        group.bench_function(id, |bencher| {
            bencher.iter(|| maglev::build(black_box(&members), bits));
        });
        if targets == 1000 {
            group.bench_function("65536 slots/1000", |bencher| {
                bencher.iter(|| maglev::build(black_box(&members), 16));
            });
        }
    }
    group.finish();
}

/// Each step of a change of one target's weight, and all of them.
fn changes(criterion: &mut Criterion) {
    for targets in SIZES {
        let world = World::new(targets);
        let edit = world.edit();
        let mut group = criterion.benchmark_group(format!("change/{targets} targets"));
        group.bench_function("edit the document", |bencher| {
            bencher.iter_batched(|| (), |()| edited(&world.document, &edit), BatchSize::LargeInput);
        });
        let document = edited(&world.document, &edit);
        group.bench_function("check it", |bencher| {
            let check = |mut checker: Checker| (checker.check(black_box(&document)), checker);
            bencher.iter_batched(|| world.checker(), check, BatchSize::LargeInput);
        });
        let (changed, _) = config::validate(&document).expect("the change is valid");
        group.bench_function("plan", |bencher| {
            bencher.iter_with_large_drop(|| world.compile(black_box(&changed)));
        });
        let wanted = world.compile(&changed).tables;
        group.bench_function("difference", |bencher| {
            bencher.iter_with_large_drop(|| plan::diff(&world.plan.tables, black_box(&wanted)));
        });
        // What an agent does with every plan while any slot is armed.
        group.bench_function("ages of armed slots", |bencher| {
            let mut ages = ArmedAges::new(86_400);
            let mut now = 1;
            bencher.iter(|| {
                now += 1;
                let tables = if now % 2 == 0 { &wanted } else { &world.plan.tables };
                ages.update(black_box(tables), now);
            });
        });
        group.bench_function("all", |bencher| {
            let all = |mut checker: Checker| {
                let document = edited(&world.document, &edit);
                let (config, _) = checker.check(&document).expect("the change is valid");
                let plan = world.compile(&config);
                let operations = plan::diff(&world.plan.tables, &plan.tables);
                (document, config, plan, operations, checker)
            };
            bencher.iter_batched(|| world.checker(), all, BatchSize::LargeInput);
        });
        group.finish();
    }
}

fn edited(document: &Document, edit: &Edit) -> Document {
    let mut document = document.clone();
    edit.apply(&mut document).expect("the target is there");
    document
}

criterion_group!(benches, rings, changes);
criterion_main!(benches);
