//! `xelb get`.

mod tables;

use clap::{Args, ValueEnum};
use lb_agent::{Snapshot, TargetView};
use lb_api::{Client, ClientError};
use lb_config::Document;

use super::{
    Socket, diff,
    output::{self, Format},
    rules, scale,
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
/// Example: xelb get targets --watch
///
/// Example: xelb get activities web
///
/// Example: xelb get config -o yaml > xelb.yaml
///
/// Example: xelb get targets -o json
#[derive(Debug, Args)]
pub(super) struct Get {
    /// What to show; short names are `lb`, `tg` and `t`, and the singular is understood
    #[arg(value_enum)]
    what: What,
    /// Only the listeners or rules of this target group, the group itself, or its targets
    #[arg(value_name = "GROUP")]
    group: Option<String>,
    /// Only targets in this state
    #[arg(long, value_name = "STATE",
        value_parser = ["initial", "healthy", "unhealthy", "draining", "unused"])]
    state: Option<String>,
    /// Continue, and print it again after each change, until interrupted
    #[arg(long, short)]
    watch: bool,
    #[command(flatten)]
    format: Format,
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
        let client = self.socket.client();
        let mut shown = self.text(&client).await?;
        output::print(&shown)?;
        if !self.watch {
            return Ok(());
        }
        loop {
            // Whatever comes may have changed it; the stream ends when the agent does.
            let mut changes = client.watch().await?;
            while changes.next().await? {
                let text = self.text(&client).await?;
                if text != shown {
                    output::print(&format!("{}{text}", self.format.separator()))?;
                    shown = text;
                }
            }
        }
    }

    async fn text(&self, client: &Client) -> anyhow::Result<String> {
        let format = &self.format;
        match self.what {
            What::Revisions => {
                let page = client.revisions(None, REVISIONS_SHOWN).await?;
                format.text(&page.revisions, |all| tables::revisions(all))
            }
            What::Config => {
                let document = client.configuration().await?.document;
                format.text(&document, |document| {
                    diff::lines(&Document::default().differences(document), "")
                })
            }
            What::Rules => {
                let document = client.configuration().await?.document;
                let mut all = rules::of(&document)?;
                all.retain(|rule| self.group.as_ref().is_none_or(|group| rule.uses(group)));
                format.text(&all, |all| rules::table(all))
            }
            What::Proxies => {
                let all = client.status().await?.proxies;
                format.text(&all, |all| tables::proxies(all))
            }
            What::Listeners => {
                let mut all = self.status(client).await?.listeners;
                all.retain(|listener| self.is_wanted(&listener.target_group));
                format.text(&all, |all| tables::listeners(all))
            }
            What::TargetGroups => {
                let mut all = self.status(client).await?.target_groups;
                all.retain(|group| self.is_wanted(&group.name));
                format.text(&all, |all| tables::groups(all))
            }
            What::Members => {
                let mut all = self.status(client).await?.members;
                all.retain(|member| self.is_wanted(&member.group));
                format.text(&all, |all| scale::members(all))
            }
            What::Activities => {
                let scaled = self.status(client).await?.scaled_groups;
                let mut all = Vec::new();
                for group in scaled.iter().filter(|group| self.is_wanted(&group.name)) {
                    all.extend(client.scaling(&group.name).await?.activities);
                }
                all.sort_by(|one, other| other.start.cmp(&one.start));
                format.text(&all, |all| scale::activities(all))
            }
            What::Targets => {
                let mut all = self.status(client).await?.targets;
                let in_state = |target: &TargetView| {
                    self.state.as_ref().is_none_or(|state| *state == target.state)
                };
                all.retain(|target| self.is_wanted(&target.group) && in_state(target));
                format.text(&all, |all| tables::targets(all))
            }
        }
    }

    /// Refuses filters that do not fit.
    fn check(&self) -> Result<(), ClientError> {
        let wrong = match self.what {
            What::Revisions | What::Config | What::Proxies if self.group.is_some() => {
                "revisions, proxies and the configuration are of no target group: leave GROUP out"
            }
            What::Targets => return Ok(()),
            _ if self.state.is_some() => "only targets have a state: leave --state out",
            _ => return Ok(()),
        };
        Err(ClientError::Invalid(wrong.to_owned()))
    }

    /// The present state, which has the wanted group. A group that is gone may still have targets that
    /// drain.
    async fn status(&self, client: &Client) -> Result<Snapshot, ClientError> {
        let status = client.status().await?;
        let is_there = status.target_groups.iter().any(|group| self.is_wanted(&group.name))
            || status.targets.iter().any(|target| self.is_wanted(&target.group));
        match &self.group {
            Some(name) if !is_there => Err(ClientError::Invalid(format!(
                "there is no target group {name}; `xelb get target-groups` lists all"
            ))),
            _ => Ok(status),
        }
    }

    fn is_wanted(&self, group: &str) -> bool {
        self.group.as_ref().is_none_or(|wanted| wanted == group)
    }
}
