//! Hooks on events: what is called when something happens.

use std::{path::PathBuf, time::Duration};

/// A hook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventHook {
    /// Unique among hooks.
    pub name: String,
    /// What it is called for; not empty.
    pub events: Vec<EventName>,
    /// What is called.
    pub call: EventCall,
    /// Time for one call.
    pub timeout: Duration,
}

/// What a hook calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventCall {
    /// A program and its arguments.
    Exec(Vec<String>),
    /// An HTTP server.
    Webhook(EventWebhook),
}

/// A server that gets a POST.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventWebhook {
    /// Its URL.
    pub url: String,
    /// File with the key of its signatures; none are made without it.
    pub secret_file: Option<PathBuf>,
    /// File with header fields of its requests.
    pub headers_file: Option<PathBuf>,
    /// CA certificates to trust in place of the system's.
    pub ca: Option<PathBuf>,
    /// Times that a failed call is made again.
    pub retries: u32,
}

macro_rules! events {
    ($($(#[doc = $help:literal])* $event:ident, $name:literal;)*) => {
        /// Something that happens.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum EventName {
            $($(#[doc = $help])* $event,)*
        }

        impl EventName {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$event),*];

            /// The name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$event => $name),* }
            }
        }
    };
}

events! {
    /// A target is registered, or takes part again, and is not checked yet.
    TargetInitial, "target_initial";
    /// A target has become healthy.
    TargetHealthy, "target_healthy";
    /// A target has become unhealthy.
    TargetUnhealthy, "target_unhealthy";
    /// A target drains.
    TargetDraining, "target_draining";
    /// A target is not used by a listener.
    TargetUnused, "target_unused";
    /// A target that drained is gone.
    DrainDone, "drain_done";
    /// A target is gone that did not drain.
    TargetRemoved, "target_removed";
    /// No target of a group that listeners use takes traffic.
    ListenerWithoutTargets, "listener_without_targets";
    /// It has targets again.
    ListenerWithTargets, "listener_with_targets";
    /// A warning of `status` has begun.
    WarningRaised, "warning_raised";
    /// A warning of `status` has ended.
    WarningCleared, "warning_cleared";
    /// A configuration is in force.
    ConfigurationApplied, "configuration_applied";
    /// A changed configuration file is not used.
    ConfigurationRefused, "configuration_refused";
    /// Something has happened to a scaled group or a member of it.
    ScalingActivity, "scaling_activity";
    /// The agent has started, and may have taken over a data path.
    AgentStarted, "agent_started";
}

impl EventHook {
    /// Most hooks of a configuration.
    pub const MAX: usize = 32;

    /// Whether it is called for an event.
    #[must_use]
    pub fn is_for(&self, event: EventName) -> bool {
        self.events.contains(&event)
    }
}
