//! What an operator should look at now, from all parts of the agent.

use std::time::Instant;

use lb_config::Config;
use lb_dataplane::{Attached, DataPath};
use lb_plan::warning::{Warning, WarningKind, merged};

use super::{host::seconds_since_1970, http_warnings, run::Agent};

impl Agent {
    /// All warnings that hold now, loudest first.
    pub(super) fn warnings(&self) -> Vec<Warning> {
        let mut all: Vec<Warning> = self.own_limits.warnings(&self.scheduler).collect();
        all.extend(self.scaling_warnings());
        all.extend(self.names.warnings());
        all.extend(self.event_hooks.warnings(Instant::now()));
        if let Some(balancer) = &self.balancer {
            all.extend(balancer.plan.warnings.iter().cloned());
            all.extend(balancer.data_path.attached().iter().flat_map(attachment));
            all.extend(pins(&balancer.data_path));
            let (config, next_hops, now) =
                (&balancer.config, balancer.next_hops.current(), Instant::now());
            all.extend(self.host_watch.warnings(config, next_hops, &balancer.attached(), now));
            all.extend(balancer.interfaces.warnings());
            all.extend(self.exhaustion.warnings());
            all.extend(self.tunnel.warnings());
            all.extend(http_warnings::warnings(&balancer.config, &balancer.http.reports));
            all.extend(self.proxy_warnings(&balancer.config, now));
            all.extend(self.vip_routes.warnings());
            all.extend(self.certificates.warnings(seconds_since_1970()));
        }
        all.sort_by_key(|warning| warning.kind);
        merged(all)
    }

    fn proxy_warnings(&self, config: &Config, now: Instant) -> Vec<Warning> {
        let published = self.publisher.published();
        let listeners: Vec<&str> = config.proxied_listeners().collect();
        let since = self.publisher.since();
        self.proxies.warnings(&listeners, published.as_deref(), since, now)
    }

    /// Logs what is new, and what has ended. Before the first verdicts, everything is missing, and
    /// nothing is said.
    pub(super) fn log_warnings(&mut self, now: Instant) {
        if self.balancer.as_ref().is_some_and(|balancer| !balancer.is_waiting()) {
            let warnings = self.warnings();
            let changes = self.warning_log.update(&warnings, now);
            self.event_hooks.warned(&changes);
        }
    }
}

/// Where the program should run.
fn attachment(attached: &Attached) -> Vec<Warning> {
    let Attached { name, native, reason, fault, renamed, previous, .. } = attached;
    let mut warnings = Vec::new();
    let mut warn = |kind, text: String| warnings.push(Warning::new(kind, name, text));
    if !fault.is_empty() {
        let text = format!(
            "interface {name}: the program does not run there, and its packets are not balanced: \
             {fault}"
        );
        warn(WarningKind::ProgramGone, text);
    } else if !native {
        let text = format!("interface {name}: XDP runs in generic mode, which is slow: {reason}");
        warn(WarningKind::GenericMode, text);
    }
    if !renamed.is_empty() {
        let text = format!(
            "interface {name} is called {renamed} now; the program runs there until an interface \
             {name} exists: add {renamed} to `interfaces`"
        );
        warn(WarningKind::InterfaceRenamed, text);
    }
    if !previous.is_empty() {
        let text = format!(
            "interface {name} is another one now; the previous one is called {previous}, and the \
             program does not run there: add {previous} to `interfaces` if packets for listeners \
             come in by it"
        );
        warn(WarningKind::InterfaceRenamed, text);
    }
    warnings
}

fn pins(data_path: &DataPath) -> Option<Warning> {
    let fault = data_path.pins_fault();
    let text = || format!("maps and links cannot be pinned again: {fault}");
    (!fault.is_empty()).then(|| Warning::new(WarningKind::PinsMissing, "", text()))
}
