//! What the loop tells hooks that no log of events has.

use lb_config::EventName;
use lb_dataplane::Maps;

use super::HookEvent;
use crate::{actor::Actor, run::Agent};

impl Agent {
    /// A configuration is in force.
    pub(crate) fn tell_applied(&self) {
        let event = HookEvent::of(EventName::ConfigurationApplied, self.source.describe());
        self.event_hooks.emit(&match &self.actor {
            Some(Actor { who, message }) => event.by(who, message),
            None => event,
        });
    }

    /// The agent has started.
    pub(crate) fn tell_started(&self) {
        let text = match self.balancer.as_ref().map(|balancer| balancer.data_path.maps()) {
            Some(Maps::Found) => "took over the data path of a previous agent",
            Some(Maps::Migrating) => {
                "replaces the data path of a previous agent, of another layout or size"
            }
            Some(Maps::New) => "no previous data path: new maps",
            None => "no configuration yet",
        };
        self.event_hooks.say(EventName::AgentStarted, text);
    }
}
