//! The parts of a configuration that the proxy serves, and the data path does not.

use std::fmt;

use super::model::Config;

/// A part of a configuration that the proxy serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer7<'config> {
    /// A listener of `http`, `https` or `tls`.
    Listener(&'config str),
    /// A target group of `http`, `https` or `grpc`.
    TargetGroup(&'config str),
}

/// Such as `listener shop` or `target group order`.
impl fmt::Display for Layer7<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listener(name) => write!(formatter, "listener {name}"),
            Self::TargetGroup(name) => write!(formatter, "target group {name}"),
        }
    }
}

impl Config {
    /// All that the proxy serves; empty for a configuration of layer 4 alone.
    #[must_use]
    pub fn layer7(&self) -> Vec<Layer7<'_>> {
        let http = self.http_listeners.iter().map(|listener| listener.name.as_str());
        let tls = self.tls_listeners.iter().map(|listener| listener.name.as_str());
        let groups = self.http_target_groups.iter().map(|group| &*group.name);
        http.chain(tls).map(Layer7::Listener).chain(groups.map(Layer7::TargetGroup)).collect()
    }
}
