//! `xelb get`.

pub(super) mod tables;
mod watch;

use clap::{Args, ValueEnum};
use lb_agent::{Snapshot, TargetView};
use lb_api::{Client, ClientError};
use lb_config::{Document, Selector, Tags};

use super::{
    Socket, complete, diff,
    list::{ListOptions, Shown, Times},
    output,
    part_change::wrong,
    place::parse_place,
    relative_time, rules, scale, terminal,
};

/// Revisions that are listed; the API gives all.
const REVISIONS_SHOWN: usize = 1000;

/// Show listeners, rules, target groups, targets, members of scaled groups, proxies, or the configuration
/// and its history
///
/// Example: xelb get targets
///
/// Example: xelb get targets web --state unhealthy
///
/// Example: xelb get targets -l env=prod,rack!=12
///
/// Example: xelb get targets --sort-by share -o wide
///
/// Example: xelb get targets --watch
///
/// Example: xelb get activities web
///
/// Example: xelb get config -o yaml > xelb.yaml
///
/// Example: xelb get targets -o jsonpath=$[*].address
#[derive(Debug, Args)]
pub(super) struct Get {
    /// What to show; short names are `lb`, `tg` and `t`, and the singular is understood
    #[arg(value_enum)]
    what: What,
    /// Only the listeners or rules of this target group, the group itself, or its targets; of
    /// targets, GROUP/ADDRESS[:PORT] is one
    #[arg(value_name = "GROUP", add = complete::groups_and_targets())]
    group: Option<String>,
    /// Only targets in this state
    #[arg(long, value_name = "STATE",
        value_parser = ["initial", "healthy", "unhealthy", "draining", "unused"])]
    state: Option<String>,
    /// Only listeners, rules, target groups, targets or members whose tags fit, such as
    /// env=prod,tier in (web,api),!old
    #[arg(long, short = 'l', value_name = "SELECTOR")]
    selector: Option<Selector>,
    /// Continue until interrupted: redraw the table on a terminal, otherwise print the rows that have
    /// changed
    #[arg(long, short)]
    watch: bool,
    #[command(flatten)]
    list: ListOptions,
    #[command(flatten)]
    socket: Socket,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum What {
    #[value(aliases = ["listener", "lb", "l"])]
    Listeners,
    #[value(aliases = ["target-group", "groups", "group", "tg"])]
    TargetGroups,
    #[value(aliases = ["target", "t"])]
    Targets,
    #[value(aliases = ["member", "m"])]
    Members,
    #[value(aliases = ["activity"])]
    Activities,
    /// Rules of the listeners of http and https
    #[value(aliases = ["rule"])]
    Rules,
    /// Processes of `xelb proxy`, and what they serve
    #[value(aliases = ["proxy"])]
    Proxies,
    #[value(aliases = ["revision", "rev"])]
    Revisions,
    #[value(aliases = ["configuration"])]
    Config,
}

impl Get {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        self.check()?;
        let client = self.socket.client()?;
        if self.watch {
            return watch::run(&self, &client).await;
        }
        let times = Times { now_ms: relative_time::now_ms(), are_absolute: false };
        output::print_escaped(&self.show(&client, times).await?.text)
    }

    async fn show(&self, client: &Client, times: Times) -> anyhow::Result<Shown> {
        let list = &self.list;
        match self.what {
            What::Revisions => {
                let all = client.revisions(None, REVISIONS_SHOWN).await?.revisions;
                list.show(all, &tables::REVISIONS, times)
            }
            What::Config => {
                let document = client.configuration().await?.document;
                if list.is_table() {
                    let text = diff::lines(&Document::default().differences(&document), "");
                    return Ok(Shown { text: terminal::lines(&text).into_owned(), rows: None });
                }
                list.document(&document)
            }
            What::Rules => {
                let document = client.configuration().await?.document;
                let mut all = rules::of(&document)?;
                all.retain(|rule| {
                    self.group.as_ref().is_none_or(|group| rule.uses(group))
                        && self.is_selected(&rule.tags)
                        && (self.selector.is_none() || !rule.is_default())
                });
                list.show(all, &rules::RULES, times)
            }
            What::Proxies => list.show(client.status().await?.proxies, &tables::PROXIES, times),
            What::Listeners => {
                let mut all = self.status(client).await?.listeners;
                all.retain(|listener| {
                    self.is_wanted(&listener.target_group) && self.is_selected(&listener.tags)
                });
                list.show(all, &tables::LISTENERS, times)
            }
            What::TargetGroups => {
                let mut all = self.status(client).await?.target_groups;
                all.retain(|group| self.is_wanted(&group.name) && self.is_selected(&group.tags));
                list.show(all, &tables::GROUPS, times)
            }
            What::Members => {
                let mut all = self.status(client).await?.members;
                all.retain(|member| {
                    self.is_wanted(&member.group) && self.is_selected(&member.tags)
                });
                list.show(all, &scale::MEMBERS, times)
            }
            What::Activities => {
                let scaled = self.status(client).await?.scaled_groups;
                let mut all = Vec::new();
                for group in scaled.iter().filter(|group| self.is_wanted(&group.name)) {
                    all.extend(client.scaling(&group.name).await?.activities);
                }
                all.sort_by(|one, other| other.start.cmp(&one.start));
                list.show(all, &scale::ACTIVITIES, times)
            }
            What::Targets => {
                let mut all = self.status(client).await?.targets;
                let in_state = |target: &TargetView| {
                    self.state.as_ref().is_none_or(|state| *state == target.state)
                };
                all.retain(|target| {
                    self.is_wanted_target(target)
                        && in_state(target)
                        && self.is_selected(&target.tags)
                });
                list.show(all, &tables::TARGETS, times)
            }
        }
    }

    /// Refuses filters and forms that do not fit.
    fn check(&self) -> anyhow::Result<()> {
        let is_wrong = |text: &str| Err(wrong(text.to_owned()));
        match self.what {
            What::Revisions | What::Config | What::Proxies if self.group.is_some() => {
                return is_wrong(
                    "revisions, proxies and the configuration are of no target group: leave GROUP out",
                );
            }
            What::Targets => {}
            _ if self.state.is_some() => {
                return is_wrong("only targets have a state: leave --state out");
            }
            What::Listeners | What::TargetGroups | What::Rules | What::Members => {}
            _ if self.selector.is_some() => {
                return is_wrong(
                    "only listeners, rules, target groups, targets and members have tags: leave \
                     --selector out",
                );
            }
            _ => {}
        }
        if let (What::Targets, Some((_, place))) = (self.what, self.split_group()) {
            parse_place(place).map_err(wrong)?;
        }
        let list = &self.list;
        let checked = match self.what {
            What::Config => match list.for_lists_only() {
                Some(option) => Err(format!(
                    "the configuration is no list: {option} does not fit; use -o yaml, json or jsonpath"
                )),
                None => Ok(()),
            },
            What::Activities if list.has_names_only() => {
                Err("activities have no names: use another -o".to_owned())
            }
            What::Revisions => list.check(&tables::REVISIONS),
            What::Rules => list.check(&rules::RULES),
            What::Proxies => list.check(&tables::PROXIES),
            What::Listeners => list.check(&tables::LISTENERS),
            What::TargetGroups => list.check(&tables::GROUPS),
            What::Members => list.check(&scale::MEMBERS),
            What::Activities => list.check(&scale::ACTIVITIES),
            What::Targets => list.check(&tables::TARGETS),
        };
        checked.map_err(wrong)
    }

    /// The present state, which has the wanted group. A group that is gone may still have targets that
    /// drain.
    async fn status(&self, client: &Client) -> Result<Snapshot, ClientError> {
        let status = client.status().await?;
        let is_there = status.target_groups.iter().any(|group| self.is_wanted(&group.name))
            || status.targets.iter().any(|target| self.is_wanted(&target.group));
        match &self.group {
            Some(_) if self.what == What::Targets && self.split_group().is_some() => Ok(status),
            Some(name) if !is_there => Err(ClientError::Invalid(format!(
                "there is no target group {name}; `xelb get target-groups` lists all"
            ))),
            _ => Ok(status),
        }
    }

    fn is_selected(&self, tags: &Tags) -> bool {
        self.selector.as_ref().is_none_or(|selector| selector.matches(tags))
    }

    fn is_wanted(&self, group: &str) -> bool {
        self.group.as_ref().is_none_or(|wanted| wanted == group)
    }

    /// Group and address of a target, if GROUP is one.
    fn split_group(&self) -> Option<(&str, &str)> {
        self.group.as_deref()?.split_once('/')
    }

    fn is_wanted_target(&self, target: &TargetView) -> bool {
        let Some((group, place)) = self.split_group() else {
            return self.is_wanted(&target.group);
        };
        parse_place(place).is_ok_and(|place| target.group == group && place.fits(target))
    }
}
