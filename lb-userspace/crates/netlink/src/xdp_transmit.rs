//! PURE: whether frames that XDP sends leave by an interface, or vanish without a trace.
//!
//! A redirect in native mode needs ndo_xdp_xmit of the interface; where there is none, or it would refuse,
//! the kernel drops the frame behind the program's back (kernel/bpf/devmap.c). Generic mode sends through
//! the ordinary stack and needs nothing. On veth, XDP_TX needs the same as a redirect: a NAPI context at the
//! other end, which a program there makes.

use std::{collections::BTreeSet, net::IpAddr};

use super::{netdev::Takes, rtnetlink::Link};

/// Kinds of interfaces that have no ndo_xdp_xmit on any kernel that xelb runs on (6.1 to 6.18), for those
/// that do not say (before 6.3).
const WITHOUT: [&str; 9] =
    ["bridge", "macvlan", "ipvlan", "dummy", "ifb", "team", "vxlan", "hsr", "macsec"];

/// How the program is attached: what that means for frames that it sends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ingress {
    /// Interfaces where the driver runs it.
    pub native: BTreeSet<u32>,
    /// Interfaces where the kernel's stack does.
    pub generic: BTreeSet<u32>,
}

/// Why packets to an address would be lost at an interface; `None` if they would not, or if that is
/// unknown.
pub(super) fn refusal(
    address: IpAddr,
    index: u32,
    link: &Link,
    takes: Option<&Takes>,
    ingress: &Ingress,
) -> Option<String> {
    // Packets that arrive on an interface in generic mode could still leave by it, but it is not
    // known in advance where packets arrive: a reported loss is better than a silent one.
    if ingress.native.is_empty() {
        return None;
    }
    let takes = match takes.and_then(|takes| takes.get(&index)) {
        Some(takes) => *takes,
        None => !WITHOUT.contains(&&*link.device),
    };
    let transmits = ingress.native.contains(&index) && link.device != "veth";
    if takes || transmits {
        return None;
    }
    let Link { name, device, .. } = link;
    let other = match &**device {
        "veth" => {
            return Some(format!(
                "{}; {FAR_END_REMEDY}",
                far_end_without_program(name, FarEnd::Nothing).unwrap_or_default()
            ));
        }
        // Hardware: many drivers have queues for it only while a program is on them.
        "" => format!("add {name} to `interfaces`"),
        _ => format!("change the route to {address} to another interface"),
    };
    let kind = if device.is_empty() { String::new() } else { format!(" ({device})") };
    Some(format!(
        "interface {name}{kind} does not send packets that native XDP redirects to it: {other}, \
         or run the agent with --xdp-mode generic"
    ))
}

/// What the other end of a veth pair has for frames that XDP sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FarEnd {
    /// A program in the driver: all it takes.
    Program,
    /// GRO only: frames are queued, and XDP_TX does not schedule the receiver (drivers/net/veth.c,
    /// veth_xdp_flush).
    Gro,
    /// Nothing: frames are dropped.
    Nothing,
    /// It is in a network namespace that cannot be seen from here, and has one of the first two.
    Unseen,
}

/// What to do about it.
pub const FAR_END_REMEDY: &str = "attach a program that passes all packets to the peer (there: \
                                  `xelb pass --interface PEER`), or run the agent with --xdp-mode \
                                  generic";

/// What is wrong with the other end of a veth pair, if it is known to be.
#[must_use]
pub fn far_end_without_program(name: &str, end: FarEnd) -> Option<String> {
    let lost = match end {
        FarEnd::Program | FarEnd::Unseen => return None,
        FarEnd::Gro => {
            "GRO but no XDP program: packets that XDP sends back are delayed there, and under \
             load no packet passes the pair any more, for good"
        }
        FarEnd::Nothing => "no XDP program: packets that native XDP sends are lost",
    };
    Some(format!("the peer of {name} (veth) has {lost}"))
}

/// PURE: what is known of the other end: whether it is seen, its native program, and whether this end
/// would send redirected frames (the kernel says so if the other end has a program or GRO).
pub(super) fn far_end(program: Option<bool>, takes: Option<bool>) -> FarEnd {
    match (program, takes) {
        (Some(true), _) => FarEnd::Program,
        (_, Some(false)) | (Some(false), None) => FarEnd::Nothing,
        (Some(false), Some(true)) => FarEnd::Gro,
        (None, _) => FarEnd::Unseen,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtnetlink::LinkKind;

    fn link(device: &str) -> Link {
        Link {
            name: "x0".to_owned(),
            up: true,
            running: true,
            kind: LinkKind::Ethernet([2; 6]),
            mtu: 1500,
            device: device.to_owned(),
        }
    }

    fn ingress(native: &[u32], generic: &[u32]) -> Ingress {
        let set = |indices: &[u32]| indices.iter().copied().collect();
        Ingress { native: set(native), generic: set(generic) }
    }

    #[test]
    fn interfaces_that_cannot_redirect_are_refused() {
        // Kind, what the kernel says, native and generic interfaces; the target is behind number 7.
        for (device, takes, native, generic, refused) in [
            ("bridge", Some(false), &[2][..], &[][..], Some("another interface")),
            ("bridge", None, &[2], &[], Some("--xdp-mode generic")),
            ("macvlan", Some(false), &[2], &[], Some("x0 (macvlan)")),
            ("veth", Some(false), &[2], &[], Some("no XDP program")),
            ("veth", Some(true), &[2], &[], None),
            ("veth", None, &[2], &[], None),
            // XDP_TX on veth needs the same, on other drivers nothing.
            ("veth", Some(false), &[7], &[], Some("xelb pass")),
            ("", Some(false), &[7], &[], None),
            ("", Some(false), &[7, 2], &[], None),
            ("", Some(false), &[2], &[], Some("to `interfaces`")),
            // Generic mode sends by everything; before there is a program nothing is lost.
            ("bridge", Some(false), &[], &[2], None),
            // One interface that runs it in the driver is enough to lose packets.
            ("bridge", Some(false), &[2], &[3], Some("--xdp-mode generic")),
            ("bridge", Some(false), &[2], &[7], Some("another interface")),
            ("veth", Some(false), &[2], &[7], Some("xelb pass")),
            ("", Some(true), &[2], &[7], None),
            ("bridge", Some(false), &[], &[], None),
        ] {
            let takes = takes.map(|takes| Takes::from([(7, takes)]));
            let address = [10, 0, 0, 9].into();
            let ingress = ingress(native, generic);
            let said = refusal(address, 7, &link(device), takes.as_ref(), &ingress);
            assert_eq!(said.is_some(), refused.is_some(), "{device} {native:?}: {said:?}");
            assert!(said.unwrap_or_default().contains(refused.unwrap_or_default()), "{device}");
        }
    }

    #[test]
    fn the_state_of_the_veth_peer_follows_from_its_features() {
        for (program, takes, wanted) in [
            (Some(true), Some(true), FarEnd::Program),
            (Some(true), None, FarEnd::Program),
            (Some(false), Some(true), FarEnd::Gro),
            (Some(false), Some(false), FarEnd::Nothing),
            (Some(false), None, FarEnd::Nothing),
            (None, Some(false), FarEnd::Nothing),
            (None, Some(true), FarEnd::Unseen),
            (None, None, FarEnd::Unseen),
        ] {
            assert_eq!(far_end(program, takes), wanted, "{program:?} {takes:?}");
        }
        assert_eq!(far_end_without_program("eth0", FarEnd::Program), None);
        assert!(far_end_without_program("eth0", FarEnd::Gro).unwrap().contains("GRO"));
    }
}
