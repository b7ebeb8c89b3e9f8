//! PURE: one step of a group: an input, then all that follows from the state. A step that is
//! repeated without news does nothing more.

use std::time::Duration;

use lb_scale::Moment;

use crate::{
    call::{CallError, CallId, ErrorClass},
    group::Group,
    input::Input,
    output::{Action, Outputs},
};

/// How long after its deadline a call is given up whose end nobody reports.
pub const ANSWER_MARGIN: Duration = Duration::from_secs(5);

impl Group {
    /// Takes in what happened, and returns what to do. [`Outputs`] says in which order.
    pub fn step(&mut self, input: Input, now: Moment) -> Outputs {
        self.take_in(input, now);
        self.give_up_calls(now);
        self.follow_template();
        self.replace_unhealthy(now);
        self.refresh(now);
        self.follow_demand(now);
        self.fill_warm_pool(now);
        self.progress(now);
        self.make_calls(now);
        std::mem::take(&mut self.outputs)
    }

    fn take_in(&mut self, input: Input, now: Moment) {
        match input {
            Input::Tick => {}
            Input::Demand(demand) => self.demand = Some(demand),
            Input::Called { call, result } => self.called(call, result, now),
            Input::Health { name, healthy } => {
                if self.phase(&name).is_some() {
                    self.known_mut(&name).healthy = Some(healthy);
                }
            }
            Input::Flows { name, flows } => {
                if self.phase(&name).is_some() {
                    self.known_mut(&name).flows = Some(flows);
                }
            }
            Input::Hook { name, kind, result } => self.hook_ended(&name, kind, result, now),
            Input::Heartbeat { name } => self.heartbeat(&name, now),
            Input::Command(command) => self.command(command, now),
        }
    }

    /// Calls whose end nobody has reported. The agent kills them at their deadline.
    fn give_up_calls(&mut self, now: Moment) {
        let most = self.settings.call_deadline.saturating_add(ANSWER_MARGIN);
        let late = self.in_flight.iter().filter(|(_, call)| now.since(&call.since) >= most);
        let late: Vec<CallId> = late.map(|(id, _)| *id).collect();
        for call in late {
            self.act(Action::Abandon(call));
            let message = format!("no answer within {:?}", self.settings.call_deadline);
            self.called(call, Err(CallError::new(ErrorClass::Transient, message)), now);
        }
    }

    /// Other settings end a pin, and with another template launches may succeed again.
    fn follow_template(&mut self) {
        let template = &self.settings.template;
        if self.ledger.pinned.as_ref().is_some_and(|pinned| pinned.instead_of != *template) {
            self.ledger.pinned = None;
            self.outputs.store = true;
        }
        let template = self.launch_template();
        if self.ledger.breaker.as_ref().is_some_and(|breaker| breaker.template != template) {
            self.ledger.breaker = None;
            self.outputs.store = true;
        }
    }
}
