//! Targets of `xelb target drain` and `undrain`: one by its name, or several by their tags.

use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use lb_agent::{Snapshot, TargetView};
use lb_api::{Client, TargetPatch, Terms};
use lb_config::Selector;
use tokio::time::Instant;

use super::{
    Socket, complete,
    object::{self, Kind},
    output,
    part_change::wrong,
    place::{Place, parse_place},
    wait::{self, Goal},
};

/// Which targets.
#[derive(Debug, Args)]
pub(super) struct Targets {
    /// Name of the target group; with --selector, only targets of this group
    #[arg(required_unless_present = "selector", add = complete::group_of_target())]
    group: Option<String>,
    /// Address of the target, with its port if it differs from the group's; IPv6 with a port is
    /// `[ADDRESS]:PORT`
    #[arg(value_name = "ADDRESS[:PORT]", value_parser = parse_place, add = complete::addresses(),
        required_unless_present = "selector", conflicts_with = "selector")]
    place: Option<Place>,
    /// All targets whose tags fit, such as rack=12,env in (prod,test),!old
    #[arg(long, short = 'l', value_name = "SELECTOR")]
    selector: Option<Selector>,
    #[command(flatten)]
    socket: Socket,
}

/// A target by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named {
    group: String,
    place: Place,
}

impl Named {
    /// `GROUP/ADDRESS[:PORT]`.
    fn name(&self) -> String {
        format!("{}/{}", self.group, self.place)
    }
}

impl Targets {
    /// Drains them or puts them back into service, one after the other, and says so of each. The first
    /// one that is refused ends it.
    pub(super) async fn drain(&self, drain: bool, terms: &Terms) -> anyhow::Result<Vec<Named>> {
        let client = self.socket.client()?;
        let all = self.named(&client).await?;
        for (done, target) in all.iter().enumerate() {
            let Place { address, port } = &target.place;
            let patch = TargetPatch { weight: None, drain: Some(drain) };
            let changed = client.target_patch(&target.group, address, *port, &patch, terms).await;
            let said = match changed {
                Err(error) if all.len() > 1 => {
                    let (name, count) = (target.name(), all.len());
                    return Err(error).context(format!(
                        "{name} and those after it stay as they are ({done} of {count} targets are \
                         changed)"
                    ));
                }
                changed => changed?,
            };
            output::print(&format!("{said}\n"))?;
        }
        Ok(all)
    }

    /// Waits until these targets have no flows any more.
    pub(super) async fn until_unused(
        &self,
        targets: &[Named],
        timeout: Option<Duration>,
    ) -> anyhow::Result<()> {
        let client = self.socket.client()?;
        let begun = Instant::now();
        for target in targets {
            let object = object::object(Kind::Target, &target.name()).map_err(wrong)?;
            let left = timeout.map(|timeout| timeout.saturating_sub(begun.elapsed()));
            wait::until(&client, &object, Goal::State("unused"), left).await?;
        }
        Ok(())
    }

    /// The names of the targets.
    async fn named(&self, client: &Client) -> anyhow::Result<Vec<Named>> {
        match (&self.group, &self.place, &self.selector) {
            (Some(group), Some(place), None) => {
                Ok(vec![Named { group: group.clone(), place: place.clone() }])
            }
            (group, _, Some(selector)) => {
                selected(group.as_deref(), selector, &client.status().await?).map_err(wrong)
            }
            _ => Err(wrong("name a target as GROUP/ADDRESS, or give --selector".to_owned())),
        }
    }
}

/// The targets of a group, or of all groups, whose tags fit. An error if there is none.
fn selected(
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
        let of = group.map_or_else(String::new, |group| format!(" of group {group}"));
        return Err(format!(
            "no target{of} has tags that fit `{selector}`; `xelb get targets -o wide` shows tags"
        ));
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
