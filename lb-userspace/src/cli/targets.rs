//! Targets of `xelb target drain` and `undrain`: one by its name, or several by their tags.

use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use lb_api::{Client, TargetPatch, Terms};
use lb_config::Selector;

use super::{
    Socket, complete,
    object::{self, Kind},
    output,
    part_change::wrong,
    place::{Place, parse_place},
    selected_targets::{Named, selected},
    wait::{self, Goal, Limit},
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

    /// Says of each of them what a command would do.
    pub(super) async fn show(&self, what: &str) -> anyhow::Result<()> {
        for target in self.named(&self.socket.client()?).await? {
            output::print(&format!("{} {what}\n", target.name()))?;
        }
        output::print("nothing has been changed: this was a dry run\n")
    }

    /// Waits until these targets have no flows any more.
    pub(super) async fn until_unused(
        &self,
        targets: &[Named],
        timeout: Option<Duration>,
    ) -> anyhow::Result<()> {
        let client = self.socket.client()?;
        let limit = timeout.map(Limit::of);
        for target in targets {
            let object = object::object(Kind::Target, &target.name()).map_err(wrong)?;
            wait::until(&client, &object, Goal::State("unused"), limit).await?;
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
