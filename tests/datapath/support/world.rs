//! The same tables on both sides, and what happens to a frame on both.

use std::{collections::BTreeMap, net::IpAddr};

use lb_common::{
    Address, Be16, Counter, DropReason, Family, Listener, ListenerKey, Mac, Mode, Pool, RingRef,
    Slot, Switches, Target, Traffic, VipKey, WideKey, WideListeners, head::HeadFields,
    listener::protocol,
};
use lb_dataplane::StatsSource;
use lb_ebpf::{
    Verdict,
    host::{MemoryTables, VecPacket},
};
use lb_plan::{MapOp, MapStore as _, SlotWrites, WidePrefix};

use super::{
    frames::{BALANCER_MAC, TARGET_MAC, VIP_V4, VIP_V6, shown},
    kernel::{Balancer, Decapsulator, FRAME_BYTES_MIN, Ran, SEED},
};

/// Interface that TEST_RUN says frames came in by: loopback.
pub(crate) const INGRESS: u32 = 1;

/// The target of the group that cases use; its number is that of its group, too.
pub(crate) const TARGET: u16 = 1;

/// Ports of listeners whose groups are broken, each in its way.
pub(crate) const PORT_NO_RING: u16 = 81;
pub(crate) const PORT_NO_OWNER: u16 = 82;
pub(crate) const PORT_NO_TARGET: u16 = 83;
pub(crate) const PORT_UNRESOLVED: u16 = 84;
pub(crate) const PORT_BAD_MODE: u16 = 85;
/// The good ones.
pub(crate) const PORT_TCP: u16 = 80;
pub(crate) const PORT_UDP: u16 = 53;

/// Everything on, no limit: host and kernel have different clocks.
pub(crate) const SWITCHES: Switches =
    Switches { flags: Switches::ECHO_REPLY | Switches::WIDE_LISTENERS, icmp_rate: u32::MAX };

const BITS: u8 = 12;
const MTU: u16 = 1500;

/// The target, untagged; in mode gue with the header, at port 0.
pub(crate) fn target(mode: Mode, address: IpAddr) -> Target {
    target_by(&fields(mode, address))
}

/// How the target is reached.
pub(crate) fn fields(mode: Mode, address: IpAddr) -> HeadFields {
    HeadFields {
        mode,
        address,
        destination_mac: Mac::new(TARGET_MAC),
        source_mac: Mac::new(BALANCER_MAC),
        vlan: Be16::default(),
        outer_source: match address {
            IpAddr::V4(_) => Address::v4([172, 16, 0, 0]),
            IpAddr::V6(_) => Address::v6([1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
        },
        gue_port: Be16::default(),
        gue_variant: 0,
    }
}

/// The target, reached this way.
pub(crate) fn target_by(fields: &HeadFields) -> Target {
    let target = Target {
        flags: Target::VALID | Target::RESOLVED,
        group: TARGET,
        port: Be16::new(PORT_TCP),
        mtu: MTU,
        interface: INGRESS,
        ..Target::default()
    };
    target.by(fields)
}

/// What happened to a frame, on both sides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) verdict: Verdict,
    pub(crate) frame: Vec<u8>,
    /// Every counter that changed, by name.
    pub(crate) counted: BTreeMap<String, u64>,
}

/// A program on host and kernel, with the same tables.
pub(crate) trait Sides {
    /// What the host's build does.
    fn run_host(&self, frame: &[u8]) -> (Verdict, Vec<u8>);

    /// What the kernel's build does.
    fn run_kernel(&mut self, frame: &[u8]) -> Ran;

    /// The host's counters that are not zero, by name.
    fn host_counters(&self) -> BTreeMap<String, u64>;

    /// The kernel's counters that are not zero, by name.
    fn kernel_counters(&self) -> BTreeMap<String, u64>;

    /// What both builds do; panics when they differ.
    fn run(&mut self, name: &str, frame: &[u8]) -> Outcome {
        let before = (self.host_counters(), self.kernel_counters());
        let (verdict, bytes) = self.run_host(frame);
        if frame.len() >= FRAME_BYTES_MIN {
            agree(name, frame, verdict, &bytes, &self.run_kernel(frame));
        }
        let counted = difference(&before.0, &self.host_counters());
        if frame.len() >= FRAME_BYTES_MIN {
            let in_kernel = difference(&before.1, &self.kernel_counters());
            assert_eq!(counted, in_kernel, "{name}: counters of host and kernel");
        }
        Outcome { verdict, frame: bytes, counted }
    }
}

/// The balancer.
pub(crate) struct World {
    pub(crate) host: MemoryTables,
    pub(crate) kernel: Balancer,
}

fn vips() -> [(Family, Address); 2] {
    [(Family::V4, Address::v4(VIP_V4)), (Family::V6, Address::v6(VIP_V6))]
}

impl World {
    /// Tables with every listener; the target is set by [`World::set_target`]. In a sandbox.
    pub(crate) fn new() -> Self {
        let host = MemoryTables { seed: SEED, ..MemoryTables::default() };
        let mut world = Self { host, kernel: Balancer::load() };
        world.set_target(TARGET, target(Mode::Ipip, [10, 0, 0, 11].into()));
        let mut unresolved = target(Mode::Ipip, [10, 0, 0, 12].into());
        unresolved.flags = Target::VALID;
        world.set_target(4, unresolved);
        let mut bad_mode = target(Mode::Ipip, [10, 0, 0, 13].into());
        bad_mode.shape = 99;
        world.set_target(5, bad_mode);
        // Group number, owner of its slots.
        for (group, owner) in [(1, Some(1)), (2, Some(0)), (3, Some(3)), (4, Some(4)), (5, Some(5))]
        {
            world.add_ring(group, owner);
        }
        let listeners = [
            (PORT_TCP, protocol::TCP, 1),
            (PORT_UDP, protocol::UDP, 1),
            (PORT_NO_RING, protocol::TCP, 6),
            (PORT_NO_OWNER, protocol::TCP, 2),
            (PORT_NO_TARGET, protocol::TCP, 3),
            (PORT_UNRESOLVED, protocol::TCP, 4),
            (PORT_BAD_MODE, protocol::TCP, 5),
        ];
        for (family, address) in vips() {
            for (id, (port, protocol, group)) in (1..).zip(listeners) {
                let id = id + if family == Family::V6 { 100 } else { 0 };
                let key = ListenerKey::new(family, address, Be16::new(port), protocol);
                world.add_listener(key, Listener { id, group, idle_timeout: 350, flags: 0 });
            }
        }
        world.set_switches(SWITCHES);
        world
    }

    fn apply(&mut self, operation: &MapOp) {
        self.kernel.store.apply(operation).unwrap();
    }

    pub(crate) fn set_target(&mut self, id: u16, target: Target) {
        self.host.targets.insert(id, target);
        let fresh = false;
        self.apply(&MapOp::PutTarget { id, target, fresh });
    }

    pub(crate) fn set_switches(&mut self, switches: Switches) {
        self.host.switches = switches;
        self.apply(&MapOp::PutSwitches(switches));
    }

    /// Adds a pool.
    pub(crate) fn add_pool(&mut self, number: u8, pool: Pool) {
        self.host.nat.pools.insert(number.into(), pool);
        self.apply(&MapOp::PutPool { number, pool });
    }

    /// The same clock on both sides, as far as seconds go.
    pub(crate) fn tick(&mut self) {
        let now = nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC).unwrap();
        self.host.now.set(std::time::Duration::from(now).as_nanos().try_into().unwrap());
    }

    pub(crate) fn set_wide(&mut self, prefix: WidePrefix, listeners: WideListeners) {
        self.host.wide_listeners.insert((prefix.length, prefix.key), listeners);
        self.apply(&MapOp::PutWide { prefix, listeners, fresh: Vec::new() });
    }

    pub(crate) fn add_ring(&mut self, group: u16, owner: Option<u16>) {
        let Some(owner) = owner else { return };
        let base = u32::from(group) << BITS;
        let ring = RingRef::new(base, BITS);
        let slots: Vec<(u32, Slot)> =
            (base..base + (1 << BITS)).map(|index| (index, Slot::unarmed(owner))).collect();
        self.host.rings.insert(group, ring);
        self.host.slots.extend(slots.iter().map(|(index, slot)| (*index as usize, *slot)));
        self.apply(&MapOp::WriteSlots(SlotWrites::Each(slots)));
        let name = format!("group-{group}").into();
        self.apply(&MapOp::PutGroup { id: group, name, ring });
    }

    /// Writes one slot.
    pub(crate) fn set_slot(&mut self, index: u32, slot: Slot) {
        self.host.slots.insert(index as usize, slot);
        self.apply(&MapOp::WriteSlots(SlotWrites::Each(vec![(index, slot)])));
    }

    /// Makes every slot of a group this one.
    pub(crate) fn set_slots(&mut self, group: u16, slot: Slot) {
        let base = u32::from(group) << BITS;
        let slots: Vec<(u32, Slot)> =
            (base..base + (1 << BITS)).map(|index| (index, slot)).collect();
        self.host.slots.extend(slots.iter().map(|(index, slot)| (*index as usize, *slot)));
        self.apply(&MapOp::WriteSlots(SlotWrites::Each(slots)));
    }

    pub(crate) fn add_listener(&mut self, key: ListenerKey, listener: Listener) {
        self.host.listeners.insert(key, listener);
        self.host.addresses.insert(key.vip(), 1);
        let fresh = false;
        self.apply(&MapOp::PutListener { key, listener, fresh });
        self.apply(&MapOp::PutVip(key.vip()));
    }
}

impl Sides for World {
    fn run_host(&self, frame: &[u8]) -> (Verdict, Vec<u8>) {
        let mut packet = VecPacket::new(frame, INGRESS);
        let verdict = lb_ebpf::process(&mut packet, &self.host);
        (verdict, packet.bytes().to_vec())
    }

    fn run_kernel(&mut self, frame: &[u8]) -> Ran {
        self.kernel.run(frame)
    }

    fn host_counters(&self) -> BTreeMap<String, u64> {
        let counters = self.host.counters.borrow();
        let mut all = named(|index| counters.get(&index).copied().unwrap_or(0));
        add_traffic(&mut all, "listener", &self.host.listener_traffic.borrow());
        add_traffic(&mut all, "target", &self.host.target_traffic.borrow());
        all
    }

    fn kernel_counters(&self) -> BTreeMap<String, u64> {
        let ids: Vec<u16> = (0..16).chain(100..116).collect();
        let stats = StatsSource::new(&self.kernel.folder).read(&ids, &ids).unwrap();
        let mut all = BTreeMap::new();
        for (reason, value) in &stats.drops {
            all.insert(reason.name().to_owned(), *value);
        }
        for (counter, value) in &stats.counters {
            all.insert(counter.name().to_owned(), *value);
        }
        add_traffic(&mut all, "listener", &stats.listeners);
        add_traffic(&mut all, "target", &stats.targets);
        all.retain(|_, value| *value > 0);
        all
    }
}

fn named(value: impl Fn(u32) -> u64) -> BTreeMap<String, u64> {
    let reasons = DropReason::ALL.iter().map(|reason| (reason.name(), reason.index()));
    let counters = Counter::ALL.iter().map(|counter| (counter.name(), counter.index()));
    reasons
        .chain(counters)
        .map(|(name, index)| (name.to_owned(), value(index)))
        .filter(|(_, value)| *value > 0)
        .collect()
}

fn add_traffic(all: &mut BTreeMap<String, u64>, what: &str, traffic: &BTreeMap<u16, Traffic>) {
    for (id, Traffic { packets, bytes }) in traffic {
        if *packets > 0 {
            all.insert(format!("{what} {id} packets"), *packets);
            all.insert(format!("{what} {id} bytes"), *bytes);
        }
    }
}

pub(crate) fn difference(
    before: &BTreeMap<String, u64>,
    after: &BTreeMap<String, u64>,
) -> BTreeMap<String, u64> {
    after
        .iter()
        .map(|(name, value)| (name.clone(), value - before.get(name).copied().unwrap_or(0)))
        .filter(|(_, value)| *value > 0)
        .collect()
}

/// The XDP action of a verdict (linux/bpf.h). A redirect to an interface that the map of devices
/// does not have is aborted.
pub(crate) fn action(verdict: Verdict) -> u32 {
    match verdict {
        Verdict::Pass => 2,
        Verdict::Drop(_) => 1,
        Verdict::Transmit => 3,
        Verdict::Redirect(_) => 4,
    }
}

pub(crate) fn agree(name: &str, frame: &[u8], verdict: Verdict, bytes: &[u8], kernel: &Ran) {
    assert!(
        kernel.action == action(verdict) && kernel.frame == bytes,
        "{name}: host and kernel differ\ngiven {}\nhost says {verdict:?}: {}\nkernel says {}: {}",
        shown(frame),
        shown(bytes),
        kernel.action,
        shown(&kernel.frame),
    );
}

/// The port at which the decapsulator takes GUE.
pub(crate) const GUE_PORT: u16 = 6080;

/// The decapsulator on both sides.
pub(crate) struct DecapWorld {
    pub(crate) host: MemoryTables,
    pub(crate) kernel: Decapsulator,
}

impl DecapWorld {
    /// A target with these addresses and the VIPs that takes tunnel packets from anybody.
    pub(crate) fn new(addresses: &[IpAddr]) -> Self {
        Self::with(addresses, &[], &[])
    }

    /// A target that takes tunnel packets from these prefixes, and has these prefixes of VIPs, too.
    pub(crate) fn with(
        addresses: &[IpAddr],
        sources: &[(u32, WideKey)],
        prefixes: &[(u32, WideKey)],
    ) -> Self {
        let keys: Vec<VipKey> = addresses
            .iter()
            .map(|address| VipKey::new(Family::from(address), Address::from(*address)))
            .collect();
        let vips = vips();
        let whole = |(family, address)| (WideKey::FAMILY_BITS + 128, WideKey::new(family, address));
        let host = MemoryTables {
            addresses: keys.iter().map(|key| (*key, 1)).collect(),
            sources: sources.iter().copied().collect(),
            vips: vips.map(whole).into_iter().chain(prefixes.iter().copied()).collect(),
            gue_port: Be16::new(GUE_PORT),
            ..MemoryTables::default()
        };
        let vips = vips.map(|(family, address)| VipKey::new(family, address));
        Self { host, kernel: Decapsulator::load(&keys, GUE_PORT, sources, &vips, prefixes) }
    }
}

impl Sides for DecapWorld {
    fn run_host(&self, frame: &[u8]) -> (Verdict, Vec<u8>) {
        let mut packet = VecPacket::new(frame, INGRESS);
        let verdict = lb_ebpf::decap::process(&mut packet, &self.host);
        (verdict, packet.bytes().to_vec())
    }

    fn run_kernel(&mut self, frame: &[u8]) -> Ran {
        self.kernel.run(frame)
    }

    fn host_counters(&self) -> BTreeMap<String, u64> {
        let counters = self.host.counters.borrow();
        named(|index| counters.get(&index).copied().unwrap_or(0))
    }

    fn kernel_counters(&self) -> BTreeMap<String, u64> {
        named(|index| self.kernel.counter(index))
    }
}

/// Tests that run in a sandbox of their own, with a bpffs.
macro_rules! in_sandbox {
    ($( fn $name:ident() $body:block )*) => {$(
        #[test]
        fn $name() {
            let result = lb_tests::sandbox::run(|_sandbox| -> Result<(), lb_tests::Error> {
                $body
                Ok(())
            });
            result.unwrap();
        }
    )*};
}

pub(crate) use in_sandbox;
