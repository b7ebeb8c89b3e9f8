//! Attaching a program that sends frames: `auto` is generic where native mode would lose them.

use std::{thread, time::Duration};

use aya::programs::{Xdp, links::FdLink};
use lb_netlink::{self as next_hop, Veth};

use super::{Attached, XdpMode, attach::attach_at, attach_error::AttachError};

/// The kernel releases a link a moment after its pin is removed; until then the interface is in
/// use.
const RELEASE_PAUSE: Duration = Duration::from_millis(10);
const RELEASE_TRIES: u32 = 100;

/// Attaches it to an interface; `released`: a link of this agent has just been removed there.
pub(super) fn attach_sender(
    program: &mut Xdp,
    name: &str,
    index: u32,
    mode: XdpMode,
    released: bool,
) -> Result<(Attached, FdLink), AttachError> {
    let lost = (mode == XdpMode::Auto).then(|| native_is_lost(name, index)).flatten();
    let used = if lost.is_some() { XdpMode::Generic } else { mode };
    let mut tries = if released { RELEASE_TRIES } else { 0 };
    let (attached, link) = loop {
        match attach_at(program, name, index, used) {
            Err(AttachError::Busy { .. }) if tries > 0 => tries -= 1,
            other => break other?,
        }
        thread::sleep(RELEASE_PAUSE);
    };
    let reason = lost.unwrap_or_else(|| attached.reason.clone());
    Ok((Attached { reason, ..attached }, link))
}

/// Why the driver would run the program in vain, as on a veth without one at the other end.
fn native_is_lost(name: &str, index: u32) -> Option<String> {
    let veth = Veth::inspect(index).unwrap_or_else(|error| {
        tracing::debug!(%error, interface = name, "cannot inspect the peer");
        None
    });
    next_hop::far_end_without_program(name, veth?.far_end)
}
