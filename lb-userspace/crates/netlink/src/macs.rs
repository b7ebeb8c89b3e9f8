//! The MAC addresses that the interfaces of this host take frames for: PURE except for
//! [`MacWatch`], which asks the kernel, and tells when to ask again.

use std::{collections::BTreeMap, io};

use netlink_packet_core::NlasIterator;

use super::{
    ResolverError, decode, encode,
    netlink::{Events, LINK_GROUPS, Requests},
};

const LINK_HEADER_LEN: usize = 16;
const IFLA_ADDRESS: u16 = 1;
const IFLA_LINK: u16 = 5;
const IFLA_LINKINFO: u16 = 18;
const IFLA_INFO_KIND: u16 = 1;

/// Kinds of interfaces that take frames from the wire of another one, with an address of their own.
const UPPER_KINDS: [&str; 3] = ["macvlan", "macvtap", "vlan"];

/// What of an interface matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Device {
    mac: [u8; 6],
    /// Index of the interface whose frames it takes, if it is an upper one.
    lower: Option<u32>,
}

/// The devices of this host, by index.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Macs {
    devices: BTreeMap<u32, Device>,
}

impl Macs {
    /// MAC addresses whose frames an interface accepts: its own first, then those of the interfaces
    /// on top of it (virtual routers, VLANs). Empty when it is not known.
    #[must_use]
    pub fn of(&self, interface: u32) -> Vec<[u8; 6]> {
        let Some(device) = self.devices.get(&interface) else {
            return Vec::new();
        };
        let mut all = vec![device.mac];
        let uppers = self.devices.iter().filter(|(index, _)| self.is_on_top_of(**index, interface));
        for (_, upper) in uppers {
            if !all.contains(&upper.mac) {
                all.push(upper.mac);
            }
        }
        all
    }

    /// Whether an interface is on top of another, directly or indirectly.
    fn is_on_top_of(&self, index: u32, interface: u32) -> bool {
        let lower = |index: &u32| self.devices.get(index).and_then(|device| device.lower);
        // As deep as the kernel allows it (MAX_NEST_DEV).
        std::iter::successors(lower(&index), lower).take(8).any(|lower| lower == interface)
    }
}

/// From a message about an interface.
fn device(message: decode::Message<'_>) -> Option<(u32, Device)> {
    if message.kind != libc::RTM_NEWLINK {
        return None;
    }
    let header = decode::link_header(message.payload)?;
    let (mut mac, mut link, mut upper) = (None, None, false);
    for (kind, value) in decode::attributes(message.payload, LINK_HEADER_LEN) {
        match kind {
            IFLA_ADDRESS => mac = value.try_into().ok(),
            IFLA_LINK => link = decode::number(value),
            IFLA_LINKINFO => upper = is_upper(value),
            _ => {}
        }
    }
    let lower = if upper { link } else { None };
    Some((header.index, Device { mac: mac?, lower }))
}

/// From IFLA_LINKINFO.
fn is_upper(info: &[u8]) -> bool {
    NlasIterator::new(info).map_while(Result::ok).any(|attribute| {
        attribute.kind() == IFLA_INFO_KIND
            && UPPER_KINDS.contains(&decode::text(attribute.value()).as_str())
    })
}

/// Follows the MAC addresses of this host.
pub struct MacWatch {
    events: Events,
    requests: Requests,
}

impl std::fmt::Debug for MacWatch {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("MacWatch").finish_non_exhaustive()
    }
}

impl MacWatch {
    /// Starts to follow them in the network namespace of the calling thread, inside a tokio runtime.
    pub fn start() -> Result<Self, ResolverError> {
        // Events first: what changes after the first question is then seen for sure.
        Ok(Self { events: Events::of(&LINK_GROUPS)?, requests: Requests::open()? })
    }

    /// Waits until an interface has changed. Safe to cancel: nothing is lost.
    pub async fn changed(&mut self) -> io::Result<()> {
        self.events.next().await.map(drop)
    }

    /// What they are now.
    pub async fn macs(&mut self) -> io::Result<Macs> {
        let devices = self.requests.dump(encode::all_links(), device).await?;
        Ok(Macs { devices: devices.into_iter().collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interface_accepts_macs_of_stacked_interfaces() {
        let at = |last: u8, lower| Device { mac: [2, 0, 0, 0, 0, last], lower };
        let macs = Macs {
            devices: [
                (2, at(2, None)),
                (3, at(3, Some(2))),
                (4, at(2, Some(2))),
                (5, at(5, Some(4))),
                (6, at(6, None)),
                // Upon each other: no kernel says that, and it must end.
                (7, at(7, Some(8))),
                (8, at(8, Some(7))),
            ]
            .into(),
        };
        let last = |interface| macs.of(interface).iter().map(|mac| mac[5]).collect::<Vec<_>>();
        assert_eq!(last(2), [2, 3, 5]);
        assert_eq!(last(6), [6]);
        assert_eq!(last(9), Vec::<u8>::new());
        assert_eq!(last(7), [7, 8]);
    }
}
