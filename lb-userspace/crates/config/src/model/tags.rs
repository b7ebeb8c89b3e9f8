//! Tags of listeners, target groups and targets, also of members of scaled groups: labels for people and for
//! selectors. They stand apart from the objects, so that no plan and no proxy sees that one has changed.

use std::{collections::BTreeMap, net::IpAddr, sync::Arc};

use super::TargetKey;

/// Values by key. The limits are ELB's: [`TAGS_MAX`], [`tag_key`], [`tag_value`].
pub type Tags = BTreeMap<String, String>;

/// Most tags of an object.
pub const TAGS_MAX: usize = 50;
/// Most characters of a key.
const KEY_MAX: usize = 128;
/// Most characters of a value.
const VALUE_MAX: usize = 256;

/// Tags of all objects that have some.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObjectTags {
    /// Of listeners, by name.
    pub listeners: BTreeMap<String, Tags>,
    /// Of target groups and their targets, by name of the group.
    pub target_groups: BTreeMap<Arc<str>, Arc<GroupTags>>,
}

/// Tags of a target group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupTags {
    /// Its own.
    pub own: Tags,
    /// Of its targets that have some, by address and port.
    pub targets: BTreeMap<(IpAddr, u16), Tags>,
    /// Of DNS names among its targets that have some, by name and port.
    pub names: BTreeMap<(Arc<str>, u16), Tags>,
}

impl ObjectTags {
    /// Gives tags to targets of a group that are not declared.
    pub fn add_targets(&mut self, group: &Arc<str>, targets: &[(IpAddr, u16)], tags: &Tags) {
        if tags.is_empty() || targets.is_empty() {
            return;
        }
        let own = Arc::make_mut(self.target_groups.entry(Arc::clone(group)).or_default());
        own.targets.extend(targets.iter().map(|target| (*target, tags.clone())));
    }

    /// Tags of a listener.
    #[must_use]
    pub fn of_listener(&self, name: &str) -> Tags {
        self.listeners.get(name).cloned().unwrap_or_default()
    }

    /// Tags of a target group, without those of its targets.
    #[must_use]
    pub fn of_group(&self, name: &str) -> Tags {
        self.target_groups.get(name).map(|group| group.own.clone()).unwrap_or_default()
    }

    /// Tags of a target.
    #[must_use]
    pub fn of_target(&self, key: &TargetKey) -> Tags {
        let group = self.target_groups.get(&key.group);
        let tags = group.and_then(|group| group.targets.get(&(key.address, key.port)));
        tags.cloned().unwrap_or_default()
    }
}

/// What is wrong with the key of a tag, as the end of a sentence about it. It has no `=`, so that a selector
/// can name every key.
pub(crate) fn tag_key(key: &str) -> Result<(), String> {
    if is_text(key, 1, KEY_MAX) && !key.contains('=') {
        return Ok(());
    }
    Err(format!(
        "is not the key of a tag: 1 to {KEY_MAX} letters, digits, inner blanks and `+ - . _ : / @`, such \
         as `env`"
    ))
}

/// The same for a value, which may be empty.
pub(crate) fn tag_value(value: &str) -> Result<(), String> {
    if is_text(value, 0, VALUE_MAX) {
        return Ok(());
    }
    Err(format!(
        "is not the value of a tag: at most {VALUE_MAX} letters, digits, inner blanks and \
         `+ - = . _ : / @`, such as `prod`"
    ))
}

fn is_text(text: &str, min: usize, max: usize) -> bool {
    let is_allowed = |one: char| one.is_alphanumeric() || " +-=._:/@".contains(one);
    (min..=max).contains(&text.chars().count())
        && text.chars().all(is_allowed)
        && text.trim_matches(' ') == text
}
