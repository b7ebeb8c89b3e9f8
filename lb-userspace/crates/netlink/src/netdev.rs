//! What the kernel says of each interface's XDP (generic netlink, family `netdev`, Linux 6.3): above all
//! whether it sends frames that XDP redirects to it. Requests wait for the kernel, which answers at once.
//!
//! It judges nothing: that is `xdp_transmit`'s to do.

use std::{collections::BTreeMap, io};

use netlink_sys::{
    AsyncSocket as _, AsyncSocketExt as _, Socket, SocketAddr, TokioSocket,
    protocols::NETLINK_GENERIC,
};
use nix::sys::{
    socket::{setsockopt, sockopt::ReceiveTimeout},
    time::{TimeVal, TimeValLike as _},
};

use super::decode::{self, Message, attributes, number, text};

// linux/genetlink.h
const GENL_ID_CTRL: u16 = 16;
const CTRL_CMD_GETFAMILY: u8 = 3;
const CTRL_ATTR_FAMILY_ID: u16 = 1;
const CTRL_ATTR_FAMILY_NAME: u16 = 2;
const CTRL_ATTR_MCAST_GROUPS: u16 = 7;
const CTRL_ATTR_MCAST_GRP_NAME: u16 = 1;
const CTRL_ATTR_MCAST_GRP_ID: u16 = 2;
/// Command, version and two reserved bytes.
const HEADER_LEN: usize = 4;
/// The mark of attributes that hold others (linux/netlink.h), which newer kernels set.
const NLA_TYPE_MASK: u16 = 0x3fff;

// linux/netdev.h
const FAMILY: &[u8] = b"netdev\0";
const GROUP: &str = "mgmt";
const NETDEV_CMD_DEV_GET: u8 = 1;
const NETDEV_A_DEV_IFINDEX: u16 = 1;
const NETDEV_A_DEV_XDP_FEATURES: u16 = 3;
/// The interface implements ndo_xdp_xmit and would use it now.
const NETDEV_XDP_ACT_NDO_XMIT: u64 = 1 << 2;

/// The kernel answers at once; longer than this means that a reply was lost.
const REPLY_TIMEOUT_S: i64 = 2;

/// By index of an interface: whether it sends frames that XDP redirects to it.
pub(super) type Takes = BTreeMap<u32, bool>;

/// A socket to ask with.
pub(super) struct Netdev {
    socket: Socket,
    sequence: u32,
    family: u16,
    group: Option<u32>,
}

impl Netdev {
    /// Opens it in the network namespace of the calling thread; `None` where the kernel lacks the
    /// family (before Linux 6.3).
    pub(super) fn open() -> io::Result<Option<Self>> {
        let mut socket = Socket::new(NETLINK_GENERIC)?;
        socket.bind_auto()?;
        setsockopt(&socket, ReceiveTimeout, &TimeVal::seconds(REPLY_TIMEOUT_S))?;
        let mut asking = Self { socket, sequence: 0, family: GENL_ID_CTRL, group: None };
        let name = attribute(CTRL_ATTR_FAMILY_NAME, FAMILY);
        let answers = match asking.ask(CTRL_CMD_GETFAMILY, 0, &name, family) {
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => return Ok(None),
            answers => answers?,
        };
        let Some((family, group)) = answers.into_iter().next() else { return Ok(None) };
        Ok(Some(Self { family, group, ..asking }))
    }

    /// All interfaces of the namespace.
    pub(super) fn takes(&mut self) -> io::Result<Takes> {
        let dump = u16::try_from(libc::NLM_F_DUMP).unwrap_or_default();
        Ok(self.ask(NETDEV_CMD_DEV_GET, dump, &[], device)?.into_iter().collect())
    }

    fn ask<T>(
        &mut self,
        command: u8,
        flags: u16,
        body: &[u8],
        decode: fn(&[u8]) -> Option<T>,
    ) -> io::Result<Vec<T>> {
        self.sequence = self.sequence.wrapping_add(1);
        let request = request(self.family, flags, self.sequence, command, body);
        self.socket.send_to(&request, &SocketAddr::new(0, 0), 0)?;
        let mut values = Vec::new();
        let mut buffer = Vec::with_capacity(64 * 1024);
        loop {
            buffer.clear();
            if self.socket.recv_from(&mut buffer, 0)?.1.port_number() != 0 {
                continue;
            }
            for Message { kind, sequence, payload, .. } in decode::messages(&buffer) {
                if sequence != self.sequence {
                    continue;
                }
                match i32::from(kind) {
                    // Also the end of what is not a dump: requests ask for an acknowledgement.
                    libc::NLMSG_ERROR | libc::NLMSG_DONE => {
                        let code = payload.first_chunk().copied().map_or(0, i32::from_ne_bytes);
                        return if code < 0 {
                            Err(io::Error::from_raw_os_error(-code))
                        } else {
                            Ok(values)
                        };
                    }
                    _ => values.extend(decode(payload)),
                }
            }
        }
    }
}

/// Tells that some interface's XDP features have changed.
pub(super) struct NetdevEvents {
    socket: TokioSocket,
    buffer: Vec<u8>,
}

impl NetdevEvents {
    /// Subscribes in the network namespace of the calling thread, inside a tokio runtime; `None` where
    /// the kernel has no such events.
    pub(super) fn open(netdev: &Netdev) -> io::Result<Option<Self>> {
        let Some(group) = netdev.group else { return Ok(None) };
        let mut socket = TokioSocket::new(NETLINK_GENERIC)?;
        socket.socket_mut().bind_auto()?;
        socket.socket_mut().add_membership(group)?;
        Ok(Some(Self { socket, buffer: Vec::with_capacity(64 * 1024) }))
    }

    /// Waits for the next one. Safe to cancel. A lost event (an error) is one, too.
    pub(super) async fn next(&mut self) {
        self.buffer.clear();
        if let Err(error) = self.socket.recv_from(&mut self.buffer).await {
            tracing::debug!(%error, "events of XDP features were lost");
        }
    }
}

/// PURE: a request.
fn request(family: u16, flags: u16, sequence: u32, command: u8, body: &[u8]) -> Vec<u8> {
    let flags = flags | u16::try_from(libc::NLM_F_REQUEST | libc::NLM_F_ACK).unwrap_or_default();
    let length = u32::try_from(16 + HEADER_LEN + body.len()).unwrap_or_default();
    let mut bytes = length.to_ne_bytes().to_vec();
    bytes.extend(family.to_ne_bytes());
    bytes.extend(flags.to_ne_bytes());
    bytes.extend(sequence.to_ne_bytes());
    bytes.extend([0; 4]);
    bytes.extend([command, 1, 0, 0]);
    bytes.extend(body);
    bytes
}

/// PURE: an attribute, padded.
fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(4 + value.len()).unwrap_or_default();
    let mut bytes = [length.to_ne_bytes(), kind.to_ne_bytes()].concat();
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

fn parts(payload: &[u8], header: usize) -> impl Iterator<Item = (u16, &[u8])> {
    attributes(payload, header).map(|(kind, value)| (kind & NLA_TYPE_MASK, value))
}

/// PURE: number of the family, and of the group of its events.
fn family(payload: &[u8]) -> Option<(u16, Option<u32>)> {
    let (mut id, mut group) = (None, None);
    for (kind, value) in parts(payload, HEADER_LEN) {
        match kind {
            CTRL_ATTR_FAMILY_ID => id = value.try_into().ok().map(u16::from_ne_bytes),
            CTRL_ATTR_MCAST_GROUPS => {
                for (_, one) in parts(value, 0) {
                    let find = |wanted| parts(one, 0).find(|(kind, _)| *kind == wanted);
                    if find(CTRL_ATTR_MCAST_GRP_NAME).is_some_and(|(_, name)| text(name) == GROUP) {
                        group = find(CTRL_ATTR_MCAST_GRP_ID).and_then(|(_, id)| number(id));
                    }
                }
            }
            _ => {}
        }
    }
    Some((id?, group))
}

/// PURE: an interface.
fn device(payload: &[u8]) -> Option<(u32, bool)> {
    let (mut index, mut features) = (None, None);
    for (kind, value) in parts(payload, HEADER_LEN) {
        match kind {
            NETDEV_A_DEV_IFINDEX => index = number(value),
            NETDEV_A_DEV_XDP_FEATURES => {
                features = value.try_into().ok().map(u64::from_ne_bytes);
            }
            _ => {}
        }
    }
    Some((index?, features? & NETDEV_XDP_ACT_NDO_XMIT != 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_and_its_group_are_read() {
        let group = |name: &[u8], id: u32| {
            let inner =
                [attribute(CTRL_ATTR_MCAST_GRP_ID, &id.to_ne_bytes()), attribute(1, name)].concat();
            attribute(1, &inner)
        };
        let groups = [group(b"page-pool\0", 5), group(b"mgmt\0", 4)].concat();
        let payload = [
            vec![1, 2, 0, 0],
            attribute(CTRL_ATTR_FAMILY_ID, &30_u16.to_ne_bytes()),
            attribute(CTRL_ATTR_MCAST_GROUPS | 0x8000, &groups),
        ];
        assert_eq!(family(&payload.concat()), Some((30, Some(4))));
        assert_eq!(family(&[1, 2, 0, 0]), None);
    }

    #[test]
    fn a_device_takes_redirected_frames_or_not() {
        for (features, takes) in [(0_u64, false), (0x23, false), (0x67, true)] {
            let payload = [
                vec![1, 1, 0, 0],
                attribute(NETDEV_A_DEV_IFINDEX, &7_u32.to_ne_bytes()),
                attribute(NETDEV_A_DEV_XDP_FEATURES, &features.to_ne_bytes()),
            ];
            assert_eq!(device(&payload.concat()), Some((7, takes)));
        }
        assert_eq!(device(&[1, 1, 0, 0]), None);
    }
}
