//! The link layer of a frame: Ethernet and up to two VLAN tags.

use core::cmp::Ordering;

use lb_common::{Be16, Counter, Family, Mac, Target, limits::VLAN_TAGS_MAX};

use crate::{
    Packet, Tables, Wire as _,
    header::{Ethernet, VlanTag, ether_type},
    packet::HeadroomExhausted,
    verdict::Stop,
};

/// One VLAN tag: its EtherType, and what it says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tag {
    /// 802.1Q or 802.1ad.
    pub(crate) ether_type: Be16,
    /// Priority, drop eligibility, number.
    pub(crate) control: Be16,
}

/// VLAN tags, the outer one first; only the first `count` are meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tags {
    pub(crate) tags: [Tag; VLAN_TAGS_MAX],
    pub(crate) count: u8,
}

impl Tags {
    /// The tag towards a next hop; 0 is none.
    #[inline(always)]
    pub(crate) fn of_vlan(control: Be16) -> Self {
        let tag = Tag { ether_type: ether_type::VLAN, control };
        Self { tags: [tag, Tag::default()], count: u8::from(control.raw != 0) }
    }

    /// Where the IP header starts behind them: 14, 18 or 22.
    #[inline(always)]
    pub(crate) const fn ip_offset(&self) -> usize {
        match self.count {
            0 => Ethernet::LEN,
            1 => Ethernet::LEN + VlanTag::LEN,
            _ => Ethernet::LEN + 2 * VlanTag::LEN,
        }
    }
}

/// The headers in front of the IP header.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Link {
    pub(crate) tags: Tags,
    /// Which IP follows.
    pub(crate) family: Family,
}

/// Reads Ethernet and VLAN tags. Anything but a unicast frame with IP in it passes.
#[inline(always)]
pub(crate) fn parse<P: Packet>(packet: &P) -> Result<Link, Stop> {
    let ethernet = packet.get::<Ethernet>(0).ok_or(Stop::Pass)?;
    // A unicast IP packet in a group frame is not for us to answer (RFC 1122, 3.3.6).
    if ethernet.is_group() {
        return Err(Stop::Pass);
    }
    let mut tags = Tags::default();
    let mut ether_type = ethernet.ether_type;
    let mut offset = Ethernet::LEN;
    for tag in &mut tags.tags {
        if !is_tag(ether_type) {
            break;
        }
        let header = packet.get::<VlanTag>(offset).ok_or(Stop::Pass)?;
        *tag = Tag { ether_type, control: header.control };
        ether_type = header.ether_type;
        offset += VlanTag::LEN;
        tags.count += 1;
    }
    let family = match ether_type {
        ether_type::IPV4 => Family::V4,
        ether_type::IPV6 => Family::V6,
        _ => return Err(Stop::Pass),
    };
    Ok(Link { tags, family })
}

/// Whether a frame is for this host. A frame for another host arrives if a switch floods, or if the
/// interface is promiscuous: its real receiver forwards it, too.
#[inline(always)]
pub(crate) fn is_for_us<P: Packet, T: Tables>(packet: &P, tables: &T) -> Result<(), Stop> {
    let ethernet = packet.get::<Ethernet>(0).ok_or(Stop::Pass)?;
    if tables.takes(packet.ingress(), P::eight::<0, _>(ethernet) & Mac::WORD_MASK) {
        Ok(())
    } else {
        Err(Stop::PassCounted(Counter::OtherHostPassed))
    }
}

#[inline(always)]
const fn is_tag(ether_type: Be16) -> bool {
    matches!(ether_type, ether_type::VLAN | ether_type::SERVICE_VLAN)
}

impl Link {
    /// Without tags.
    #[inline(always)]
    pub(crate) fn untagged(family: Family) -> Self {
        Self { tags: Tags::default(), family }
    }

    /// Where the IP header starts: 14, 18 or 22.
    #[inline(always)]
    pub(crate) const fn ip_offset(&self) -> usize {
        self.tags.ip_offset()
    }

    /// The EtherType of its IP.
    #[inline(always)]
    pub(crate) const fn ether_type(&self) -> Be16 {
        match self.family {
            Family::V4 => ether_type::IPV4,
            Family::V6 => ether_type::IPV6,
        }
    }

    /// Replaces the link layer by one towards a target's next hop. Gives the offset of the IP header.
    #[inline(always)]
    pub(crate) fn towards<P: Packet>(
        &self,
        packet: &mut P,
        target: &Target,
    ) -> Result<usize, HeadroomExhausted> {
        let link = Self { tags: Tags::of_vlan(target.vlan), family: self.family };
        self.replace(packet, &link, target.destination_mac(), target.source_mac())
    }

    /// Replaces the link layer by another; see [`Link::towards`].
    #[inline(always)]
    pub(crate) fn replace<P: Packet>(
        &self,
        packet: &mut P,
        link: &Self,
        destination: Mac,
        source: Mac,
    ) -> Result<usize, HeadroomExhausted> {
        self.make_room(packet, link.ip_offset())?;
        link.write(packet, destination, source).ok_or(HeadroomExhausted)?;
        Ok(link.ip_offset())
    }

    /// Moves the head of the packet, so that the IP header is at `offset`; what is before it is
    /// undefined.
    #[inline(always)]
    pub(crate) fn make_room<P: Packet>(
        &self,
        packet: &mut P,
        offset: usize,
    ) -> Result<(), HeadroomExhausted> {
        let before = self.ip_offset();
        match offset.cmp(&before) {
            Ordering::Greater => packet.grow_head(offset - before),
            Ordering::Less => packet.shrink_head(before - offset),
            Ordering::Equal => Ok(()),
        }
    }

    /// Writes the link layer at the head of a packet. `None` when the packet is too short.
    #[inline(always)]
    pub(crate) fn write<P: Packet>(
        &self,
        packet: &mut P,
        destination: Mac,
        source: Mac,
    ) -> Option<()> {
        let payload = self.ether_type();
        let Tags { tags: [outer, inner], count } = self.tags;
        let first = if count == 0 { payload } else { outer.ether_type };
        *packet.get_mut::<Ethernet>(0)? = Ethernet { destination, source, ether_type: first };
        if count > 0 {
            let ether_type = if count == 1 { payload } else { inner.ether_type };
            *packet.get_mut::<VlanTag>(Ethernet::LEN)? =
                VlanTag { control: outer.control, ether_type };
        }
        if count > 1 {
            *packet.get_mut::<VlanTag>(Ethernet::LEN + VlanTag::LEN)? =
                VlanTag { control: inner.control, ether_type: payload };
        }
        Some(())
    }
}
