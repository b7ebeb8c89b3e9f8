//! Counting: every drop has a name, every forwarded packet is counted twice (listener, target).

use lb_common::{Counter, Listener};

use crate::{Datagram, Tables, Verdict, tables::Count, verdict::Stop};

/// Counts why a packet stopped, and says what becomes of it.
#[inline(always)]
pub(crate) fn stopped<C: Count>(stop: Stop, counters: &C) -> Verdict {
    match stop {
        Stop::Pass => Verdict::Pass,
        Stop::PassFragment => {
            counters.count(Counter::FragmentPassed.index());
            Verdict::Pass
        }
        Stop::Drop(reason) => {
            counters.count(reason.index());
            Verdict::Drop(reason)
        }
    }
}

/// Counts a packet that goes to a target.
#[inline(always)]
pub(crate) fn forwarded<T: Tables>(listener: &Listener, id: u16, datagram: &Datagram, tables: &T) {
    let bytes = u64::from(datagram.length);
    tables.count_listener(listener.id, bytes);
    tables.count_target(id, bytes);
}
