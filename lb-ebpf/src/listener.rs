//! Which listener a packet is for: the exact one, else one on a port range or prefix.

use lb_common::{Listener, Switches, VipKey};

use crate::{Datagram, Tables};

/// The listener of a packet.
#[inline(always)]
pub(crate) fn of<T: Tables>(datagram: &Datagram, tables: &T) -> Option<Listener> {
    match tables.listener(&datagram.listener_key()) {
        Some(listener) => Some(listener),
        None if tables.switches().has(Switches::WIDE_LISTENERS) => tables.wide_listener(
            &VipKey::new(datagram.family, datagram.destination),
            datagram.protocol,
            datagram.destination_port.get(),
        ),
        None => None,
    }
}

/// Whether any listener has this address.
#[inline(always)]
pub(crate) fn is_vip<T: Tables>(key: &VipKey, tables: &T) -> bool {
    tables.is_vip(key) || tables.switches().has(Switches::WIDE_LISTENERS) && tables.is_wide_vip(key)
}
