//! Requests and tunnels that a worker has with the targets of one group, so that they can be cut when the
//! deregistration delay of their target is over.

use std::{
    cell::{Cell, RefCell},
    net::SocketAddr,
    rc::Rc,
    task::{Context, Poll, Waker},
};

/// All of them, each in a slot that is used again.
#[derive(Debug, Default)]
pub(crate) struct LiveRequests {
    slots: Vec<Option<(SocketAddr, Rc<CutSignal>)>>,
    free: Vec<usize>,
}

/// Cuts one request.
#[derive(Debug, Default)]
pub(crate) struct CutSignal {
    is_cut: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl CutSignal {
    /// Whether the request is cut.
    pub(crate) fn poll(&self, cx: &Context<'_>) -> Poll<()> {
        if self.is_cut.get() {
            return Poll::Ready(());
        }
        let mut waker = self.waker.borrow_mut();
        if !waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            *waker = Some(cx.waker().clone());
        }
        Poll::Pending
    }
}

impl LiveRequests {
    /// A request begins. [`Self::remove`] must follow with the slot.
    pub(crate) fn add(&mut self, target: SocketAddr) -> (usize, Rc<CutSignal>) {
        let signal = Rc::new(CutSignal::default());
        let entry = Some((target, Rc::clone(&signal)));
        let slot = self.free.pop().unwrap_or(self.slots.len());
        if slot == self.slots.len() {
            self.slots.push(entry);
        } else {
            self.slots[slot] = entry;
        }
        (slot, signal)
    }

    /// A request has ended.
    pub(crate) fn remove(&mut self, slot: usize) {
        if self.slots.get_mut(slot).and_then(Option::take).is_some() {
            self.free.push(slot);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.free.len() == self.slots.len()
    }

    /// Whether a target has any.
    pub(crate) fn has(&self, target: SocketAddr) -> bool {
        self.slots.iter().flatten().any(|(address, _)| *address == target)
    }

    /// Cuts what a target has.
    pub(crate) fn cut(&self, target: SocketAddr) {
        let of_target = self.slots.iter().flatten().filter(|(address, _)| *address == target);
        for (_, signal) in of_target {
            signal.is_cut.set(true);
            if let Some(waker) = signal.waker.borrow_mut().take() {
                waker.wake();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_target_has_is_cut_and_slots_are_used_again() {
        let [one, other] = [1, 2].map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
        let cx = Context::from_waker(Waker::noop());
        let mut live = LiveRequests::default();
        let (slot, first) = live.add(one);
        let (_, second) = live.add(other);
        let (_, third) = live.add(one);
        live.remove(slot);
        live.remove(slot);
        assert_eq!(live.add(other).0, slot);
        live.cut(one);
        assert!(first.poll(&cx).is_pending() && second.poll(&cx).is_pending());
        assert!(third.poll(&cx).is_ready() && !live.is_empty());
        (0..3).for_each(|slot| live.remove(slot));
        assert!(live.is_empty());
    }
}
