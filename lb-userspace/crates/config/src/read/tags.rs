//! Tags of a listener, a rule, a target group, a target, or of the members of a scaled group.

use std::sync::Arc;

use crate::{
    model::{Config, GroupTags, ObjectTags, TAGS_MAX, Tags, tag_key, tag_value},
    positions::Positions,
    section::Section,
    tree::Node,
    values,
};

/// The tags of an object.
pub(super) fn tags(section: &Section<'_>) -> Tags {
    let Some(entry) = section.entry("tags") else {
        return Tags::new();
    };
    let tags = section.texts("tags", tag);
    if tags.len() > TAGS_MAX {
        let message = format!("{} tags are more than the {TAGS_MAX} of an object", tags.len());
        section.findings.error(&entry.at, message);
    }
    tags.into_iter().collect()
}

/// The value of a tag.
fn tag(key: &str, node: &Node) -> Result<String, String> {
    tag_key(key).map_err(|why| format!("the key {why}"))?;
    let value = values::text(node)?;
    tag_value(&value).map_err(|why| format!("`{}` {why}", crate::error::brief(&value)))?;
    Ok(value)
}

/// The tags of all objects; they were read with their positions.
pub(super) fn of_all(config: &Config, places: &Positions) -> ObjectTags {
    let mut all = ObjectTags::default();
    let packets = config.listeners.iter().map(|one| &one.name);
    let packets = packets.zip(places.listeners.iter().map(|place| &place.tags));
    let http = config.http_listeners.iter().map(|one| &one.name);
    let http = http.zip(places.http_listeners.iter().map(|place| &place.tags));
    let tls = config.tls_listeners.iter().map(|one| &one.name);
    let tls = tls.zip(places.tls_listeners.iter().map(|place| &place.tags));
    let listeners = packets.chain(http).chain(tls).filter(|(_, tags)| !tags.is_empty());
    all.listeners.extend(listeners.map(|(name, tags)| (name.clone(), tags.clone())));
    let packets = config.target_groups.iter().map(|group| &group.name);
    let packets = packets.zip(places.groups.iter().map(|place| &place.tags));
    let http = config.http_target_groups.iter().map(|group| &group.name);
    let http = http.zip(places.http_groups.iter().map(|place| &place.tags));
    let has_some = |tags: &GroupTags| {
        !tags.own.is_empty() || !tags.targets.is_empty() || !tags.names.is_empty()
    };
    let groups = packets.chain(http).filter(|(_, tags)| has_some(tags));
    let shared = groups.map(|(name, tags)| (Arc::clone(name), Arc::clone(tags)));
    all.target_groups.extend(shared);
    all
}
