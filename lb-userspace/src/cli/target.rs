//! `xelb target`.

use std::time::Duration;

use clap::{Args, Subcommand};
use lb_agent::TargetView;
use lb_api::{TargetAdd, TargetPatch, Terms};
use lb_config::TargetAddress;

use super::{
    Socket, complete, output,
    part_change::wrong,
    place::{Place, parse_place},
    targets::Targets,
    weight::{self, Weight},
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
    Weight {
        #[command(flatten)]
        which: Which,
        /// New weight, 0 to 1000, or +N, -N or N% of the present one; a target with 0 takes no flows
        #[arg(value_name = "N", allow_hyphen_values = true, value_parser = weight::parse)]
        weight: Weight,
        /// Apply the change even if a listener loses its last target
        #[arg(long)]
        force: bool,
    },
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

impl Which {
    /// `GROUP/ADDRESS[:PORT]`.
    fn name(&self) -> String {
        format!("{}/{}", self.group, self.place)
    }

    /// The new weight; if it depends on the present one, also the revision that has that.
    async fn new_weight(&self, weight: Weight) -> anyhow::Result<(u32, Option<u64>)> {
        if let Weight::To(number) = weight {
            // The agent says which weights there are.
            return Ok((number, None));
        }
        let client = self.socket.client()?;
        // The revision first: a change in between is an error then.
        let revision = client.configuration().await?.revision;
        let all = client.status().await?.targets;
        let is_it =
            |one: &&TargetView| one.group == self.group && self.place.fits(one) && !one.leaving;
        let mut found = all.iter().filter(is_it);
        let is_name = matches!(self.place.address, TargetAddress::Name(_));
        // All addresses of a name have its weight.
        let (Some(target), true) = (found.next(), is_name || found.next().is_none()) else {
            return Err(wrong(format!(
                "there is not one target {} in {}; `xelb get targets {}` lists all",
                self.name(),
                self.group,
                self.group
            )));
        };
        Ok((weight.of(target.weight).map_err(wrong)?, revision))
    }
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
            Self::Weight { which, weight, force } => {
                let (weight, base) = which.new_weight(weight).await?;
                let patch = TargetPatch { weight: Some(weight), drain: None };
                change(&which, patch, Terms { force, base, ..Terms::default() }).await?
            }
            Self::Drain { which, force, reason, wait, timeout } => {
                let message = reason.unwrap_or_default();
                let terms = Terms { force, message, ..Terms::default() };
                let drained = which.drain(true, &terms).await?;
                if wait {
                    which.until_unused(&drained, timeout).await?;
                }
                return Ok(());
            }
            Self::Undrain { which } => {
                which.drain(false, &Terms::default()).await?;
                return Ok(());
            }
        };
        output::print(&format!("{said}\n"))
    }
}

async fn change(which: &Which, patch: TargetPatch, terms: Terms) -> anyhow::Result<String> {
    let Place { address, port } = &which.place;
    let client = which.socket.client()?;
    Ok(client.target_patch(&which.group, address, *port, &patch, &terms).await?)
}
