//! PURE: what people ask for. Names that do not exist are ignored: the caller checks them first.

use lb_scale::Moment;

use crate::{
    group::Group,
    input::Command,
    output::{Action, EventKind},
    record::{Cause, Phase},
};

impl Group {
    /// Carries out a command.
    pub(crate) fn command(&mut self, command: Command, now: Moment) {
        match command {
            Command::Protect { name, protected } => {
                if let Some(record) = self.record_mut(&name) {
                    record.protected = protected;
                }
            }
            Command::Standby { name, standby } => self.standby(&name, standby, now),
            Command::End { name } => self.terminate(&name, Cause::Command, now),
            Command::Refresh(options) => self.start_refresh(options, now),
            Command::ContinueRefresh => self.continue_refresh(),
            Command::RollBack => self.roll_back(now),
            Command::CancelRefresh => self.end_refresh(false, now),
            Command::ResetBreaker => {
                if self.ledger.breaker.take().is_some() {
                    self.outputs.store = true;
                    self.event("", EventKind::LaunchingResumes, now);
                }
            }
            Command::Wake => self.wake(),
        }
    }

    /// A member on standby is kept and gets no new flows. It does not count as capacity.
    fn standby(&mut self, name: &str, standby: bool, now: Moment) {
        match (self.phase(name), standby) {
            (Some(Phase::InService), true) => {
                self.enter(name, Phase::Standby, now);
                self.act(Action::Drain { name: name.to_owned() });
            }
            (Some(Phase::Standby), false) => {
                self.act(Action::Undrain { name: name.to_owned() });
                self.enter(name, Phase::FirstHealthy, now);
            }
            _ => {}
        }
    }

    /// The first packet or request of a group with a desired capacity of 0. The raised capacity
    /// holds like one that people asked for, so the next decision knows it.
    fn wake(&mut self) {
        let Some(demand) = &mut self.demand else { return };
        if demand.desired == 0 && demand.limits.max > 0 {
            demand.desired = 1;
            self.act(Action::RaiseDesired(1));
        }
    }
}
