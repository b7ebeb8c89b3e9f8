//! PURE: containers as the API describes them, and what they are as members.

use std::{collections::BTreeMap, net::IpAddr};

use lb_members::{CallError, ErrorClass, MemberState, Reported};
use serde::Deserialize;

use super::DockerSettings;

/// The label with the name of the group.
pub(crate) const GROUP_LABEL: &str = "xelb.group";
/// The label with the digest of the template.
pub(super) const TEMPLATE_LABEL: &str = "xelb.template";

type Labels = BTreeMap<String, String>;

/// A network of a container. Texts are empty before it has an address.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Network {
    #[serde(rename = "IPAddress")]
    ipv4: String,
    #[serde(rename = "GlobalIPv6Address")]
    ipv6: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct NetworkSettings {
    networks: Option<BTreeMap<String, Network>>,
}

impl NetworkSettings {
    /// The address in the network of the settings, or in the first that has one.
    fn address(&self, settings: &DockerSettings) -> Option<IpAddr> {
        let networks = self.networks.as_ref()?;
        let chosen = networks
            .iter()
            .filter(|(name, _)| settings.network.as_ref().is_none_or(|chosen| chosen == *name));
        let mut addresses = chosen
            .filter_map(|(_, network)| network.ipv4.parse().or_else(|_| network.ipv6.parse()).ok());
        addresses.next()
    }
}

/// One of `GET /containers/json`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Listed {
    names: Vec<String>,
    state: String,
    #[serde(default)]
    labels: Option<Labels>,
    #[serde(default)]
    network_settings: Option<NetworkSettings>,
}

impl Listed {
    /// None for a container without a name, which is about to go.
    pub(super) fn reported(&self, settings: &DockerSettings) -> Option<Reported> {
        // A name begins with a slash; links to it have two.
        let mut names = self.names.iter().map(|name| name.trim_start_matches('/'));
        let name = names.find(|name| !name.contains('/'))?;
        let address = self.network_settings.as_ref().and_then(|all| all.address(settings));
        let labels = self.labels.clone().unwrap_or_default();
        Some(reported(name, &self.state, address, &labels, settings))
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Status {
    status: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Configured {
    labels: Option<Labels>,
}

/// `GET /containers/NAME/json`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Inspected {
    state: Status,
    #[serde(default)]
    config: Configured,
    #[serde(default)]
    network_settings: NetworkSettings,
}

impl Inspected {
    pub(super) fn group(&self) -> Option<&String> {
        self.config.labels.as_ref()?.get(GROUP_LABEL)
    }

    pub(super) fn reported(&self, name: &str, settings: &DockerSettings) -> Reported {
        let labels = self.config.labels.clone().unwrap_or_default();
        let address = self.network_settings.address(settings);
        reported(name, &self.state.status, address, &labels, settings)
    }
}

fn reported(
    name: &str,
    status: &str,
    address: Option<IpAddr>,
    labels: &Labels,
    settings: &DockerSettings,
) -> Reported {
    let state = match status {
        "running" if address.is_some() => MemberState::Running,
        // With its restart policy, it does not exit by itself for good.
        "exited" | "stopped" | "paused" => MemberState::Stopped,
        "removing" => MemberState::Ended,
        "dead" => MemberState::Failed,
        // created, initialized, configured, restarting, or without an address yet
        _ => MemberState::Launching,
    };
    let error = (state == MemberState::Failed)
        .then(|| CallError::new(ErrorClass::Fatal, format!("the container {name} is {status}")));
    Reported {
        name: name.to_owned(),
        state,
        address,
        port: Some(settings.port),
        template: labels.get(TEMPLATE_LABEL).cloned(),
        error,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn settings(network: Option<&str>) -> DockerSettings {
        serde_json::from_value(json!({ "image": "web", "port": 80, "network": network })).unwrap()
    }

    #[test]
    fn containers_as_docker_and_podman_describe_them() {
        let networks = json!({ "Networks": {
            "bridge": { "IPAddress": "172.17.0.2", "GlobalIPv6Address": "" },
            "v6": { "IPAddress": "", "GlobalIPv6Address": "2001:db8::2" },
        } });
        let none = json!({ "Networks": null });
        // (state, networks, chosen network, member)
        let cases = [
            ("running", &networks, None, "Running Some(172.17.0.2)"),
            ("running", &networks, Some("v6"), "Running Some(2001:db8::2)"),
            ("running", &networks, Some("other"), "Launching None"),
            ("running", &none, None, "Launching None"),
            ("created", &none, None, "Launching None"),
            ("configured", &none, None, "Launching None"),
            ("restarting", &networks, None, "Launching Some(172.17.0.2)"),
            ("exited", &none, None, "Stopped None"),
            ("removing", &none, None, "Ended None"),
            ("dead", &none, None, "Failed None"),
        ];
        for (state, networks, chosen, expected) in cases {
            let listed: Listed = serde_json::from_value(json!({
                "Names": ["/other/link", "/web-1"], "State": state,
                "Labels": { "xelb.group": "web", "xelb.template": "t" },
                "NetworkSettings": networks, "Id": "x",
            }))
            .unwrap();
            let member = listed.reported(&settings(chosen)).unwrap();
            assert_eq!(format!("{:?} {:?}", member.state, member.address), expected, "{state}");
            assert_eq!((member.name.as_str(), member.template.as_deref()), ("web-1", Some("t")));
            let inspected: Inspected = serde_json::from_value(json!({
                "State": { "Status": state, "Running": true },
                "Config": { "Labels": { "xelb.group": "web", "xelb.template": "t" } },
                "NetworkSettings": networks,
            }))
            .unwrap();
            assert_eq!(inspected.reported("web-1", &settings(chosen)), member);
            assert_eq!(inspected.group().unwrap(), "web");
        }
    }
}
