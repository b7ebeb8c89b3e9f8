//! Calls of drivers and hooks, each in a task of its own, so that the agent's loop waits for none.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};

use lb_drivers::{Driver, Request};
use lb_members::{Call, CallError, CallId, CallResult, ErrorClass, HookKind, HookResult};
use serde_json::{Map, Value, json};
use tokio::{sync::mpsc::UnboundedSender, task::AbortHandle};

/// What has ended.
#[derive(Debug)]
pub(crate) enum Ended {
    /// A call of the driver.
    Call { call: CallId, result: CallResult },
    /// A hook, and why it failed.
    Hook { member: String, kind: HookKind, result: HookResult, error: Option<CallError> },
}

/// The tasks of a group.
#[derive(Debug)]
pub(crate) struct Tasks {
    sender: UnboundedSender<(Arc<str>, u64, Ended)>,
    group: Arc<str>,
    /// Results of former runs belong to calls that no longer count.
    pub(crate) run: u64,
    calls: BTreeMap<CallId, AbortHandle>,
    hooks: BTreeMap<String, AbortHandle>,
}

/// What a hook is told.
pub(crate) struct HookCall {
    pub(crate) member: String,
    pub(crate) kind: HookKind,
    pub(crate) address: Option<SocketAddr>,
    pub(crate) timeout: Duration,
}

impl Tasks {
    pub(crate) fn new(group: &Arc<str>, sender: UnboundedSender<(Arc<str>, u64, Ended)>) -> Self {
        let (calls, hooks) = (BTreeMap::new(), BTreeMap::new());
        Self { sender, group: Arc::clone(group), run: 0, calls, hooks }
    }

    /// Makes a call. A group without a usable driver gets an error.
    pub(crate) fn call(
        &mut self,
        driver: Result<Arc<dyn Driver>, String>,
        parameters: Map<String, Value>,
        call: &Call,
    ) {
        let (id, deadline) = (call.id, call.deadline);
        let request = Request::of(call, &self.group, parameters);
        let (sender, group, run) = (self.sender.clone(), Arc::clone(&self.group), self.run);
        let task = tokio::spawn(async move {
            let result = match driver {
                Ok(driver) => driver.call(&request, deadline).await,
                Err(error) => Err(CallError::new(ErrorClass::Transient, error)),
            };
            // The agent may have stopped.
            let _unheard = sender.send((group, run, Ended::Call { call: id, result }));
        });
        self.calls.insert(id, task.abort_handle());
    }

    /// Runs a hook.
    pub(crate) fn hook(&mut self, program: Result<lb_drivers::ExecDriver, String>, hook: HookCall) {
        let HookCall { member, kind, address, timeout } = hook;
        let name = match kind {
            HookKind::Launch => "launch",
            HookKind::Terminate => "terminate",
        };
        let input = json!({
            "hook": name,
            "group": &*self.group,
            "name": member,
            "address": address.map(|address| address.ip().to_string()),
            "port": address.map(|address| address.port()),
        });
        let (sender, group, run) = (self.sender.clone(), Arc::clone(&self.group), self.run);
        let of = member.clone();
        let task = tokio::spawn(async move {
            let ended = match program {
                Ok(program) => program.run_hook(input.to_string().as_bytes(), timeout).await,
                Err(error) => Err(CallError::new(ErrorClass::Transient, error)),
            };
            let result = if ended.is_ok() { HookResult::Continue } else { HookResult::Abandon };
            let ended = Ended::Hook { member, kind, result, error: ended.err() };
            let _unheard = sender.send((group, run, ended));
        });
        self.hooks.insert(of, task.abort_handle());
    }

    /// Kills a call.
    pub(crate) fn abandon(&mut self, call: CallId) {
        if let Some(task) = self.calls.remove(&call) {
            task.abort();
        }
    }

    /// Kills a hook.
    pub(crate) fn cancel_hook(&mut self, member: &str) {
        if let Some(task) = self.hooks.remove(member) {
            task.abort();
        }
    }

    /// A task has ended. Whether it is of this run.
    pub(crate) fn ended(&mut self, run: u64, ended: &Ended) -> bool {
        if run != self.run {
            return false;
        }
        match ended {
            Ended::Call { call, .. } => self.calls.remove(call),
            Ended::Hook { member, .. } => self.hooks.remove(member),
        };
        true
    }

    /// Kills all of them. What they have done by then stays done.
    pub(crate) fn stop(&mut self) {
        self.run += 1;
        for task in std::mem::take(&mut self.calls).into_values() {
            task.abort();
        }
        for task in std::mem::take(&mut self.hooks).into_values() {
            task.abort();
        }
    }
}

impl Drop for Tasks {
    fn drop(&mut self) {
        self.stop();
    }
}
