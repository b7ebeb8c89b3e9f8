//! The link layer of a frame: Ethernet and up to two VLAN tags.

use lb_common::{Be16, Family, Mac, Target, limits::VLAN_TAGS_MAX};

use crate::{
    Packet, Wire as _,
    header::{Ethernet, VlanTag, ether_type},
    verdict::Stop,
};

/// What stands in front of the IP header.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Link {
    /// What the Ethernet header says follows it.
    ether_type: Be16,
    /// VLAN tags, the outer one first; only the first `tag_count` are meant.
    tags: [VlanTag; VLAN_TAGS_MAX],
    tag_count: u8,
    /// Which IP follows.
    pub(crate) family: Family,
}

/// Reads Ethernet and VLAN tags. Anything but a unicast frame with IP in it passes.
#[inline(always)]
pub(crate) fn parse<P: Packet>(packet: &P) -> Result<Link, Stop> {
    let ethernet = packet.get::<Ethernet>(0).ok_or(Stop::Pass)?;
    // A unicast IP packet in a group frame is not for us to answer (RFC 1122, 3.3.6).
    let [first, ..] = ethernet.destination.words;
    if u16::from_be(first) & 0x0100 != 0 {
        return Err(Stop::Pass);
    }
    let mut link = Link {
        ether_type: ethernet.ether_type,
        tags: [VlanTag { control: Be16::new(0), ether_type: Be16::new(0) }; VLAN_TAGS_MAX],
        tag_count: 0,
        family: Family::V4,
    };
    let mut ether_type = ethernet.ether_type;
    let mut offset = Ethernet::LEN;
    for tag in &mut link.tags {
        if !is_tag(ether_type) {
            break;
        }
        *tag = *packet.get::<VlanTag>(offset).ok_or(Stop::Pass)?;
        ether_type = tag.ether_type;
        offset += VlanTag::LEN;
        link.tag_count += 1;
    }
    link.family = match ether_type {
        ether_type::IPV4 => Family::V4,
        ether_type::IPV6 => Family::V6,
        _ => return Err(Stop::Pass),
    };
    Ok(link)
}

#[inline(always)]
const fn is_tag(ether_type: Be16) -> bool {
    matches!(ether_type, ether_type::VLAN | ether_type::SERVICE_VLAN)
}

impl Link {
    /// Where the IP header starts: 14, 18 or 22.
    #[inline(always)]
    pub(crate) fn ip_offset(&self) -> usize {
        match self.tag_count {
            0 => Ethernet::LEN,
            1 => Ethernet::LEN + VlanTag::LEN,
            _ => Ethernet::LEN + 2 * VlanTag::LEN,
        }
    }

    /// Writes the link layer at the head of a packet: MACs, the tags as they came, and `family` as
    /// what follows. `None` when the packet is too short.
    #[inline(always)]
    pub(crate) fn write<P: Packet>(
        &self,
        packet: &mut P,
        destination: Mac,
        source: Mac,
        family: Family,
    ) -> Option<()> {
        let payload = match family {
            Family::V4 => ether_type::IPV4,
            Family::V6 => ether_type::IPV6,
        };
        let last = |index: u8, ether_type| {
            if self.tag_count == index { payload } else { ether_type }
        };
        *packet.get_mut::<Ethernet>(0)? =
            Ethernet { destination, source, ether_type: last(0, self.ether_type) };
        let [outer, inner] = self.tags;
        if self.tag_count > 0 {
            *packet.get_mut::<VlanTag>(Ethernet::LEN)? =
                VlanTag { control: outer.control, ether_type: last(1, outer.ether_type) };
        }
        if self.tag_count > 1 {
            *packet.get_mut::<VlanTag>(Ethernet::LEN + VlanTag::LEN)? =
                VlanTag { control: inner.control, ether_type: payload };
        }
        Some(())
    }

    /// [`Link::write`] towards a target's next hop.
    #[inline(always)]
    pub(crate) fn write_towards<P: Packet>(
        &self,
        packet: &mut P,
        target: &Target,
        family: Family,
    ) -> Option<()> {
        self.write(packet, target.destination_mac, target.source_mac, family)
    }
}
