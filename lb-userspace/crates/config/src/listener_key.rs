//! The key by which packets find a listener.

use lb_common::{Be16, Family, ListenerKey};

use super::Listener;

/// The key of a listener on one address and port; `None` for a wider one.
#[must_use]
pub fn listener_key(listener: &Listener) -> Option<ListenerKey> {
    let vip = listener.exact()?;
    Some(ListenerKey::new(
        Family::from(&vip.ip()),
        vip.ip().into(),
        Be16::new(vip.port()),
        listener.protocol.number(),
    ))
}
