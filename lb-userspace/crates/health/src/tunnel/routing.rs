//! Routing of marked packets to the TUN device: a separate routing table with a default route, and
//! a rule that sends marked packets there. Nothing else on the host has the mark, and nothing else
//! looks into the table: unmarked traffic does not notice.
//!
//! The route goes with the device. The rule stays when the agent is killed: [`remove`] finds it by
//! mark and table, regardless of who created it.

use std::{io, net::IpAddr, time::Duration};

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE, NLM_F_REQUEST, NetlinkHeader,
    NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::{
    AddressFamily, RouteNetlinkMessage,
    link::{AfSpecInet6, AfSpecUnspec, In6AddrGenMode, LinkAttribute, LinkFlags, LinkMessage},
    route::{RouteAttribute, RouteMessage, RouteProtocol, RouteScope, RouteType},
    rule::{RuleAction, RuleAttribute, RuleMessage},
};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};
use nix::sys::{
    socket::{setsockopt, sockopt::ReceiveTimeout},
    time::TimeVal,
};

use super::{TunnelError, instance::Instance, tun_device};

/// Behind the table `local` only, whose rule has priority 0.
const PRIORITY: u32 = 10;

/// The protocol number of rule and route in `ip rule` and `ip route`; no other program uses it.
const PROTOCOL: RouteProtocol = RouteProtocol::Other(0xe0);

/// Rules of crashed agents, of one family, at most: each start removes what it finds.
const STALE_MAX: usize = 16;

/// The kernel answers at once.
const REPLY_TIMEOUT: Duration = Duration::from_secs(2);

/// Address families of probes through the tunnel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Families {
    pub(super) v4: bool,
    pub(super) v6: bool,
}

impl Families {
    pub(super) fn of(vips: impl Iterator<Item = IpAddr>) -> Self {
        vips.fold(Self::default(), |families, vip| Self {
            v4: families.v4 || vip.is_ipv4(),
            v6: families.v6 || vip.is_ipv6(),
        })
    }

    pub(super) fn is_empty(self) -> bool {
        self == Self::default()
    }

    fn all(self) -> impl Iterator<Item = AddressFamily> {
        let v4 = self.v4.then_some(AddressFamily::Inet);
        v4.into_iter().chain(self.v6.then_some(AddressFamily::Inet6))
    }
}

/// Turns the device on and leads marked packets of these families to it. Existing entries stay, so
/// that probes in progress are not affected.
pub(super) fn install(
    instance: Instance,
    index: u32,
    families: Families,
) -> Result<(), TunnelError> {
    let mut kernel = Kernel::open()?;
    kernel.turn_on(instance, index, families)?;
    for family in families.all() {
        let what = format!("add an {} route to {}", shown(family), instance.device());
        let flags = NLM_F_CREATE | NLM_F_REPLACE;
        kernel.ask(what, RouteNetlinkMessage::NewRoute(route(instance, family, index)), flags)?;
        let what = format!("add an {} routing rule for probes", shown(family));
        let flags = NLM_F_CREATE | NLM_F_EXCL;
        match kernel.ask(what, RouteNetlinkMessage::NewRule(rule(instance, family)), flags) {
            Err(TunnelError::Netlink { error, .. })
                if error.raw_os_error() == Some(libc::EEXIST) => {}
            result => result?,
        }
    }
    Ok(())
}

/// Removes the rules of a lane, also those of agents that were killed. The routes go with the device.
pub(super) fn remove(instance: Instance) -> Result<(), TunnelError> {
    Kernel::open()?.remove(instance)
}

fn shown(family: AddressFamily) -> &'static str {
    if family == AddressFamily::Inet { "IPv4" } else { "IPv6" }
}

fn route(instance: Instance, family: AddressFamily, index: u32) -> RouteMessage {
    let mut message = RouteMessage::default();
    message.header.address_family = family;
    message.header.protocol = PROTOCOL;
    message.header.scope = RouteScope::Universe;
    message.header.kind = RouteType::Unicast;
    message.attributes = vec![RouteAttribute::Table(instance.table()), RouteAttribute::Oif(index)];
    message
}

fn rule(instance: Instance, family: AddressFamily) -> RuleMessage {
    let mut message = stale(instance, family);
    message.attributes.push(RuleAttribute::Priority(PRIORITY));
    message.attributes.push(RuleAttribute::Protocol(PROTOCOL));
    message
}

/// What every rule of a lane has.
fn stale(instance: Instance, family: AddressFamily) -> RuleMessage {
    let mut message = RuleMessage::default();
    message.header.family = family;
    message.header.action = RuleAction::ToTable;
    message.attributes = vec![
        RuleAttribute::FwMark(instance.mark().into()),
        RuleAttribute::FwMask(u32::MAX),
        RuleAttribute::Table(instance.table()),
    ];
    message
}

/// A socket for requests that are answered one by one.
struct Kernel {
    socket: Socket,
    sequence: u32,
}

impl Kernel {
    fn open() -> Result<Self, TunnelError> {
        let open = || {
            let mut socket = Socket::new(NETLINK_ROUTE)?;
            socket.bind_auto()?;
            let seconds = i64::try_from(REPLY_TIMEOUT.as_secs()).unwrap_or(1);
            setsockopt(&socket, ReceiveTimeout, &TimeVal::new(seconds, 0))?;
            Ok(Self { socket, sequence: 0 })
        };
        let what = "open a netlink socket".to_owned();
        open().map_err(|error| TunnelError::Netlink { what, error })
    }

    fn turn_on(
        &mut self,
        instance: Instance,
        index: u32,
        families: Families,
    ) -> Result<(), TunnelError> {
        let what = format!("turn the interface {} on", instance.device());
        let link = || {
            let mut message = LinkMessage::default();
            message.header.index = index;
            message
        };
        if families.v6 {
            // No link-local address, so that the kernel looks for no routers there. It gives one
            // as soon as the interface is on, and the probes do not care if it does.
            let mode = AfSpecInet6::AddrGenMode(In6AddrGenMode::None);
            let inet6 = AfSpecUnspec::Inet6(vec![mode]);
            let mut message = link();
            message.attributes.push(LinkAttribute::AfSpecUnspec(vec![inet6]));
            let quiet = self.ask(what.clone(), RouteNetlinkMessage::SetLink(message), 0);
            if let Err(error) = quiet {
                tracing::debug!(%error, "the interface gets a link-local address");
            }
        }
        let mut message = link();
        message.header.flags = LinkFlags::Up;
        message.header.change_mask = LinkFlags::Up;
        message.attributes.push(LinkAttribute::Mtu(tun_device::MTU.into()));
        self.ask(what, RouteNetlinkMessage::SetLink(message), 0)
    }

    fn remove(&mut self, instance: Instance) -> Result<(), TunnelError> {
        for family in [AddressFamily::Inet, AddressFamily::Inet6] {
            for _ in 0..STALE_MAX {
                let what = format!("remove an {} routing rule of probes", shown(family));
                let request = RouteNetlinkMessage::DelRule(stale(instance, family));
                match self.ask(what, request, 0) {
                    Ok(()) => {}
                    Err(TunnelError::Netlink { error, .. }) if is_absent(&error) => break,
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }

    /// Asks for a change and waits until it is made.
    fn ask(
        &mut self,
        what: String,
        request: RouteNetlinkMessage,
        flags: u16,
    ) -> Result<(), TunnelError> {
        self.exchange(request, flags).map_err(|error| TunnelError::Netlink { what, error })
    }

    fn exchange(&mut self, request: RouteNetlinkMessage, flags: u16) -> io::Result<()> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut header = NetlinkHeader::default();
        header.flags = NLM_F_REQUEST | NLM_F_ACK | flags;
        header.sequence_number = self.sequence;
        let mut message = NetlinkMessage::new(header, NetlinkPayload::from(request));
        message.finalize();
        let mut datagram = vec![0; message.buffer_len()];
        message.serialize(&mut datagram);
        self.socket.send_to(&datagram, &SocketAddr::new(0, 0), 0)?;
        loop {
            // One acknowledgement a datagram, with the request's first bytes behind it.
            let mut reply = Vec::with_capacity(4096);
            let sender = self.socket.recv_from(&mut reply, 0)?.1;
            let answer = NetlinkMessage::<RouteNetlinkMessage>::deserialize(&reply);
            let answer = answer.map_err(io::Error::other)?;
            if sender.port_number() != 0 || answer.header.sequence_number != self.sequence {
                continue;
            }
            return match answer.payload {
                NetlinkPayload::Error(error) => match error.code {
                    None => Ok(()),
                    Some(code) => Err(io::Error::from_raw_os_error(-code.get())),
                },
                _ => Err(io::Error::other("an answer without a verdict")),
            };
        }
    }
}

/// No such rule, or no such family on this host.
fn is_absent(error: &io::Error) -> bool {
    let errno = error.raw_os_error();
    matches!(errno, Some(libc::ENOENT | libc::EAFNOSUPPORT | libc::EOPNOTSUPP))
}
