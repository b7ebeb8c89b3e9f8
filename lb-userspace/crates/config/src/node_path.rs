//! PURE: from a part of a document to a part of that, by keys and places.

use lb_rules::PathStep;

use super::{
    error::At,
    tree::{Node, Value},
};

impl Node {
    /// The position of the part that a path leads to from here, or of the last part on its way that
    /// is written: a default is not.
    pub(super) fn follow(&self, at: &At, path: &[PathStep]) -> At {
        let (mut node, mut at) = (self, at.clone());
        for step in path {
            let next = match (step, &node.value) {
                (PathStep::Key(key), Value::Map(entries)) => {
                    let found = entries.iter().find(|(name, _)| name.as_text() == Some(key));
                    found.filter(|(_, value)| value.value != Value::Null).map(|(name, value)| {
                        // As `Section::entry` has it.
                        let same_line = value.spot.line == name.spot.line;
                        (value, at.key(key, if same_line { value.spot } else { name.spot }))
                    })
                }
                (PathStep::Item(place), Value::List(items)) => {
                    items.get(*place).map(|item| (item, at.item(*place, item.spot)))
                }
                _ => None,
            };
            let Some(next) = next else { break };
            (node, at) = next;
        }
        at
    }
}
