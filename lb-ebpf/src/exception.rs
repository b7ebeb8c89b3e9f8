//! Which flow a packet belongs to, also one that takes more than a look at its transport header.

use lb_common::{
    Counter,
    listener::protocol::{TCP, UDP},
};

use crate::{Content, Datagram, Packet, Tables, fragment, icmp, link, parse, verdict::Stop};

/// The flow of a whole packet, a fragment or an ICMP message, as if it were a packet of its client.
#[inline(always)]
pub(crate) fn flow_of<P: Packet, T: Tables>(packet: &P, tables: &T) -> Result<Datagram, Stop> {
    let link = link::parse(packet)?;
    let ip = parse::ip(packet, &link).map_err(|fault| fault.judge(tables))?;
    if ip.fragment.is_part() {
        return fragment::flow_of(packet, &link, &ip, tables);
    }
    if matches!(ip.protocol, TCP | UDP) {
        let transport =
            parse::transport(packet, &link, &ip).map_err(|fault| fault.judge(tables))?;
        Ok(Datagram::new(&ip, ip.protocol, transport, Content::Whole))
    } else {
        icmp::flow_of(packet, &link, &ip, tables)
    }
}

/// Counts one that was forwarded, if it is not whole.
#[inline(always)]
pub(crate) fn count<T: Tables>(flow: &Datagram, tables: &T) {
    let counter = match flow.content {
        Content::Whole => return,
        Content::FirstFragment | Content::LaterFragment => Counter::FragmentForwarded,
        Content::IcmpError => Counter::IcmpErrorForwarded,
    };
    tables.count(counter.index());
}
