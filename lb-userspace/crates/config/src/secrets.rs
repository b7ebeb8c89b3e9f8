//! PURE: a document without what only those may see who may change everything: the seed of the flow
//! hash, and what health checks run and send.

use std::sync::Arc;

use super::{
    document::Document,
    tree::{Node, Value},
};

/// Replaces a secret. No key takes it for a value, so that a document without its secrets is not
/// applied by mistake.
pub const HIDDEN: &str = "(hidden: needs the role configure)";

/// Keys of secrets, by section.
const OF_DOCUMENT: &[&str] = &["hash_seed"];
const OF_HEALTH_CHECK: &[&str] = &["command", "payload", "payload_hex", "expect", "expect_hex"];

impl Document {
    /// The same without its secrets.
    #[must_use]
    pub fn without_secrets(&self) -> Self {
        let mut document = self.clone();
        hide(&mut document.0, OF_DOCUMENT);
        let groups = document.0.items("target_groups");
        let any = |group: &Node| group.get("health_check").is_some_and(has);
        if groups.iter().any(any)
            && let Some(groups) = document.0.list_mut("target_groups")
        {
            for check in groups.iter_mut().filter_map(|group| group.get_mut("health_check")) {
                hide(check, OF_HEALTH_CHECK);
            }
        }
        document
    }
}

fn has(section: &Node) -> bool {
    OF_HEALTH_CHECK.iter().any(|key| section.get(key).is_some())
}

/// Hides the values of these keys, each time that one is there.
fn hide(section: &mut Node, keys: &[&str]) {
    let Value::Map(entries) = &mut section.value else {
        return;
    };
    let is_secret = |name: &Node| name.as_text().is_some_and(|name| keys.contains(&name));
    if !entries.iter().any(|(name, _)| is_secret(name)) {
        return;
    }
    for (_, value) in Arc::make_mut(entries).iter_mut().filter(|(name, _)| is_secret(name)) {
        value.value = match value.value {
            Value::List(_) => Value::List(Arc::new(vec![Node::text(HIDDEN)])),
            _ => Value::Text(HIDDEN.to_owned()),
        };
    }
}
