//! `xelb scale`: what people ask of scaled groups, and how these are shown.

use std::fmt::Write as _;

use clap::{Args, Subcommand};
use lb_api::{CapacityLimits, ClientError};
use lb_scaling::{ActivityView, MemberView, ScaleCommand, ScalingView};

use super::{
    Socket,
    output::{self, Format},
    table::{Table, or_dash},
};

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
    #[arg(value_name = "GROUP")]
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
    #[arg(value_name = "MEMBER")]
    member: String,
}

impl Scale {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let said = match self {
            Self::Explain { format, group } => {
                let described = group.socket.client().scaling(&group.name).await?;
                return format.print(&described, explanation);
            }
            Self::Limits { group, min, max } => {
                let limits = CapacityLimits { min, max };
                group.socket.client().capacity_limits(&group.name, &limits).await?
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
            Self::Retry { group } => group.tell(ScaleCommand::RetryLaunches).await?,
        };
        output::print(&format!("{said}\n"))
    }
}

impl Group {
    async fn tell(self, command: ScaleCommand) -> Result<String, ClientError> {
        self.socket.client().scale(&self.name, &command).await
    }
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

/// Members as a table.
pub(super) fn members(all: &[MemberView]) -> String {
    let headlines = ["GROUP", "MEMBER", "STATE", "HEALTHY", "TARGET", "SINCE", "NOTE"];
    let mut table = Table::new(&headlines);
    for member in all {
        let protected = member.protected.then_some("protected");
        let reason = Some(member.reason.as_str()).filter(|reason| !reason.is_empty());
        let notes: Vec<&str> = protected.into_iter().chain(reason).collect();
        table.row([
            member.group.clone(),
            member.name.clone(),
            member.state.clone(),
            if member.healthy { "yes" } else { "no" }.to_owned(),
            or_dash(member.address.as_deref().unwrap_or_default()),
            member.since.clone(),
            notes.join(", "),
        ]);
    }
    table.render("no members: no target group is scaled, or none has members")
}

/// Activities as a table.
pub(super) fn activities(all: &[ActivityView]) -> String {
    let mut table = Table::new(&["START", "GROUP", "WHAT", "OUTCOME", "CAUSE"]);
    for activity in all {
        let what = match (activity.from, activity.to) {
            (Some(from), Some(to)) => format!("{} {from} -> {to}", activity.kind),
            _ => format!("{} {}", activity.kind, activity.member),
        };
        let outcome = match activity.outcome.as_str() {
            "in progress" => format!("{} %", activity.progress),
            outcome => outcome.to_owned(),
        };
        table.row([
            activity.start.clone(),
            activity.group.clone(),
            what,
            outcome,
            activity.cause.clone(),
        ]);
    }
    table.render("no activities")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_and_activities_are_shown() {
        let member = MemberView {
            group: "web".to_owned(),
            name: "web-3f2a-7".to_owned(),
            state: "in-service".to_owned(),
            since: "2026-11-29T12:00:00Z".to_owned(),
            address: Some("10.0.1.11:9000".to_owned()),
            healthy: true,
            protected: true,
            ..MemberView::default()
        };
        assert_eq!(
            members(&[member]),
            "GROUP  MEMBER      STATE       HEALTHY  TARGET          SINCE                 NOTE\n\
             web    web-3f2a-7  in-service  yes      10.0.1.11:9000  2026-11-29T12:00:00Z  protected\n"
        );
        let capacity = ActivityView {
            group: "web".to_owned(),
            kind: "capacity".to_owned(),
            from: Some(2),
            to: Some(4),
            cause: "policy load asks for the largest capacity".to_owned(),
            start: "2026-11-29T12:00:00Z".to_owned(),
            progress: 50,
            outcome: "in progress".to_owned(),
            ..ActivityView::default()
        };
        assert_eq!(
            activities(&[capacity]),
            "START                 GROUP  WHAT             OUTCOME  CAUSE\n\
             2026-11-29T12:00:00Z  web    capacity 2 -> 4     50 %  policy load asks for the largest \
             capacity\n"
        );
    }
}
