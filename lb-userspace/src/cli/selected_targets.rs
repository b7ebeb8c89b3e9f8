//! PURE: targets that have a selector's tags, by their names.

use lb_agent::{Snapshot, TargetView};
use lb_config::{Selector, TaggedKind};

use super::{place::Place, selection};

/// A target by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) group: String,
    pub(super) place: Place,
}

impl Named {
    /// `GROUP/ADDRESS[:PORT]`.
    pub(super) fn name(&self) -> String {
        format!("{}/{}", self.group, self.place)
    }
}

/// The targets of a group, or of all groups, whose tags fit. An error if there is none.
pub(super) fn selected(
    group: Option<&str>,
    selector: &Selector,
    snapshot: &Snapshot,
) -> Result<Vec<Named>, String> {
    if let Some(group) = group
        && !snapshot.target_groups.iter().any(|one| one.name == group)
    {
        return Err(format!(
            "there is no target group {group}; `xelb get target-groups` lists all"
        ));
    }
    let is_it = |target: &&TargetView| {
        group.is_none_or(|group| group == target.group)
            && !target.leaving
            && selector.matches(&target.tags)
    };
    let named = |target: &TargetView| {
        let place = Place { address: target.address?.into(), port: Some(target.port) };
        Some(Named { group: target.group.clone(), place })
    };
    let found: Vec<Named> = snapshot.targets.iter().filter(is_it).filter_map(named).collect();
    if found.is_empty() {
        return Err(selection::nothing(TaggedKind::Target, group, selector));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use lb_agent::TargetGroupView;

    use super::*;

    #[test]
    fn targets_are_found_by_their_tags() {
        let target = |group: &str, octet: u8, rack: &str, leaving| TargetView {
            group: group.to_owned(),
            address: Some([10, 0, 1, octet].into()),
            port: 80,
            leaving,
            tags: [("rack".to_owned(), rack.to_owned())].into(),
            ..TargetView::default()
        };
        let group = |name: &str| TargetGroupView { name: name.to_owned(), ..Default::default() };
        let snapshot = Snapshot {
            target_groups: vec![group("web"), group("api")],
            targets: vec![
                target("web", 1, "12", false),
                target("web", 2, "13", false),
                target("web", 3, "12", true),
                target("api", 1, "12", false),
            ],
            ..Snapshot::default()
        };
        let names = |group, selector: &str| {
            let found = selected(group, &selector.parse().unwrap(), &snapshot)?;
            Ok::<_, String>(found.iter().map(Named::name).collect::<Vec<_>>().join(" "))
        };
        assert_eq!(names(None, "rack=12"), Ok("web/10.0.1.1:80 api/10.0.1.1:80".to_owned()));
        assert_eq!(names(Some("web"), "rack=12"), Ok("web/10.0.1.1:80".to_owned()));
        assert_eq!(names(Some("web"), "rack!=12"), Ok("web/10.0.1.2:80".to_owned()));
        let error = names(Some("api"), "rack=13").unwrap_err();
        assert!(error.contains("no target of group api has tags that fit `rack=13`"), "{error}");
        let error = names(Some("ap"), "rack=12").unwrap_err();
        assert!(error.contains("no target group ap"), "{error}");
    }
}
