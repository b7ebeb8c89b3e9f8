//! PURE: the names that an agent knows, as they are typed.

use lb_agent::{Snapshot, TargetView};

use super::super::{
    object::{self, Kind},
    rules::{RULES, RuleRow},
    table::socket,
};

#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Names {
    pub(super) groups: Vec<String>,
    pub(super) scaled_groups: Vec<String>,
    listeners: Vec<String>,
    /// Groups and addresses.
    targets: Vec<(String, String)>,
    /// `LISTENER/RULE`.
    rules: Vec<String>,
    /// Groups and members.
    members: Vec<(String, String)>,
    /// Groups and metrics that are sent with `post`.
    posted_metrics: Vec<(String, String)>,
}

impl Names {
    pub(super) fn new(snapshot: &Snapshot, rules: &[RuleRow]) -> Self {
        let Snapshot { listeners, target_groups, targets, scaled_groups, members, .. } = snapshot;
        let rules = rules.iter().filter_map(RULES.name);
        Self {
            groups: target_groups.iter().map(|one| one.name.clone()).collect(),
            scaled_groups: scaled_groups.iter().map(|one| one.name.clone()).collect(),
            listeners: listeners.iter().map(|one| one.name.clone()).collect(),
            targets: targets.iter().map(|one| (one.group.clone(), place(one, targets))).collect(),
            rules: rules.filter_map(|name| name.strip_prefix("rule/").map(str::to_owned)).collect(),
            members: members.iter().map(|one| (one.group.clone(), one.name.clone())).collect(),
            posted_metrics: scaled_groups
                .iter()
                .flat_map(|one| {
                    one.posted_metrics.iter().map(|name| (one.name.clone(), name.clone()))
                })
                .collect(),
        }
    }

    /// `GROUP/ADDRESS` of all targets.
    fn targets(&self) -> Vec<String> {
        self.targets.iter().map(|(group, place)| format!("{group}/{place}")).collect()
    }

    pub(super) fn groups_and_targets(&self) -> Vec<String> {
        [self.groups.clone(), self.targets()].concat()
    }

    pub(super) fn addresses(&self, group: &str) -> Vec<String> {
        let of_group = self.targets.iter().filter(|(of, _)| of == group);
        of_group.map(|(_, place)| place.clone()).collect()
    }

    pub(super) fn members(&self, group: &str) -> Vec<String> {
        let of_group = self.members.iter().filter(|(of, _)| of == group);
        of_group.map(|(_, member)| member.clone()).collect()
    }

    pub(super) fn posted_metrics(&self, group: &str) -> Vec<String> {
        let of_group = self.posted_metrics.iter().filter(|(of, _)| of == group);
        of_group.map(|(_, metric)| metric.clone()).collect()
    }

    /// Names of the objects of this kind.
    pub(super) fn of_kind(&self, word: &str) -> Vec<String> {
        match object::kind(word) {
            Some(Kind::Listener) => self.listeners.clone(),
            Some(Kind::TargetGroup) => self.groups.clone(),
            Some(Kind::Target) => self.targets(),
            Some(Kind::Rule) => self.rules.clone(),
            Some(Kind::Config) | None => Vec::new(),
        }
    }
}

/// The address, with the port only where that tells targets apart: bash takes a colon for the end of a
/// word.
fn place(target: &TargetView, all: &[TargetView]) -> String {
    let twins = all.iter().filter(|one| one.group == target.group && one.address == target.address);
    match target.address {
        Some(address) if twins.count() == 1 => address.to_string(),
        address => socket(address, target.port),
    }
}

#[cfg(test)]
mod tests {
    use lb_agent::{ListenerView, TargetGroupView};
    use lb_scaling::ScaledGroupView;

    use super::*;

    fn names() -> Names {
        let target = |group: &str, address: &str, port| TargetView {
            group: group.to_owned(),
            address: Some(address.parse().unwrap()),
            port,
            ..TargetView::default()
        };
        let snapshot = Snapshot {
            listeners: vec![ListenerView { name: "shop".to_owned(), ..ListenerView::default() }],
            target_groups: vec![TargetGroupView {
                name: "web".to_owned(),
                ..TargetGroupView::default()
            }],
            targets: vec![
                target("web", "10.0.1.11", 80),
                target("web", "10.0.1.12", 80),
                target("web", "10.0.1.12", 81),
                target("dns", "2001:db8::1", 53),
            ],
            scaled_groups: vec![ScaledGroupView {
                name: "web".to_owned(),
                posted_metrics: vec!["jobs".to_owned()],
                ..ScaledGroupView::default()
            }],
            ..Snapshot::default()
        };
        let document = serde_json::json!({ "listeners": [{ "name": "shop", "protocol": "http",
            "rules": [{ "priority": 5, "name": "a" }, { "priority": 7 }] }] });
        Names::new(&snapshot, &super::super::rules::of(&document).unwrap())
    }

    #[test]
    fn names_are_as_they_are_typed() {
        let names = names();
        let targets = ["web/10.0.1.11", "web/10.0.1.12:80", "web/10.0.1.12:81", "dns/2001:db8::1"];
        assert_eq!(names.of_kind("target"), targets);
        assert_eq!(names.of_kind("lb"), ["shop"]);
        assert_eq!(names.of_kind("tg"), ["web"]);
        assert_eq!(names.of_kind("rule"), ["shop/a", "shop/7"]);
        assert_eq!(names.of_kind("pod"), [""; 0]);
        assert_eq!(names.addresses("dns"), ["2001:db8::1"]);
        assert_eq!(names.posted_metrics("web"), ["jobs"]);
        assert_eq!(names.posted_metrics("dns"), [""; 0]);
        assert_eq!(names.groups_and_targets()[..2], ["web", "web/10.0.1.11"]);
    }
}
