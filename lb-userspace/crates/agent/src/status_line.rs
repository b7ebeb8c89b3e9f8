//! PURE: the agent in one line, for `systemctl status`.

use std::collections::BTreeSet;

use lb_common::target::TargetState;

use super::balancer::Balancer;

/// What the line is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Overview {
    interfaces: usize,
    listeners: usize,
    groups: usize,
    targets: usize,
    healthy: usize,
    failing_open: usize,
}

impl Overview {
    pub(super) fn of(balancer: &Balancer) -> Self {
        let Balancer { data_path, config, plan, http, .. } = balancer;
        let reports = || plan.targets.iter().chain(&http.reports);
        let healthy = reports().filter(|one| one.shown_state() == TargetState::Healthy).count();
        let open = reports().filter(|one| one.in_ring && one.state == TargetState::Unhealthy);
        Self {
            interfaces: data_path.attached().len(),
            listeners: config.listeners.len()
                + config.http_listeners.len()
                + config.tls_listeners.len(),
            groups: config.target_groups.len() + config.http_target_groups.len(),
            targets: reports().count(),
            healthy,
            failing_open: open.map(|one| &one.key.group).collect::<BTreeSet<_>>().len(),
        }
    }

    /// The line; `last_error` is that of the last change.
    pub(super) fn line(&self, last_error: &str) -> String {
        let Self { interfaces, listeners, groups, targets, healthy, failing_open } = self;
        if *interfaces == 0 {
            return "no configuration yet".to_owned();
        }
        let open = match failing_open {
            0 => String::new(),
            open => format!(", failing open: {open}"),
        };
        let refused = match last_error {
            "" => "",
            _ => "; the last change failed, see `xelb status`",
        };
        format!(
            "listeners: {listeners}, target groups: {groups}, targets: {targets}, healthy: \
             {healthy}{open}{refused}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_is_one_line() {
        let mut overview = Overview::default();
        assert_eq!(overview.line(""), "no configuration yet");
        overview = Overview {
            interfaces: 1,
            listeners: 0,
            groups: 2,
            targets: 4,
            healthy: 2,
            failing_open: 1,
        };
        let expected = "listeners: 0, target groups: 2, targets: 4, healthy: 2, failing open: 1";
        assert_eq!(overview.line(""), expected);
        let expected = format!("{expected}; the last change failed, see `xelb status`");
        assert_eq!(overview.line("x.yaml:1: wrong\nx.yaml:2: wrong"), expected);
    }
}
