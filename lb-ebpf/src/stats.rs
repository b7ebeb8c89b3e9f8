//! Counting: every drop has a name, every forwarded packet is counted twice (listener, target).

use lb_common::{DropReason, Traffic};

use crate::{Datagram, Step, Tables, Verdict, step::Sent, tables::Count, verdict::Stop};

/// Counts why a packet stopped, and says what becomes of it.
#[inline(always)]
pub(crate) fn stopped<C: Count>(stop: Stop, counters: &C) -> Verdict {
    match stop {
        // All but the first are other stages' to take care of.
        Stop::Pass
        | Stop::NotPlain
        | Stop::Exception
        | Stop::Translate
        | Stop::Unlisted
        | Stop::Create
        | Stop::Reset
        | Stop::Echo
        | Stop::TooBig(_) => Verdict::Pass,
        Stop::Exhausted => {
            counters.count(DropReason::PoolExhausted.index());
            Verdict::Drop(DropReason::PoolExhausted)
        }
        Stop::PassCounted(counter) => {
            counters.count(counter.index());
            Verdict::Pass
        }
        Stop::Drop(reason) => {
            counters.count(reason.index());
            Verdict::Drop(reason)
        }
    }
}

/// The step that the outcome of a stage is.
#[inline(always)]
pub(crate) fn step<C: Count>(outcome: Result<Sent, Stop>, counters: &C) -> Step {
    match outcome {
        Ok(sent) => Step::Sent(sent),
        Err(Stop::NotPlain) => Step::NotPlain,
        Err(Stop::Exception) => Step::Exception,
        Err(Stop::Translate) => Step::Translate,
        Err(Stop::Unlisted) => Step::Unlisted,
        Err(Stop::Create) => Step::Create,
        Err(Stop::Reset) => Step::Reset,
        Err(Stop::Echo) => Step::Echo,
        Err(Stop::TooBig(room)) => Step::TooBig(room),
        Err(stop) => Step::Done(stopped(stop, counters)),
    }
}

/// Counts a packet for a listener and for the target that it goes to, by their ids.
#[inline(always)]
pub(crate) fn forwarded<T: Tables>(listener: u16, id: u16, datagram: &Datagram, tables: &T) {
    add(listener, id, Traffic::packet(u64::from(datagram.length)), tables);
}

/// Takes back that a packet was counted, since it does not go after all.
#[inline(always)]
pub(crate) fn not_forwarded<T: Tables>(listener: u16, id: u16, datagram: &Datagram, tables: &T) {
    add(listener, id, Traffic::packet(u64::from(datagram.length)).negated(), tables);
}

#[inline(always)]
fn add<T: Tables>(listener: u16, id: u16, traffic: Traffic, tables: &T) {
    tables.count_listener(listener, traffic);
    tables.count_target(id, traffic);
}
