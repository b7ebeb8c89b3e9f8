//! What the tests of plans share: a small world that is quickly described.

mod backups;
mod entries;
mod life;
mod properties;
mod rules;
mod sizes;
mod speed;
mod standing;
mod table_collisions;
mod transition;
mod waiting;

use std::{collections::BTreeSet, net::IpAddr, sync::Arc, time::Duration};

use lb_common::{Mode, target::TargetState};
use lb_config::{
    Config, Gue, HealthCheck, HealthProtocol, Icmp, Life, Listener, Ports, Protocol, Target,
    TargetGroup, TargetKey, Tunnel, UdpFlows, Via,
};

use super::*;
use crate::{Health, HealthTable, NextHop, NextHopState, NextHops, Reason};

/// All that a plan depends on but for what was before.
#[derive(Clone, Debug)]
struct World {
    config: Config,
    health: HealthTable,
    drained: BTreeSet<TargetKey>,
    attached: BTreeSet<u32>,
    idle_slots: BTreeSet<u32>,
    cut: BTreeSet<TargetKey>,
    removed: Vec<Arc<TargetGroup>>,
    now: u32,
    next_hops: Arc<NextHops>,
}

impl World {
    fn new() -> Self {
        Self {
            config: Config {
                interfaces: vec!["eth0".to_owned()],
                tunnel: Tunnel {
                    source_ipv4: "172.16.0.0/16".parse().unwrap(),
                    source_ipv6: "100::/64".parse().unwrap(),
                },
                source_nat: None,
                icmp: Icmp::default(),
                hash_seed: None,
                hash_seed_file: None,
                dns_servers: Vec::new(),
                on_event: Vec::new(),
                target_groups: Vec::new(),
                listeners: Vec::new(),
                http_target_groups: Vec::new(),
                http_listeners: Vec::new(),
                tls_listeners: Vec::new(),
                tags: Arc::default(),
            },
            health: HealthTable::default(),
            drained: BTreeSet::new(),
            next_hops: Arc::default(),
            attached: BTreeSet::from([5]),
            idle_slots: BTreeSet::new(),
            cut: BTreeSet::new(),
            removed: Vec::new(),
            now: 1000,
        }
    }

    fn group(&mut self, name: &str, forwarding: Mode) -> &mut Self {
        self.config.target_groups.push(Arc::new(TargetGroup {
            name: name.into(),
            protocol: Protocol::Tcp,
            port: 80,
            forwarding,
            targets: Vec::new(),
            names: Vec::new(),
            health_check: HealthCheck {
                protocol: HealthProtocol::Tcp,
                port: None,
                via: Via::Address,
                interval: Duration::from_secs(5),
                timeout: Duration::from_secs(2),
                healthy_threshold: 3,
                unhealthy_threshold: 2,
                inconclusive_timeout: None,
            },
            life: Life::default(),
            gue: Gue::default(),
            tcp_mss: None,
            scaling: None,
        }));
        self
    }

    /// Adds a target to the last group; its next hop is known unless `next_hops` says otherwise.
    fn target(&mut self, address: IpAddr, weight: u32, health: Option<TargetState>) -> TargetKey {
        let group = Arc::make_mut(self.config.target_groups.last_mut().unwrap());
        group.targets.push(Target { address, port: 80, weight, backup: false });
        let key = TargetKey { group: group.name.clone(), address, port: 80 };
        if let Some(state) = health {
            self.health.insert(key.clone(), verdict(state));
        }
        let hop = NextHopState::Resolved(hop(1, true));
        Arc::make_mut(&mut self.next_hops).entry(address).or_insert(hop);
        key
    }

    fn listener(&mut self, address: &str, group: &str) -> &mut Self {
        self.config.listeners.push(Arc::new(Listener {
            name: format!("{address}-{group}"),
            address: address.parse::<IpAddr>().unwrap().into(),
            ports: Ports::one(80),
            protocol: Protocol::Tcp,
            idle_timeout: Protocol::Tcp.idle_timeout(),
            udp_flows: UdpFlows::default(),
            allow_own_address: false,
            target_group: group.to_owned(),
            sorry_target_group: None,
        }));
        self
    }

    fn first_group(&mut self) -> &mut TargetGroup {
        Arc::make_mut(self.config.target_groups.first_mut().unwrap())
    }

    fn last_listener(&mut self) -> &mut Listener {
        Arc::make_mut(self.config.listeners.last_mut().unwrap())
    }

    fn plan(&self, previous: &Tables, cache: &Cache) -> Result<Plan, PlanError> {
        compile(&Inputs {
            attached: &self.attached,
            config: &self.config,
            health: &self.health,
            drained: &self.drained,
            cut: &self.cut,
            removed: &self.removed,
            next_hops: &self.next_hops,
            now: self.now,
            idle_slots: &self.idle_slots,
            previous,
            cache,
        })
    }

    fn first_plan(&self) -> Result<Plan, PlanError> {
        self.plan(&Tables::default(), &Cache::default())
    }
}

/// What was known of groups before saves time, and changes nothing.
fn assert_alike(plan: &Plan, anew: &Plan) {
    assert_eq!(plan.tables, anew.tables);
    assert!(plan.targets.iter().eq(&anew.targets), "{:?} {:?}", plan.targets, anew.targets);
    assert_eq!((&plan.warnings, plan.next_change), (&anew.warnings, anew.next_change));
    assert_eq!(plan.cache.armed(), anew.cache.armed());
}

fn verdict(state: TargetState) -> Health {
    Health {
        state,
        reason: match state {
            TargetState::Healthy => None,
            TargetState::Unhealthy => Some(Reason::Timeout),
            _ => Some(Reason::InitialHealthChecking),
        },
        detail: match state {
            TargetState::Unhealthy => "no answer within 2 s".to_owned(),
            _ => String::new(),
        },
    }
}

const fn hop(interface: u32, on_link: bool) -> NextHop {
    NextHop {
        vlan: 0,
        interface,
        source_mac: [2, 0, 0, 0, 0, 1],
        destination_mac: [2, 0, 0, 0, 0, 2],
        mtu: 1500,
        on_link,
    }
}

/// 10.0.x.y, from a number.
fn v4(number: u16) -> IpAddr {
    let [high, low] = number.to_be_bytes();
    IpAddr::from([10, 0, high, low])
}
