//! Hooks on events: each has a queue, and a task that calls it. Handing an event over takes no time.

mod call;
mod message;
mod queue;
mod tell;
#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Instant};

use lb_config::{EventCall, EventHook, EventName};
use lb_plan::warning::{Warning, WarningKind};
use lb_scaling::DriverContext;
use serde::{Deserialize, Serialize};
use tokio::{sync::Semaphore, task::AbortHandle};
use utoipa::ToSchema;

use crate::{EventLog, events::Event, warning_log::WarningChanges};

use self::call::Shared;
pub(crate) use self::message::HookEvent;

/// Calls of all hooks at a time.
const AT_A_TIME: usize = 4;

/// A hook, as the API shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EventHookView {
    /// Its name.
    pub name: String,
    /// `exec` or `webhook`.
    pub calls: String,
    /// The events that it is called for.
    pub events: Vec<String>,
    /// Calls that succeeded since the agent or this hook began.
    pub succeeded: u64,
    /// Calls that failed, after the last retry.
    pub failed: u64,
    /// Events that wait for the next call.
    pub waiting: u64,
    /// Events that were dropped, since too many waited.
    pub lost: u64,
    /// Why the last call failed; empty if it succeeded.
    pub last_error: String,
}

/// A hook, and its task.
#[derive(Debug)]
struct Running {
    hook: EventHook,
    shared: Arc<Shared>,
    task: AbortHandle,
}

impl Drop for Running {
    /// Ends its program, too.
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// All hooks.
#[derive(Debug)]
pub(crate) struct EventHooks {
    context: DriverContext,
    host: String,
    places: Arc<Semaphore>,
    running: Vec<Running>,
}

impl EventHooks {
    pub(crate) fn new(context: DriverContext) -> Self {
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        Self {
            context,
            host: host.trim().to_owned(),
            places: Arc::new(Semaphore::new(AT_A_TIME)),
            running: Vec::new(),
        }
    }

    /// Takes over the hooks of a configuration. One that is as before goes on, with what waits for it.
    pub(crate) fn configure(&mut self, hooks: &[EventHook]) {
        let mut before = std::mem::take(&mut self.running);
        for hook in hooks {
            let running = match before.iter().position(|one| one.hook == *hook) {
                Some(place) => before.swap_remove(place),
                None => self.start(hook.clone()),
            };
            self.running.push(running);
        }
    }

    fn start(&self, hook: EventHook) -> Running {
        let shared = Arc::<Shared>::default();
        let (context, places) = (self.context.clone(), Arc::clone(&self.places));
        let task = call::run(hook.clone(), self.host.clone(), Arc::clone(&shared), context, places);
        Running { hook, shared, task: tokio::spawn(task).abort_handle() }
    }

    /// Hands an event to the hooks that are for it.
    pub(crate) fn emit(&self, event: &HookEvent) {
        for Running { hook, shared, .. } in &self.running {
            let is_for = hook.events.iter().any(|name| name.name() == event.event);
            if is_for && !event.is_about(&hook.name) {
                shared.push(event.clone(), Instant::now());
            }
        }
    }

    /// Logs events, and hands them on.
    pub(crate) fn record(&self, log: &EventLog, events: impl Iterator<Item = Event>) {
        if self.running.is_empty() {
            return log.add(events);
        }
        log.add(events.inspect(|event| self.emit(&HookEvent::logged(event))));
    }

    /// Hands on what has changed about warnings.
    pub(crate) fn warned(&self, changes: &WarningChanges) {
        for (warnings, begun) in [(&changes.begun, true), (&changes.ended, false)] {
            for warning in warnings {
                HookEvent::warning(warning, begun).for_each(|event| self.emit(&event));
            }
        }
    }

    /// Says what has happened, in words.
    pub(crate) fn say(&self, name: EventName, text: impl Into<String>) {
        self.emit(&HookEvent::of(name, text));
    }

    /// Hooks that fail, or lose events.
    pub(crate) fn warnings(&self, now: Instant) -> Vec<Warning> {
        let mut warnings = Vec::new();
        for Running { hook: EventHook { name, .. }, shared, .. } in &self.running {
            let outcome = shared.outcome().clone();
            if outcome.failed_in_a_row > 0 {
                let text = format!("event hook {name} fails: {}", outcome.last_error);
                warnings.push(Warning::new(WarningKind::EventHookFails, name, text));
            }
            let queue = shared.queue();
            if queue.loses(now) {
                let text = format!(
                    "event hook {name}: {} events were dropped, since {} waited for the hook",
                    queue.lost,
                    queue::WAITING_MAX
                );
                warnings.push(Warning::new(WarningKind::EventHookOverflows, name, text));
            }
        }
        warnings
    }

    pub(crate) fn views(&self) -> Vec<EventHookView> {
        self.running.iter().map(Running::view).collect()
    }
}

impl Running {
    fn view(&self) -> EventHookView {
        let calls = match self.hook.call {
            EventCall::Exec(_) => "exec",
            EventCall::Webhook(_) => "webhook",
        };
        let outcome = self.shared.outcome().clone();
        let queue = self.shared.queue();
        EventHookView {
            name: self.hook.name.clone(),
            calls: calls.to_owned(),
            events: self.hook.events.iter().map(|event| event.name().to_owned()).collect(),
            succeeded: outcome.succeeded,
            failed: outcome.failed,
            waiting: queue.waiting() as u64,
            lost: queue.lost,
            last_error: outcome.last_error,
        }
    }
}
