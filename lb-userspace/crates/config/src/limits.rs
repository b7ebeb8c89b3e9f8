//! PURE: limits of a configuration: the sizes of the maps, or less if options of the agent say so.

use std::collections::HashSet;

use lb_common::limits::{GROUPS_MAX, LISTENERS_MAX, RING_SLOTS_MAX, TARGETS_MAX, ring_bits};

use super::{
    model::{Config, EventCall, HealthProtocol, Metric, MetricSource, Scaling, TargetGroup},
    tree::Node,
};

/// Limits of a configuration, or its counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Listeners.
    pub listeners: usize,
    /// Target groups.
    pub target_groups: usize,
    /// Targets of all groups.
    pub targets: usize,
    /// Slots of the rings that the groups need.
    pub ring_slots: usize,
    /// Whether health checks may run programs, or do.
    pub exec_checks: bool,
    /// Whether a proxy reads it that has no agent: it runs no programs, and starts no members.
    pub by_proxy: bool,
}

impl Limits {
    /// What the maps of this version hold. Number 0 means none, so that one entry less than the
    /// size of a map can be used.
    pub const MOST: Self = Self {
        listeners: LISTENERS_MAX - 1,
        target_groups: GROUPS_MAX - 1,
        targets: TARGETS_MAX - 1,
        ring_slots: RING_SLOTS_MAX,
        exec_checks: true,
        by_proxy: false,
    };

    /// What a proxy without an agent can do with a configuration.
    pub const OF_PROXY: Self = Self { exec_checks: false, by_proxy: true, ..Self::MOST };

    /// What a configuration has, where a DNS name is one target. Rings are counted as new ones: one
    /// that was larger stays so.
    #[must_use]
    pub fn use_of(config: &Config) -> Self {
        Self::counted(config, 1)
    }

    /// Whether a configuration with the addresses of its names as targets has no more than this.
    #[must_use]
    pub fn allow_expanded(self, config: &Config) -> bool {
        self.exceeded_by(Self::counted(config, 0)).next().is_none()
    }

    /// What a configuration has, with so many targets for a name.
    fn counted(config: &Config, by_name: usize) -> Self {
        let targets_max = |group: &TargetGroup| {
            let targets = group.targets.len() + group.names.len() * by_name;
            with_members(targets, group.scaling.as_deref())
        };
        let groups = &config.target_groups;
        let used: HashSet<&str> =
            config.listeners.iter().flat_map(|listener| listener.target_groups()).collect();
        let rings = groups
            .iter()
            .filter(|group| used.contains(&*group.name) && targets_max(group) > 0)
            .map(|group| 1 << ring_bits(targets_max(group), None));
        let http_groups = &config.http_target_groups;
        let http_targets = http_groups
            .iter()
            .map(|group| (group.targets.len() + group.names.len() * by_name, &group.scaling))
            .map(|(targets, scaling)| with_members(targets, scaling.as_deref()));
        let scalings = groups.iter().filter_map(|group| group.scaling.as_deref());
        let mut scalings =
            scalings.chain(http_groups.iter().filter_map(|group| group.scaling.as_deref()));
        let checks = groups
            .iter()
            .map(|group| &group.health_check)
            .chain(http_groups.iter().map(|group| &group.health_check));
        Self {
            listeners: config.listeners.len()
                + config.http_listeners.len()
                + config.tls_listeners.len(),
            target_groups: groups.len() + http_groups.len(),
            targets: groups.iter().map(|group| targets_max(group)).chain(http_targets).sum(),
            ring_slots: rings.sum(),
            exec_checks: checks
                .map(|check| &check.protocol)
                .any(|protocol| matches!(protocol, HealthProtocol::Exec(_)))
                || scalings.any(runs_programs)
                || config.on_event.iter().any(|hook| matches!(hook.call, EventCall::Exec(_))),
            by_proxy: false,
        }
    }

    /// What a document has that can be counted before anything of it is read.
    pub(super) fn counted_in(root: &Node) -> Self {
        let groups = root.items("target_groups");
        Self {
            listeners: root.items("listeners").len(),
            target_groups: groups.len(),
            targets: groups.iter().map(|group| group.items("targets").len()).sum(),
            ring_slots: 0,
            exec_checks: false,
            by_proxy: false,
        }
    }

    /// What there is too much of when so much is used.
    pub(super) fn exceeded_by(self, used: Self) -> impl Iterator<Item = Exceeded> {
        KINDS.iter().filter_map(move |kind| {
            let (count, limit) = ((kind.number)(&used), (kind.number)(&self));
            (count > limit).then_some(Exceeded { kind, count, limit })
        })
    }
}

/// Whether members come from a program, or programs are hooks.
fn runs_programs(scaling: &Scaling) -> bool {
    let prints = |metric: &Metric| matches!(metric.source, MetricSource::Exec { .. });
    scaling.driver.runs_here()
        || scaling.launch_hook.is_some()
        || scaling.terminate_hook.is_some()
        || scaling.metrics.iter().any(prints)
}

/// The most targets of a group, with all members that it may have.
fn with_members(targets: usize, scaling: Option<&Scaling>) -> usize {
    let members = scaling.map_or(0, |scaling| scaling.settings.limits.max);
    targets.saturating_add(usize::try_from(members).unwrap_or(usize::MAX))
}

impl Default for Limits {
    fn default() -> Self {
        Self::MOST
    }
}

/// One of the limits.
#[derive(Debug)]
struct Kind {
    /// What it limits, in plural.
    what: &'static str,
    /// The option of the agent that sets it.
    option: &'static str,
    /// Whether it shows at the listeners of a configuration, or else at its groups.
    of_listeners: bool,
    number: fn(&Limits) -> usize,
}

const KINDS: [Kind; 4] = [
    Kind {
        what: "listeners",
        option: "--max-listeners",
        of_listeners: true,
        number: |limits| limits.listeners,
    },
    Kind {
        what: "target groups",
        option: "--max-target-groups",
        of_listeners: false,
        number: |limits| limits.target_groups,
    },
    Kind {
        what: "targets",
        option: "--max-targets",
        of_listeners: false,
        number: |limits| limits.targets,
    },
    Kind {
        what: "slots of their rings",
        option: "--max-ring-slots",
        of_listeners: false,
        number: |limits| limits.ring_slots,
    },
];

/// A limit that a configuration exceeds.
#[derive(Debug)]
pub(super) struct Exceeded {
    kind: &'static Kind,
    count: usize,
    limit: usize,
}

impl Exceeded {
    /// Whether it belongs to the listeners of a configuration, or else to its groups.
    pub(super) const fn is_of_listeners(&self) -> bool {
        self.kind.of_listeners
    }

    /// The text for people.
    pub(super) fn message(&self) -> String {
        let Self { kind: Kind { what, option, number, .. }, count, limit } = self;
        let most = number(&Limits::MOST);
        if *limit == most {
            format!("{count} {what} are more than the {most} that this version supports")
        } else {
            format!(
                "{count} {what} are more than the {limit} that `xelb agent {option}` allows: remove \
                 some, or start the agent with a larger number, {most} at most"
            )
        }
    }
}
