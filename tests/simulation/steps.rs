//! What sequences have in common: random numbers, a clock, an agent that is killed now and then, and a line
//! for each step.

use std::{cell::RefCell, rc::Rc};

use crate::{host::Host, random::Random};

/// The steps of a sequence.
pub(crate) struct Steps {
    pub(crate) random: Random,
    pub(crate) now: u32,
    host: Rc<RefCell<Host>>,
    pub(crate) traced: bool,
}

impl Steps {
    pub(crate) fn new(random: Random, host: &Rc<RefCell<Host>>) -> Self {
        let now = 1000;
        host.borrow_mut().set_now(now);
        Self { random, now, host: Rc::clone(host), traced: false }
    }

    pub(crate) fn say(&self, what: impl FnOnce() -> String) {
        if self.traced {
            println!("{:>5} {}", self.now, what());
        }
    }

    /// Seconds pass, or none; says whether any did.
    pub(crate) fn pass(&mut self) -> bool {
        let seconds = [0, 0, 1, 1, 2][self.random.below(5)];
        self.now += seconds;
        self.host.borrow_mut().set_now(self.now);
        seconds > 0
    }

    pub(crate) fn toggle_budget(&self) {
        let mut host = self.host.borrow_mut();
        let full = !host.budget_full;
        host.set_budget_full(full);
    }

    /// Sometimes the agent is to be killed after less than `most` operations.
    pub(crate) fn threaten(&mut self, most: usize) {
        let killed = self.random.chance(100).then(|| self.random.below(most));
        self.host.borrow_mut().kill_after = killed;
    }

    /// The agent was killed; says after how many packets another one starts.
    pub(crate) fn killed(&mut self) -> usize {
        self.say(|| "the agent is killed".to_owned());
        self.random.below(4)
    }

    /// The agent is left alone again.
    pub(crate) fn spare(&self) {
        self.host.borrow_mut().kill_after = None;
    }
}
