//! `xelb target`.

use std::time::Duration;

use clap::{Args, Subcommand};
use lb_api::{TargetAdd, Terms};

use super::{
    Socket, complete, output,
    place::{Place, parse_place},
    targets::Targets,
    weigh::Weigh,
};

/// Register, deregister and drain targets, and change their weights
///
/// `add`, `remove` and `weight` change the configuration of an agent that runs without --config. If
/// it runs with --config, change the file instead. `drain` and `undrain` work with every agent.
///
/// A target is named GROUP ADDRESS or GROUP/ADDRESS.
///
/// Example: xelb target add web 10.0.1.13
///
/// Example: xelb target drain web/10.0.1.13:80
#[derive(Debug, Subcommand)]
pub(super) enum Target {
    /// Register a target, which gets traffic after its first successful health check
    ///
    /// A DNS name is registered with all its addresses, now and later.
    ///
    /// Example: xelb target add web 10.0.1.13 --weight 50
    ///
    /// Example: xelb target add web order.example.org:80
    Add {
        #[command(flatten)]
        which: Which,
        /// Its share of the flows relative to other targets: 0 (none) to 1000 [default: 100]
        #[arg(long, value_name = "N")]
        weight: Option<u32>,
    },
    /// Deregister a target, which finishes its flows and takes no new ones
    ///
    /// The target is `draining` until the deregistration delay of its group is over. Then it is
    /// removed.
    ///
    /// Example: xelb target remove web 10.0.1.13
    Remove {
        #[command(flatten)]
        which: Which,
        /// End its flows at once, even if the target is already draining
        #[arg(long)]
        now: bool,
        /// Apply the change even if a listener loses its last target
        #[arg(long)]
        force: bool,
    },
    /// Change the weight of a target: its share of the flows relative to others of its group
    ///
    /// Example: xelb target weight web 10.0.1.13 200
    ///
    /// Example: xelb target weight web 10.0.1.13 50%
    ///
    /// Example: xelb target weight -l rack=12 50% --dry-run
    Weight(Weigh),
    /// Take a target out of service without deregistering it
    ///
    /// The target takes no new flows, and keeps its flows until the deregistration delay of its
    /// group is over. This is a runtime override: the configuration does not change. It remains in
    /// force until `xelb target undrain`, also after restarts of the agent.
    ///
    /// Example: xelb target drain web 10.0.1.13
    ///
    /// Example: xelb target drain web/10.0.1.13 --reason disk --wait --timeout 10m
    ///
    /// Example: xelb target drain -l rack=12 --reason power
    Drain {
        #[command(flatten)]
        which: Targets,
        /// Apply the change even if a listener loses its last healthy target
        #[arg(long)]
        force: bool,
        /// Only name the targets that would drain
        #[arg(long)]
        dry_run: bool,
        /// Why, for `xelb describe`, `xelb events` and the log
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
        /// Wait until no target has flows any more: its state is then `unused`
        #[arg(long)]
        wait: bool,
        /// Longest time for --wait, such as 10m [default: no limit]
        #[arg(long, value_name = "DURATION", requires = "wait",
            value_parser = humantime::parse_duration)]
        timeout: Option<Duration>,
    },
    /// Put a drained target back into service
    ///
    /// Example: xelb target undrain web 10.0.1.13
    ///
    /// Example: xelb target undrain -l rack=12
    Undrain {
        #[command(flatten)]
        which: Targets,
        /// Only name the targets that would take flows again
        #[arg(long)]
        dry_run: bool,
    },
}

/// Which target.
#[derive(Debug, Args)]
pub(super) struct Which {
    /// Name of its target group
    #[arg(add = complete::group_of_target())]
    group: String,
    /// Address or DNS name of the target, with its port if it differs from the group's; IPv6 with a
    /// port is `[ADDRESS]:PORT`
    #[arg(value_name = "ADDRESS[:PORT]", value_parser = parse_place, add = complete::addresses())]
    place: Place,
    #[command(flatten)]
    socket: Socket,
}

impl Target {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let said = match self {
            Self::Add { which, weight } => {
                let Place { address, port } = &which.place;
                let target = TargetAdd { address: address.clone(), port: *port, weight };
                which.socket.client()?.target_add(&which.group, &target).await?
            }
            Self::Remove { which, now, force } => {
                let Place { address, port } = &which.place;
                let client = which.socket.client()?;
                client.target_remove(&which.group, address, *port, now, force).await?
            }
            Self::Weight(weigh) => return weigh.run().await,
            Self::Drain { which, dry_run: true, .. } => return which.show("would drain").await,
            Self::Drain { which, force, reason, wait, timeout, .. } => {
                let message = reason.unwrap_or_default();
                let terms = Terms { force, message, ..Terms::default() };
                let drained = which.drain(true, &terms).await?;
                if wait {
                    which.until_unused(&drained, timeout).await?;
                }
                return Ok(());
            }
            Self::Undrain { which, dry_run: true } => {
                return which.show("would take flows again").await;
            }
            Self::Undrain { which, .. } => {
                which.drain(false, &Terms::default()).await?;
                return Ok(());
            }
        };
        output::print(&format!("{said}\n"))
    }
}
