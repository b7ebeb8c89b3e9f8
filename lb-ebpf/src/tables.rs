//! The interface of the data path to its tables.

use lb_common::{
    Be16, FragmentFlow, FragmentKey, Limit, Listener, ListenerKey, RingRef, RingSlot, Slot,
    Switches, Target, Traffic, VipKey,
};

use crate::question::{Answer, Question};

/// Facts for `xelb explain`.
#[derive(Clone, Copy, Debug)]
pub enum Fact {
    /// The listener.
    Listener(Listener),
    /// The slot, by its index.
    Slot(u32),
    /// The target, by its id.
    Target(u16),
    /// The binding that the flow has, by its index.
    Bound(u32),
    /// The flow would get a binding: the port that its target would see, in host byte order, and above it the
    /// number of the pool, or [`lb_common::explain::Explanation::CLIENT`].
    NewBinding(u32),
    /// The packet is an answer.
    Reply,
    /// The flow is remembered.
    Remembered,
    /// It is not remembered, and goes to the home of its slot.
    Home,
}

/// Named counters.
pub trait Count {
    /// Adds one to the counter at this index of the map `COUNTERS`.
    fn count(&self, index: u32);
}

/// Tables of the balancer.
pub trait Tables: Count {
    /// The listener with this exact key.
    fn listener(&self, key: &ListenerKey) -> Option<Listener>;

    /// Whether any listener has this address.
    fn is_vip(&self, key: &VipKey) -> bool;

    /// The listener on a port range or prefix that has this address, protocol and port.
    fn wide_listener(&self, key: &VipKey, protocol: u8, port: u16) -> Option<Listener>;

    /// Whether any listener on a port range or prefix has this address.
    fn is_wide_vip(&self, key: &VipKey) -> bool;

    /// Switches of features.
    fn switches(&self) -> Switches;

    /// Whether one more of these may be sent now; if so, it counts as sent.
    fn allowed(&self, limit: Limit) -> bool;

    /// The monotonic clock, in nanoseconds; may lag by a few milliseconds.
    fn now(&self) -> u64;

    /// The flow of the first fragment of a packet.
    fn fragment(&self, key: &FragmentKey) -> Option<FragmentFlow>;

    /// Remembers the flow of the first fragment of a packet.
    fn learn_fragment(&self, key: &FragmentKey, flow: &FragmentFlow);

    /// Records a fact, in a dry run.
    fn note(&self, _fact: Fact) {}

    /// Whether frames that come in by an interface for this MAC address, as [`lb_common::Mac::to_word`] has it, are for
    /// this host.
    fn takes(&self, interface: u32, mac: u64) -> bool;

    /// Position of the ring of a target group; [`RingRef::NONE`] for an unknown group.
    fn ring(&self, group: u16) -> RingRef;

    /// The owner of the slot at this index.
    fn owner(&self, index: usize) -> RingSlot;

    /// The whole armed slot; it may have been disarmed since.
    fn armed(&self, index: usize) -> Slot;

    /// The target with this id, if there is one.
    fn target(&self, id: u16) -> Option<&Target>;

    /// The destination of a packet that needs the flow memory: see [`crate::recall::answer`].
    fn recall(&self, asked: &Question) -> Answer;

    /// A word of the key of the flow hash; see [`crate::flow_hash::keys`].
    fn hash_key(&self, index: usize) -> u64;

    /// Adds traffic to that of a listener.
    fn count_listener(&self, id: u16, traffic: Traffic);

    /// Adds traffic to that of a target.
    fn count_target(&self, id: u16, traffic: Traffic);
}

/// Tables of the decapsulator.
pub trait DecapTables: Count {
    /// Whether this is an address of the host: only packets for it are unwrapped.
    fn is_local(&self, key: &VipKey) -> bool;

    /// Whether tunnel packets from this address are unwrapped.
    fn is_allowed(&self, key: &VipKey) -> bool;

    /// Whether this is a VIP of the host: only packets for VIPs may come out of a tunnel.
    fn may_receive(&self, key: &VipKey) -> bool;

    /// The UDP port that GUE is unwrapped at.
    fn gue_port(&self) -> Be16;
}
