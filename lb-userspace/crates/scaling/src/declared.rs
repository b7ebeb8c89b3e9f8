//! PURE: a scaled target group as it is declared, whether packets or requests reach its targets.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use lb_config::{AnyGroup, Config, HttpTargetGroup, Scaling, TargetGroup};

/// A scaled target group.
#[derive(Clone, Debug)]
pub(crate) enum Declared {
    /// Its targets get packets of the data path.
    Packets(Arc<TargetGroup>),
    /// Its targets get requests of the proxy.
    Requests(Arc<HttpTargetGroup>),
}

impl Declared {
    pub(crate) fn name(&self) -> &Arc<str> {
        match self {
            Self::Packets(group) => &group.name,
            Self::Requests(group) => &group.name,
        }
    }

    pub(crate) fn scaling(&self) -> Option<&Scaling> {
        match self {
            Self::Packets(group) => group.scaling.as_deref(),
            Self::Requests(group) => group.scaling.as_deref(),
        }
    }

    /// The longest that a member drains.
    pub(crate) fn deregistration_delay(&self) -> Duration {
        match self {
            Self::Packets(group) => group.life.deregistration_delay,
            Self::Requests(group) => group.deregistration_delay,
        }
    }

    pub(crate) fn any(&self) -> AnyGroup<'_> {
        match self {
            Self::Packets(group) => AnyGroup::Packets(group),
            Self::Requests(group) => AnyGroup::Requests(group),
        }
    }

    /// Whether an address and port is that of a declared target.
    pub(crate) fn has_target(&self, target: SocketAddr) -> bool {
        self.any().has_target(target)
    }
}

/// The scaled groups of a configuration.
pub(crate) fn scaled_groups(config: &Config) -> impl Iterator<Item = Declared> + '_ {
    let packets = config.target_groups.iter().map(|group| Declared::Packets(Arc::clone(group)));
    let requests =
        config.http_target_groups.iter().map(|group| Declared::Requests(Arc::clone(group)));
    packets.chain(requests).filter(|group| group.scaling().is_some())
}

/// Whether a configuration has scaled groups.
#[must_use]
pub fn is_scaled(config: &Config) -> bool {
    config.target_groups.iter().any(|group| group.scaling.is_some())
        || config.http_target_groups.iter().any(|group| group.scaling.is_some())
}
