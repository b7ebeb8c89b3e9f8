//! PURE: listeners of the proxy as `get` shows them.

use ipnet::IpNet;
use lb_config::{Config, HttpListener};
use lb_rules::Action;

use super::{ListenerView, PortView};

/// The listeners that the proxy serves, in the order of the configuration.
pub(super) fn listeners(config: &Config) -> impl Iterator<Item = ListenerView> + '_ {
    let http = config.http_listeners.iter().map(|listener| ListenerView {
        name: listener.name.clone(),
        address: shown(listener.address),
        port: PortView::One(listener.port),
        protocol: listener.protocol().to_string(),
        target_group: default_group(listener).to_owned(),
        active_target_group: default_group(listener).to_owned(),
        id: 0,
        proxied: true,
        tags: config.tags.of_listener(&listener.name),
    });
    let tls = config.tls_listeners.iter().map(|listener| ListenerView {
        name: listener.name.clone(),
        address: shown(listener.address),
        port: PortView::One(listener.port),
        protocol: "tls".to_owned(),
        target_group: listener.target_group.clone(),
        active_target_group: listener.target_group.clone(),
        id: 0,
        proxied: true,
        tags: config.tags.of_listener(&listener.name),
    });
    http.chain(tls)
}

/// The group of requests that no rule matches; empty if they go to several, or to none.
fn default_group(listener: &HttpListener) -> &str {
    match &listener.default_action {
        Action::Forward(forward) => match forward.target_groups.as_slice() {
            [group] => &group.name,
            _ => "",
        },
        Action::Redirect(_) | Action::FixedResponse(_) => "",
    }
}

/// A single address without a length.
fn shown(address: IpNet) -> String {
    if address.prefix_len() == address.max_prefix_len() {
        address.addr().to_string()
    } else {
        address.to_string()
    }
}
