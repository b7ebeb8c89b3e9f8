//! The configuration as it is written, to be kept, sent and edited.

use std::{collections::BTreeSet, net::SocketAddr, sync::Arc};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{
    error::Position,
    model::TargetAddress,
    part_error::PartError,
    tree::{Node, Value},
    values,
};

/// A configuration that may still be wrong; [`super::validate`] tells.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Document(pub(super) Node);

impl Default for Document {
    /// An empty one.
    fn default() -> Self {
        Self(Node { value: Value::Map(Arc::default()), spot: Position::UNKNOWN })
    }
}

/// Why a target cannot be added, removed or changed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EditError {
    /// The group is not there.
    #[error("there is no target group {name} ({known})")]
    NoGroup {
        /// The requested name.
        name: String,
        /// Those that are there.
        known: String,
    },
    /// The target is there already.
    #[error(
        "target group {group} has {target} already; change its weight with `xelb target \
             weight`"
    )]
    Present {
        /// The group.
        group: String,
        /// The target.
        target: String,
    },
    /// The target is not there.
    #[error("target group {group} has no target {target}; `xelb get targets` lists them")]
    Absent {
        /// The group.
        group: String,
        /// The target.
        target: String,
    },
    /// The group has no `scaling`.
    #[error(
        "target group {group} has no `scaling`: its number of targets is fixed; add `scaling` to it \
         with `xelb apply`"
    )]
    NotScaled {
        /// The group.
        group: String,
    },
    /// The value of `targets` is not a list.
    #[error("the targets of group {group} are not a list; correct it with `xelb apply`")]
    NoList {
        /// The group.
        group: String,
    },
    /// A part cannot be changed.
    #[error(transparent)]
    Part(#[from] PartError),
    /// The address alone names several targets.
    #[error("target group {group} has {address} on several ports; name one as ADDRESS:PORT")]
    Ambiguous {
        /// The group.
        group: String,
        /// The address.
        address: TargetAddress,
    },
}

impl Document {
    /// Registers a target.
    pub fn add_target(
        &mut self,
        group: &str,
        address: &TargetAddress,
        port: Option<u16>,
        weight: Option<u32>,
    ) -> Result<(), EditError> {
        let (node, default) = self.group(group)?;
        let wanted = port.or(default);
        if node.items("targets").iter().any(|target| names(target, address, wanted, default)) {
            return Err(EditError::Present {
                group: group.to_owned(),
                target: shown(address, port),
            });
        }
        let mut target = Node { value: Value::Map(Arc::default()), spot: Position::UNKNOWN };
        target.set("address", Node::text(&address.to_string()));
        if let Some(port) = port {
            target.set("port", Node::integer(port));
        }
        if let Some(weight) = weight {
            target.set("weight", Node::integer(weight));
        }
        let Some(targets) = node.list_mut("targets") else {
            return Err(EditError::NoList { group: group.to_owned() });
        };
        targets.push(target);
        Ok(())
    }

    /// Deregisters a target.
    pub fn remove_target(
        &mut self,
        group: &str,
        address: &TargetAddress,
        port: Option<u16>,
    ) -> Result<(), EditError> {
        let (node, default) = self.group(group)?;
        let index = find(node.items("targets"), group, address, port, default)?;
        if let Some(targets) = node.list_mut("targets") {
            targets.remove(index);
        }
        Ok(())
    }

    /// Changes the weight of a target.
    pub fn weigh_target(
        &mut self,
        group: &str,
        address: &TargetAddress,
        port: Option<u16>,
        weight: u32,
    ) -> Result<(), EditError> {
        let (node, default) = self.group(group)?;
        let index = find(node.items("targets"), group, address, port, default)?;
        if let Some(target) = node.list_mut("targets").and_then(|targets| targets.get_mut(index)) {
            target.set("weight", Node::integer(weight));
        }
        Ok(())
    }

    /// Sets the capacity limits of a scaled group.
    pub fn limit_capacity(
        &mut self,
        group: &str,
        min: Option<u32>,
        max: Option<u32>,
    ) -> Result<(), EditError> {
        let (node, _) = self.group(group)?;
        let scaling = node.get_mut("scaling").filter(|node| matches!(node.value, Value::Map(_)));
        let Some(scaling) = scaling else {
            return Err(EditError::NotScaled { group: group.to_owned() });
        };
        for (key, value) in [("min", min), ("max", max)] {
            if let Some(value) = value {
                scaling.set(key, Node::integer(value));
            }
        }
        Ok(())
    }

    /// DNS names among its targets, whatever else is wrong with it.
    #[must_use]
    pub fn target_names(&self) -> BTreeSet<Arc<str>> {
        let groups = self.0.items("target_groups").iter();
        let targets = groups.flat_map(|group| group.items("targets"));
        let addresses = targets.filter_map(|target| target.get("address").and_then(Node::as_text));
        let names = addresses.filter_map(|text| match text.parse() {
            Ok(TargetAddress::Name(name)) => Some(name),
            _ => None,
        });
        names.collect()
    }

    /// The DNS servers that it names.
    #[must_use]
    pub fn dns_servers(&self) -> Vec<SocketAddr> {
        let servers = self.0.get("resolver").map_or(&[][..], |resolver| resolver.items("servers"));
        servers.iter().filter_map(|server| values::dns_server(server).ok()).collect()
    }

    /// A target group and its port.
    fn group(&mut self, name: &str) -> Result<(&mut Node, Option<u16>), EditError> {
        let is_it = |group: &Node| group.get("name").and_then(Node::as_text) == Some(name);
        let Some(index) = self.0.items("target_groups").iter().position(is_it) else {
            return Err(self.no_group(name));
        };
        let groups = self.0.list_mut("target_groups");
        let group = groups
            .and_then(|groups| groups.get_mut(index))
            .ok_or_else(|| EditError::NoList { group: name.to_owned() })?;
        let port = group.get("port").and_then(port_of);
        Ok((group, port))
    }

    fn no_group(&self, name: &str) -> EditError {
        let groups = self.0.items("target_groups").iter();
        let names: Vec<&str> =
            groups.filter_map(|group| group.get("name").and_then(Node::as_text)).collect();
        let known = match names.as_slice() {
            [] => "there are none".to_owned(),
            [one] => format!("there is only {one}"),
            several => format!("there are {}", several.join(", ")),
        };
        EditError::NoGroup { name: name.to_owned(), known }
    }
}

pub(super) fn port_of(node: &Node) -> Option<u16> {
    match node.value {
        Value::Integer(port) => u16::try_from(port).ok(),
        _ => None,
    }
}

fn shown(address: &TargetAddress, port: Option<u16>) -> String {
    port.map_or_else(|| address.to_string(), |port| address.with_port(port))
}

/// Whether a target has this address, and this port if one is given.
fn names(target: &Node, address: &TargetAddress, port: Option<u16>, default: Option<u16>) -> bool {
    let its_address = target.get("address").and_then(Node::as_text);
    let its_address = its_address.and_then(|text| text.parse::<TargetAddress>().ok());
    let its_port = target.get("port").and_then(port_of).or(default);
    its_address.as_ref() == Some(address) && (port.is_none() || its_port == port)
}

fn find(
    targets: &[Node],
    group: &str,
    address: &TargetAddress,
    port: Option<u16>,
    default: Option<u16>,
) -> Result<usize, EditError> {
    let mut found = targets
        .iter()
        .enumerate()
        .filter(|(_, target)| names(target, address, port, default))
        .map(|(index, _)| index);
    match (found.next(), found.next()) {
        (Some(index), None) => Ok(index),
        (None, _) => {
            Err(EditError::Absent { group: group.to_owned(), target: shown(address, port) })
        }
        (Some(_), Some(_)) => {
            Err(EditError::Ambiguous { group: group.to_owned(), address: address.clone() })
        }
    }
}
