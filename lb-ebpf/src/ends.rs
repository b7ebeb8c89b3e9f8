//! Both ends of a packet: addresses and ports, of one direction of a flow.

use lb_common::{Address, Be16, Binding};

use crate::Datagram;

/// Both ends of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ends {
    pub(crate) source: Address,
    pub(crate) destination: Address,
    pub(crate) source_port: Be16,
    pub(crate) destination_port: Be16,
}

impl Ends {
    /// Those of a flow.
    #[inline(always)]
    pub(crate) const fn of(flow: &Datagram) -> Self {
        Self {
            source: flow.source,
            destination: flow.destination,
            source_port: flow.source_port,
            destination_port: flow.destination_port,
        }
    }

    /// The client's side.
    #[inline(always)]
    pub(crate) const fn from_client(binding: &Binding) -> Self {
        Self {
            source: binding.client,
            destination: binding.vip,
            source_port: binding.client_port,
            destination_port: binding.vip_port,
        }
    }

    /// The target's side.
    #[inline(always)]
    pub(crate) const fn to_target(binding: &Binding) -> Self {
        Self {
            source: binding.local,
            destination: binding.target_address,
            source_port: binding.local_port,
            destination_port: binding.target_port,
        }
    }

    /// The other direction.
    #[inline(always)]
    pub(crate) const fn turned(self) -> Self {
        Self {
            source: self.destination,
            destination: self.source,
            source_port: self.destination_port,
            destination_port: self.source_port,
        }
    }
}
