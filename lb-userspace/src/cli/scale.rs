//! `xelb scale`: what people ask of scaled groups, and how these are shown.

mod lists;
mod replay;

use std::fmt::Write as _;

use clap::{Args, Subcommand};
use lb_api::{CapacityLimits, ClientError};
use lb_scaling::{ScaleCommand, ScalingView};
use serde_json::Number;

use super::{
    Socket, complete,
    output::{self, Format},
};
pub(super) use lists::{ACTIVITIES, MEMBERS};

/// Change and explain the number of members of scaled target groups
///
/// `limits` changes the configuration of an agent that runs without --config. All others change the
/// state of the group, which the agent stores, and work with every agent.
///
/// `xelb scale GROUP VERB` is the same as `xelb scale VERB GROUP`. A member is named by its name, or
/// by ADDRESS:PORT.
///
/// Example: xelb scale set-desired web 6
///
/// Example: xelb scale explain web
#[derive(Debug, Subcommand)]
pub(super) enum Scale {
    /// Set the desired capacity, within the limits
    ///
    /// It holds for the scale-in window. Then policies may lower it.
    ///
    /// Example: xelb scale set-desired web 6
    SetDesired {
        #[command(flatten)]
        group: Group,
        /// Desired number of members
        #[arg(value_name = "N")]
        capacity: u32,
    },
    /// Change the capacity limits in the configuration
    ///
    /// Example: xelb scale limits web --max 40
    Limits {
        #[command(flatten)]
        group: Group,
        /// Fewest members
        #[arg(long, value_name = "N", required_unless_present = "max")]
        min: Option<u32>,
        /// Most members
        #[arg(long, value_name = "N")]
        max: Option<u32>,
    },
    /// Suspend processes of the group until `xelb scale resume`
    ///
    /// Processes are launch, terminate, replace-unhealthy, alarm-notification and scheduled-actions.
    ///
    /// Example: xelb scale suspend web terminate
    Suspend {
        #[command(flatten)]
        group: Group,
        /// Processes; all if there is none
        #[arg(value_name = "PROCESS")]
        processes: Vec<String>,
    },
    /// Resume suspended processes
    ///
    /// Example: xelb scale resume web
    Resume {
        #[command(flatten)]
        group: Group,
        /// Processes; all if there is none
        #[arg(value_name = "PROCESS")]
        processes: Vec<String>,
    },
    /// Protect a member from scale-in and replacement
    ///
    /// Example: xelb scale protect web web-3f2a-7
    Protect {
        #[command(flatten)]
        member: Member,
        /// End the protection
        #[arg(long)]
        off: bool,
    },
    /// Take a member out of service and keep it, or put it back
    ///
    /// It takes no new flows, and another member takes its place.
    ///
    /// Example: xelb scale standby web web-3f2a-7
    Standby {
        #[command(flatten)]
        member: Member,
        /// Put it back into service
        #[arg(long)]
        off: bool,
    },
    /// Drain and end a member; another one takes its place if the desired capacity asks for it
    ///
    /// Example: xelb scale end web web-3f2a-7
    End {
        #[command(flatten)]
        member: Member,
    },
    /// Replace all members of another template than that of the configuration
    ///
    /// Example: xelb scale refresh web
    Refresh {
        #[command(flatten)]
        group: Group,
        /// Stop the refresh in progress; members stay as they are
        #[arg(long, conflicts_with = "rollback")]
        cancel: bool,
        /// Go back to the template before the refresh in progress
        #[arg(long)]
        rollback: bool,
    },
    /// Launch again at once after failed launches
    ///
    /// Example: xelb scale retry web
    Retry {
        #[command(flatten)]
        group: Group,
    },
    /// Send the value of a metric that has `post` in the configuration
    ///
    /// VALUE is the work of the whole group. The next sample has it. It holds for `max_age` of the
    /// metric, or for --ttl if that is shorter. Exits with 2 if the group has no such metric.
    ///
    /// Example: xelb scale post-metric web jobs 25
    ///
    /// Example: xelb scale post-metric web jobs 25 --ttl 30s
    PostMetric {
        #[command(flatten)]
        group: Group,
        /// Name of the metric
        #[arg(value_name = "METRIC", add = complete::posted_metrics())]
        metric: String,
        /// Its value, a number that is not negative
        #[arg(value_name = "VALUE", allow_negative_numbers = true, value_parser = work)]
        value: Number,
        /// How long it holds, in whole seconds, such as 30s [default: `max_age` of the metric]
        #[arg(long, value_name = "TIME", value_parser = whole_seconds)]
        ttl: Option<u32>,
    },
    /// Run the load of the last six hours through other policies, and compare
    ///
    /// Both columns are computed the same way: from the largest load of each minute, with a decision
    /// a minute. Nothing is changed.
    ///
    /// Example: xelb scale replay web --target 800
    ///
    /// Example: xelb scale replay web --policy policies.yaml --target-limit 1000
    Replay(replay::Replay),
    /// Explain the last decision: what was measured, which rule won, and what was rejected
    ///
    /// Example: xelb scale explain web
    Explain {
        #[command(flatten)]
        format: Format,
        #[command(flatten)]
        group: Group,
    },
}

/// Which group.
#[derive(Debug, Args)]
pub(super) struct Group {
    /// Name of the target group
    #[arg(value_name = "GROUP", add = complete::scaled_groups())]
    name: String,
    #[command(flatten)]
    socket: Socket,
}

/// Which member.
#[derive(Debug, Args)]
pub(super) struct Member {
    #[command(flatten)]
    group: Group,
    /// Name of the member, or its ADDRESS:PORT
    #[arg(value_name = "MEMBER", add = complete::members())]
    member: String,
}

impl Scale {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let said = match self {
            Self::Replay(replay) => return replay.run().await,
            Self::Explain { format, group } => {
                let described = group.socket.client()?.scaling(&group.name).await?;
                return format.print(&described, explanation);
            }
            Self::Limits { group, min, max } => {
                let limits = CapacityLimits { min, max };
                group.socket.client()?.capacity_limits(&group.name, &limits).await?
            }
            Self::SetDesired { group, capacity } => {
                group.tell(ScaleCommand::SetDesired { capacity }).await?
            }
            Self::Suspend { group, processes } => {
                group.tell(ScaleCommand::Suspend { processes }).await?
            }
            Self::Resume { group, processes } => {
                group.tell(ScaleCommand::Resume { processes }).await?
            }
            Self::Protect { member: Member { group, member }, off } => {
                group.tell(ScaleCommand::Protect { member, protected: !off }).await?
            }
            Self::Standby { member: Member { group, member }, off } => {
                group.tell(ScaleCommand::Standby { member, standby: !off }).await?
            }
            Self::End { member: Member { group, member } } => {
                group.tell(ScaleCommand::End { member }).await?
            }
            Self::Refresh { group, cancel, rollback } => {
                let command = match (cancel, rollback) {
                    (true, _) => ScaleCommand::CancelRefresh,
                    (_, true) => ScaleCommand::RollBackRefresh,
                    _ => ScaleCommand::Refresh,
                };
                group.tell(command).await?
            }
            Self::PostMetric { group, metric, value, ttl: ttl_seconds } => {
                group.tell(ScaleCommand::PostMetric { metric, value, ttl_seconds }).await?
            }
            Self::Retry { group } => group.tell(ScaleCommand::RetryLaunches).await?,
        };
        output::print(&format!("{said}\n"))
    }
}

impl Group {
    async fn tell(self, command: ScaleCommand) -> Result<String, ClientError> {
        self.socket.client()?.scale(&self.name, &command).await
    }
}

/// The work of a group.
fn work(text: &str) -> Result<Number, String> {
    let number = text
        .parse::<Number>()
        .ok()
        .filter(|number| number.as_f64().is_some_and(|value| value.is_finite() && value >= 0.0));
    number.ok_or_else(|| "not a number from 0, such as 25 or 0.5".to_owned())
}

fn whole_seconds(text: &str) -> Result<u32, String> {
    let duration = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    let whole = duration.subsec_nanos() == 0 && !duration.is_zero();
    let seconds = u32::try_from(duration.as_secs()).ok().filter(|_| whole);
    seconds.ok_or_else(|| "not a time of whole seconds, such as 30s".to_owned())
}

fn explanation(described: &ScalingView) -> String {
    let ScalingView { group, explanation, decisions, .. } = described;
    let mut text = String::new();
    if explanation.is_empty() {
        text.push_str("no decision yet: the first one follows within a second\n");
    }
    text.push_str(explanation);
    // Writing to a string does not fail.
    let _written = writeln!(
        text,
        "members: {} in service, {} pending, {} terminating, {} on standby, {} in the warm pool",
        group.in_service, group.pending, group.terminating, group.standby, group.warm
    );
    if !group.suspended.is_empty() {
        let _written = writeln!(text, "suspended: {}", group.suspended.join(", "));
    }
    let former = decisions.iter().filter(|decision| *decision != explanation);
    let former: Vec<&str> =
        former.take(FORMER_SHOWN).filter_map(|text| text.lines().next()).collect();
    if !former.is_empty() {
        let _written = writeln!(text, "changes before:");
        for line in former {
            let _written = writeln!(text, "  {line}");
        }
    }
    text
}

/// Changes that are shown below the last decision.
const FORMER_SHOWN: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_and_times() {
        for (text, expected) in [("25", "25"), ("0", "0"), ("0.5", "0.5"), ("1e3", "1000.0")] {
            assert_eq!(work(text).map(|number| number.to_string()), Ok(expected.to_owned()));
        }
        for text in ["", "-1", "NaN", "inf", "1e999", "many", "0x10", "1,5"] {
            assert_eq!(
                work(text),
                Err("not a number from 0, such as 25 or 0.5".to_owned()),
                "{text}"
            );
        }
        assert_eq!((whole_seconds("90s"), whole_seconds("2m")), (Ok(90), Ok(120)));
        for text in ["0s", "500ms", "1s 1ms", "200years", "soon"] {
            assert!(whole_seconds(text).is_err(), "{text}");
        }
    }
}
