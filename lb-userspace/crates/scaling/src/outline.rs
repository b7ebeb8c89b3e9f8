//! PURE: scaled groups at one moment, for a look from another thread: their members as targets of a
//! configuration, and what another configuration would change at once.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc};

use lb_config::{Config, HttpTarget, MEMBER_WEIGHT as WEIGHT, ObjectTags, Scaling, Target};

use crate::declared::{Declared, scaled_groups};

/// All scaled groups.
#[derive(Clone, Debug, Default)]
pub struct Outline {
    pub(crate) groups: BTreeMap<Arc<str>, GroupOutline>,
}

/// One group.
#[derive(Clone, Debug, Default)]
pub(crate) struct GroupOutline {
    pub(crate) desired: u32,
    /// Its members, in whatever state.
    pub(crate) members: usize,
    /// Those that are targets.
    pub(crate) targets: Vec<SocketAddr>,
}

impl Outline {
    /// A configuration with the members of its scaled groups as targets, behind declared ones.
    #[must_use]
    pub fn with_members(&self, mut config: Config) -> Config {
        for group in config.target_groups.iter_mut().filter(|group| group.scaling.is_some()) {
            let members = self.added_to(&Declared::Packets(Arc::clone(group)));
            let target = |member: SocketAddr| {
                let (address, port) = (member.ip(), member.port());
                Target { address, port, weight: WEIGHT, backup: false }
            };
            add_tags(&mut config.tags, &group.name, group.scaling.as_deref(), &members);
            if !members.is_empty() {
                Arc::make_mut(group).targets.extend(members.into_iter().map(target));
            }
        }
        for group in config.http_target_groups.iter_mut().filter(|group| group.scaling.is_some()) {
            let members = self.added_to(&Declared::Requests(Arc::clone(group)));
            let target = |member: SocketAddr| {
                let (address, port) = (member.ip(), member.port());
                HttpTarget { address, port, weight: WEIGHT }
            };
            add_tags(&mut config.tags, &group.name, group.scaling.as_deref(), &members);
            if !members.is_empty() {
                Arc::make_mut(group).targets.extend(members.into_iter().map(target));
            }
        }
        config
    }

    /// Members of a group that are targets, without those that are declared, too.
    fn added_to(&self, group: &Declared) -> Vec<SocketAddr> {
        let targets = self.groups.get(group.name()).map_or(&[][..], |outline| &outline.targets);
        targets.iter().copied().filter(|target| !group.has_target(*target)).collect()
    }

    /// What another configuration would change at once in the number of members, for people.
    #[must_use]
    pub fn changes(&self, config: &Config) -> Vec<String> {
        let mut lines = Vec::new();
        for group in scaled_groups(config) {
            let Some(scaling) = group.scaling() else { continue };
            let (name, limits) = (group.name(), scaling.settings.limits);
            let Some(outline) = self.groups.get(name) else {
                let initial = scaling.settings.initial();
                lines.push(format!("target group {name} is scaled: it begins with {initial}"));
                continue;
            };
            let desired = limits.clamp(outline.desired);
            if desired != outline.desired {
                lines.push(format!(
                    "target group {name}: limits {limits} change the desired capacity from {} to \
                     {desired}",
                    outline.desired
                ));
            }
        }
        let is_scaled = |name: &str| scaled_groups(config).any(|group| **group.name() == *name);
        for (name, outline) in self.groups.iter().filter(|(name, _)| !is_scaled(name)) {
            if outline.members > 0 {
                lines.push(format!(
                    "target group {name} is no longer scaled: its {} members are ended",
                    outline.members
                ));
            }
        }
        lines
    }
}

/// Gives the members of a group its tags for them.
fn add_tags(
    all: &mut Arc<ObjectTags>,
    group: &Arc<str>,
    scaling: Option<&Scaling>,
    members: &[SocketAddr],
) {
    let Some(tags) = scaling.map(|scaling| &scaling.tags).filter(|tags| !tags.is_empty()) else {
        return;
    };
    if !members.is_empty() {
        let targets: Vec<_> = members.iter().map(|one| (one.ip(), one.port())).collect();
        Arc::make_mut(all).add_targets(group, &targets, tags);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(scaling: &str) -> Config {
        let text = format!(
            "interfaces: [eth0]\ntarget_groups:\n  - {{ name: web, protocol: tcp, port: 80, forwarding: \
             ipip, targets: [{{ address: 10.0.1.1 }}], {scaling} }}\n"
        );
        lb_config::parse(&text, "").unwrap_or_else(|error| panic!("{error}")).1
    }

    fn scaled(limits: &str) -> Config {
        let driver = "driver: { exec: { program: /bin/true } }";
        config(&format!("scaling: {{ {limits}, {driver} }}"))
    }

    fn outline() -> Outline {
        let targets = ["10.0.1.1:80", "10.0.1.2:80"].map(|target| target.parse().unwrap()).into();
        let group = GroupOutline { desired: 3, members: 4, targets };
        Outline { groups: BTreeMap::from([("web".into(), group)]) }
    }

    #[test]
    fn members_are_targets_behind_declared_ones() {
        let config_of = |config| {
            let config = outline().with_members(config);
            let targets = config.target_groups[0].targets.iter();
            targets.map(|target| target.address.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(config_of(scaled("min: 1, max: 4")), ["10.0.1.1", "10.0.1.2"]);
        assert_eq!(config_of(config("health_check: {}")), ["10.0.1.1"], "it is not scaled");
    }

    #[test]
    fn members_have_the_tags_that_their_group_has_for_them() {
        let config = outline().with_members(scaled("min: 1, max: 4, tags: { tier: spot }"));
        let of = |address: &str| {
            let key = lb_config::TargetKey {
                group: "web".into(),
                address: address.parse().unwrap(),
                port: 80,
            };
            config.tags.of_target(&key).get("tier").cloned()
        };
        assert_eq!(of("10.0.1.2").as_deref(), Some("spot"));
        assert_eq!(of("10.0.1.1"), None, "it is declared");
    }

    #[test]
    fn members_are_targets_of_the_proxy_too() {
        let text = "interfaces: [eth0]\ntarget_groups:\n  - { name: web, protocol: http, port: 80, \
                    targets: [{ address: 10.0.1.1 }], scaling: { min: 1, max: 4, driver: { exec: { \
                    program: /bin/true } } } }\n";
        let (_, config, _) = lb_config::parse(text, "").unwrap();
        let config = outline().with_members(config);
        let targets: Vec<String> =
            config.http_target_groups[0].targets.iter().map(ToString::to_string).collect();
        assert_eq!(targets, ["10.0.1.1:80", "10.0.1.2:80"]);
    }

    #[test]
    fn what_other_limits_change_at_once() {
        let cases = [
            (scaled("min: 1, max: 4"), ""),
            (
                scaled("min: 5, max: 9"),
                "target group web: limits 5 to 9 change the desired capacity from 3 to 5",
            ),
            (
                scaled("min: 0, max: 2"),
                "target group web: limits 0 to 2 change the desired capacity from 3 to 2",
            ),
        ];
        for (config, expected) in cases {
            assert_eq!(outline().changes(&config).join("\n"), expected);
        }
        assert_eq!(
            outline().changes(&config("health_check: {}")),
            ["target group web is no longer scaled: its 4 members are ended"]
        );
        let none = Outline::default();
        assert_eq!(
            none.changes(&scaled("min: 2, max: 4")),
            ["target group web is scaled: it begins with 2"]
        );
    }
}
