//! PURE: changes of a document by path: what creates, sets and deletes its parts. It knows how items
//! of lists are named, and no keys otherwise.
//!
//! A revision is kept as the changes that made it, so what a change does must never change.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    document::{Document, port_of},
    error::{Position, brief},
    part::Part,
    part_error::PartError,
    part_path::{PartPath, PartStep},
    tree::{Node, Value},
};

/// Names that an error lists.
const NAMED_MAX: usize = 20;

/// One change of a document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
pub enum Change {
    /// Adds an item at the end of its list, or a key to a section. An error if it exists.
    Create {
        /// Where, such as `listeners[web]`.
        #[schema(value_type = String)]
        path: PartPath,
        /// What.
        value: Part,
    },
    /// Gives a key or an item another value. The object that has the key must exist, the key itself
    /// and sections before it need not. An item must exist.
    Set {
        /// Where, such as `target_groups[web].attributes.slow_start`.
        #[schema(value_type = String)]
        path: PartPath,
        /// What.
        value: Part,
    },
    /// Removes a key or an item. An error if it does not exist.
    Delete {
        /// Which, such as `listeners[web]`.
        #[schema(value_type = String)]
        path: PartPath,
    },
}

impl Change {
    /// Where.
    #[must_use]
    pub const fn path(&self) -> &PartPath {
        match self {
            Self::Create { path, .. } | Self::Set { path, .. } | Self::Delete { path } => path,
        }
    }

    /// For people, without the value, which may be a secret.
    #[must_use]
    pub fn text(&self) -> String {
        let verb = match self {
            Self::Create { .. } => "create",
            Self::Set { .. } => "set",
            Self::Delete { .. } => "delete",
        };
        format!("{verb} {}", self.path().object())
    }

    /// Changes a document. After an error it may be changed in part.
    pub(super) fn apply(&self, document: &mut Document) -> Result<(), PartError> {
        let path = self.path();
        let Some((last, before)) = path.0.split_last() else {
            return match self {
                Self::Set { value, .. } => {
                    document.0.clone_from(&value.0);
                    Ok(())
                }
                _ => Err(PartError::Present { object: path.object() }),
            };
        };
        let makes = !matches!(self, Self::Delete { .. });
        let parent = walk(&mut document.0, before, last, makes)?;
        match last {
            PartStep::Key(key) => self.change_key(parent.node, key),
            PartStep::Item(name) => self.change_item(parent, name),
        }
    }

    fn change_key(&self, section: &mut Node, key: &str) -> Result<(), PartError> {
        let object = || self.path().object();
        let is_there = section.get(key).is_some_and(|node| node.value != Value::Null);
        match self {
            Self::Create { .. } if is_there => Err(PartError::Present { object: object() }),
            Self::Create { value, .. } | Self::Set { value, .. } => {
                section.set(key, value.0.clone());
                Ok(())
            }
            Self::Delete { .. } if section.remove(key) => Ok(()),
            Self::Delete { .. } => {
                Err(PartError::Absent { object: object(), known: String::new() })
            }
        }
    }

    fn change_item(&self, parent: Place<'_>, name: &str) -> Result<(), PartError> {
        let object = || self.path().object();
        let Place { node, port } = parent;
        let items = list_of(node, &self.path().to_string())?;
        match self {
            Self::Create { value, .. } => {
                if !is_named(&value.0, name, port) {
                    return Err(PartError::OtherName { path: self.path().to_string() });
                }
                if items.iter().any(|item| same_item(item, &value.0, port)) {
                    return Err(PartError::Present { object: object() });
                }
                items.push(value.0.clone());
            }
            Self::Set { value, .. } => {
                let index = find(items, name, port, object)?;
                if let Some(item) = items.get_mut(index) {
                    item.clone_from(&value.0);
                }
            }
            Self::Delete { .. } => {
                items.remove(find(items, name, port, object)?);
            }
        }
        Ok(())
    }
}

impl Document {
    /// The part that a path leads to.
    pub fn part(&self, path: &PartPath) -> Result<Part, PartError> {
        let (mut node, mut port) = (&self.0, None);
        for (number, step) in path.0.iter().enumerate() {
            let object = || PartPath(path.0.iter().take(number + 1).cloned().collect()).object();
            match step {
                PartStep::Key(key) => {
                    port = node.get("port").and_then(port_of);
                    node = node.get(key).ok_or_else(|| absent_key(&path.0, number))?;
                }
                PartStep::Item(name) => {
                    let items: &[Node] = match &node.value {
                        Value::List(items) => items,
                        _ => &[],
                    };
                    let index = find(items, name, port, object)?;
                    node = items.get(index).unwrap_or(node);
                }
            }
        }
        Ok(Part(node.clone()))
    }
}

/// The error of a key that is not there. Where it would be a list, what is missing is the item that is looked
/// for in it.
fn absent_key(path: &[PartStep], number: usize) -> PartError {
    let (count, known) = match path.get(number + 1) {
        Some(PartStep::Item(_)) => (number + 2, " (there are none)"),
        _ => (number + 1, ""),
    };
    let object = PartPath(path.iter().take(count).cloned().collect()).object();
    PartError::Absent { object, known: known.to_owned() }
}

/// A node, and the port of the section that its list belongs to.
struct Place<'document> {
    node: &'document mut Node,
    port: Option<u16>,
}

/// Goes through all steps but the last one. Where `makes`, sections and lists that are missing are
/// made, behind an object that exists.
fn walk<'document>(
    root: &'document mut Node,
    steps: &[PartStep],
    last: &PartStep,
    makes: bool,
) -> Result<Place<'document>, PartError> {
    let (mut node, mut port) = (root, None);
    for (number, step) in steps.iter().enumerate() {
        let shown = || PartPath(steps.iter().take(number + 1).cloned().collect());
        let absent = || {
            let all: Vec<PartStep> = steps.iter().chain([last]).cloned().collect();
            absent_key(&all, number)
        };
        match step {
            PartStep::Key(key) => {
                let next = steps.get(number + 1).unwrap_or(last);
                port = node.get("port").and_then(port_of);
                section_of(node, &shown())?;
                if node.get(key).is_none_or(|node| node.value == Value::Null) {
                    if !makes {
                        return Err(absent());
                    }
                    let value = match next {
                        PartStep::Key(_) => Value::Map(Arc::default()),
                        PartStep::Item(_) => Value::List(Arc::default()),
                    };
                    node.set(key, Node { value, spot: Position::UNKNOWN });
                }
                node = node.get_mut(key).ok_or_else(absent)?;
            }
            PartStep::Item(name) => {
                let items = list_of(node, &shown().to_string())?;
                let index = find(items, name, port, || shown().object())?;
                node = items.get_mut(index).ok_or_else(absent)?;
            }
        }
    }
    if let PartStep::Key(_) = last {
        section_of(node, &PartPath(steps.to_vec()))?;
    }
    Ok(Place { node, port })
}

/// Refuses what has no keys; nothing becomes an empty section.
fn section_of(node: &mut Node, path: &PartPath) -> Result<(), PartError> {
    match &node.value {
        Value::Map(_) => Ok(()),
        Value::Null => {
            node.value = Value::Map(Arc::default());
            Ok(())
        }
        other => Err(PartError::Kind {
            path: path.to_string(),
            found: other.kind(),
            wanted: "a section with keys",
        }),
    }
}

fn list_of<'list>(node: &'list mut Node, path: &str) -> Result<&'list mut Vec<Node>, PartError> {
    if node.value == Value::Null {
        node.value = Value::List(Arc::default());
    }
    match &mut node.value {
        Value::List(items) => Ok(Arc::make_mut(items)),
        other => Err(PartError::Kind {
            path: path.to_owned(),
            found: other.kind(),
            wanted: "an item of a list",
        }),
    }
}

/// The index of the item with this name.
fn find(
    items: &[Node],
    name: &str,
    port: Option<u16>,
    object: impl Fn() -> String,
) -> Result<usize, PartError> {
    let named = items.iter().enumerate().filter(|(_, item)| is_named(item, name, port));
    let mut named = named.map(|(index, _)| index);
    match (named.next(), named.next()) {
        (Some(index), None) => Ok(index),
        (Some(index), Some(_)) if items[index].get("priority").is_some() => {
            Err(PartError::AmbiguousRule { object: object() })
        }
        (Some(_), Some(_)) => Err(PartError::Ambiguous { object: object() }),
        (None, _) => Err(PartError::Absent { object: object(), known: known(items) }),
    }
}

/// The names of some items, behind a space.
fn known(items: &[Node]) -> String {
    let names = items.iter().filter_map(|item| match item.get("name") {
        Some(name) => name.as_text().map(brief),
        None => match (item.get("priority"), address_of(item)) {
            (Some(Node { value: Value::Integer(priority), .. }), _) => Some(priority.to_string()),
            (_, address) => address.map(brief),
        },
    });
    let mut names: Vec<String> = names.take(NAMED_MAX + 1).collect();
    if names.len() > NAMED_MAX {
        names.truncate(NAMED_MAX);
        names.push("others".to_owned());
    }
    match names.as_slice() {
        [] => " (there are none)".to_owned(),
        [one] => format!(" (there is only {one})"),
        several => format!(" (there are {})", several.join(", ")),
    }
}

fn address_of(item: &Node) -> Option<&str> {
    item.get("address").and_then(Node::as_text)
}

/// Whether an item has this name, this priority, or this address; or is this text itself.
fn is_named(item: &Node, name: &str, port: Option<u16>) -> bool {
    if item.as_text() == Some(name) || item.get("name").and_then(Node::as_text) == Some(name) {
        return true;
    }
    if let Some(priority) = item.get("priority") {
        return matches!(priority.value, Value::Integer(number) if number.to_string() == name);
    }
    let Some(address) = address_of(item).filter(|_| item.get("name").is_none()) else {
        return false;
    };
    let own_port = item.get("port").and_then(port_of).or(port);
    if let Ok(wanted) = name.parse::<SocketAddr>() {
        return address.parse() == Ok(wanted.ip()) && own_port == Some(wanted.port());
    }
    let bare = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(name);
    if let Ok(wanted) = bare.parse::<IpAddr>() {
        return address.parse() == Ok(wanted);
    }
    // A host by its name.
    let (host, wanted) =
        name.rsplit_once(':').map_or((name, None), |(host, port)| (host, port.parse::<u16>().ok()));
    address == host && (wanted.is_none() || own_port == wanted)
}

/// Whether two items cannot be in the same list: they have the same name, priority, or address and
/// port, or are the same text.
fn same_item(one: &Node, other: &Node, port: Option<u16>) -> bool {
    let both = |key: &str| match (one.get(key), other.get(key)) {
        (Some(one), Some(other)) => one.value == other.value,
        _ => false,
    };
    if both("name") || both("priority") || one.as_text().is_some() && one.value == other.value {
        return true;
    }
    let place = |item: &Node| {
        let address = address_of(item)?.parse::<IpAddr>().ok()?;
        Some((address, item.get("port").and_then(port_of).or(port)))
    };
    let unnamed = one.get("name").is_none() && other.get("name").is_none();
    unnamed && place(one).is_some() && place(one) == place(other)
}
