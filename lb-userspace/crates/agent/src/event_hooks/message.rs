//! PURE: what a hook is told. The names of keys are an interface: docs/hooks.md has them.

use std::{
    net::IpAddr,
    time::{SystemTime, UNIX_EPOCH},
};

use lb_config::EventName;
use lb_plan::warning::{Warning, WarningKind};
use serde::Serialize;

use crate::events::Event;

/// Version of the message. New keys do not change it.
const VERSION: u32 = 1;

/// Warnings that mean that a listener has no target.
const WITHOUT_TARGETS: [WarningKind; 3] =
    [WarningKind::GroupWithoutTargets, WarningKind::NoTargetInService, WarningKind::QuorumLost];

/// Something that has happened. Keys that say nothing are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct HookEvent {
    pub(crate) event: &'static str,
    /// Milliseconds since 1970.
    at_ms: u64,
    #[serde(skip_serializing_if = "String::is_empty")]
    group: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    port: Option<u16>,
    #[serde(skip_serializing_if = "String::is_empty")]
    from: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    to: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    reason: String,
    /// The kind of a warning.
    #[serde(skip_serializing_if = "str::is_empty")]
    kind: &'static str,
    /// What a warning is about.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) subject: String,
    /// For people.
    #[serde(skip_serializing_if = "String::is_empty")]
    text: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    who: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    message: String,
}

impl HookEvent {
    fn new(name: EventName) -> Self {
        let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let at_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
        Self { event: name.name(), at_ms, ..Self::default() }
    }

    /// One with a text only.
    pub(crate) fn of(name: EventName, text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::new(name) }
    }

    /// The same, of a command.
    pub(crate) fn by(self, who: &str, message: &str) -> Self {
        Self { who: who.to_owned(), message: message.to_owned(), ..self }
    }

    /// What the event log has.
    pub(crate) fn logged(event: &Event) -> Self {
        let name = match (event.from.as_str(), event.to.as_str()) {
            _ if event.reason == "Scaling" => EventName::ScalingActivity,
            ("draining", "") => EventName::DrainDone,
            (_, "") => EventName::TargetRemoved,
            (_, "healthy") => EventName::TargetHealthy,
            (_, "unhealthy") => EventName::TargetUnhealthy,
            (_, "draining") => EventName::TargetDraining,
            (_, "unused") => EventName::TargetUnused,
            (_, _) => EventName::TargetInitial,
        };
        let Event { group, address, port, from, to, reason, detail, who, message, .. } =
            event.clone();
        let port = address.map(|_| port);
        Self {
            group,
            address,
            port,
            from,
            to,
            reason,
            text: detail,
            who,
            message,
            ..Self::new(name)
        }
    }

    /// A warning that has begun, or ended; and what that means for a listener.
    pub(crate) fn warning(warning: &Warning, begun: bool) -> impl Iterator<Item = Self> {
        let (raised, lost) = if begun {
            (EventName::WarningRaised, EventName::ListenerWithoutTargets)
        } else {
            (EventName::WarningCleared, EventName::ListenerWithTargets)
        };
        let Warning { kind, subject, text, .. } = warning;
        let one = |name| Self {
            kind: kind.name(),
            subject: subject.clone(),
            text: text.clone(),
            ..Self::new(name)
        };
        let of_listener = WITHOUT_TARGETS.contains(kind).then(|| one(lost));
        [Some(one(raised)), of_listener].into_iter().flatten()
    }

    /// Whether it is about a hook: that hook is not called for it.
    pub(crate) fn is_about(&self, hook: &str) -> bool {
        let kinds = [WarningKind::EventHookFails, WarningKind::EventHookOverflows];
        self.subject == hook && kinds.iter().any(|kind| kind.name() == self.kind)
    }
}

/// The object on the standard input of a program, and in the body of a request.
#[derive(Serialize)]
struct Body<'a> {
    version: u32,
    hook: &'a str,
    host: &'a str,
    /// Events that were dropped since the last call.
    lost: u64,
    events: &'a [HookEvent],
}

/// The message for a hook, in JSON.
pub(crate) fn body(hook: &str, host: &str, lost: u64, events: &[HookEvent]) -> Vec<u8> {
    let body = Body { version: VERSION, hook, host, lost, events };
    // Texts and numbers always have a form in JSON.
    serde_json::to_vec(&body).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name_of(from: &str, to: &str, reason: &str) -> &'static str {
        let [from, to, reason] = [from, to, reason].map(str::to_owned);
        HookEvent::logged(&Event { from, to, reason, ..Event::default() }).event
    }

    #[test]
    fn changes_of_states_have_names() {
        for (from, to, name) in [
            ("", "initial", "target_initial"),
            ("initial", "healthy", "target_healthy"),
            ("healthy", "unhealthy", "target_unhealthy"),
            ("healthy", "draining", "target_draining"),
            ("healthy", "unused", "target_unused"),
            ("draining", "", "drain_done"),
            ("unhealthy", "", "target_removed"),
        ] {
            assert_eq!(name_of(from, to, "x"), name, "{from} > {to}");
        }
        assert_eq!(name_of("", "", "Scaling"), "scaling_activity");
    }

    #[test]
    fn a_group_without_targets_is_two_events() {
        let names = |kind, begun| -> Vec<&str> {
            let warning = Warning::new(kind, "web", "text");
            HookEvent::warning(&warning, begun).map(|event| event.event).collect()
        };
        assert_eq!(names(WarningKind::FailOpen, true), ["warning_raised"]);
        let lost = WarningKind::NoTargetInService;
        assert_eq!(names(lost, true), ["warning_raised", "listener_without_targets"]);
        assert_eq!(names(lost, false), ["warning_cleared", "listener_with_targets"]);
        let failing = Warning::new(WarningKind::EventHookFails, "pager", "text");
        let event = HookEvent::warning(&failing, true).next().unwrap();
        assert!(event.is_about("pager") && !event.is_about("chat"));
    }

    /// The example of the manual has the keys of a message, and no others.
    #[test]
    fn the_message_is_as_documented() {
        let manual = include_str!("../../../../../docs/hooks.md");
        let (_, block) = manual.split_once("<!-- checked: message -->\n```json\n").unwrap();
        let documented: serde_json::Value =
            serde_json::from_str(block.split("```").next().unwrap()).unwrap();
        let event = Event {
            group: "web".to_owned(),
            address: Some([10, 0, 1, 11].into()),
            port: 80,
            from: "healthy".to_owned(),
            to: "unhealthy".to_owned(),
            reason: "Target.Timeout".to_owned(),
            detail: "no answer within 2s".to_owned(),
            ..Event::default()
        };
        let warning = Warning::new(WarningKind::NoTargetInService, "web", "target group web: none");
        let mut events = vec![HookEvent::logged(&event)];
        events.extend(HookEvent::warning(&warning, true));
        let refused =
            HookEvent::of(EventName::ConfigurationApplied, "state directory, revision 12");
        events.push(refused.by("ann", "ticket-4711"));
        let written: serde_json::Value =
            serde_json::from_slice(&body("pager", "lb1", 0, &events)).unwrap();
        let keys = |value: &serde_json::Value| -> Vec<Vec<String>> {
            let of =
                |object: &serde_json::Value| object.as_object().unwrap().keys().cloned().collect();
            let events = value["events"].as_array().unwrap();
            std::iter::once(value).chain(events).map(of).collect()
        };
        assert_eq!(keys(&documented), keys(&written));
    }
}
