//! `xelb target`.

use std::net::{IpAddr, SocketAddr};

use clap::{Args, Subcommand};
use lb_api::{TargetAdd, TargetPatch};

use super::{Socket, output};

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
    /// Example: xelb target add web 10.0.1.13 --weight 50
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
    Weight {
        #[command(flatten)]
        which: Which,
        /// New weight, 0 to 1000; a target with 0 takes no flows
        #[arg(value_name = "N")]
        weight: u32,
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
    Drain {
        #[command(flatten)]
        which: Which,
        /// Apply the change even if a listener loses its last healthy target
        #[arg(long)]
        force: bool,
    },
    /// Put a drained target back into service
    ///
    /// Example: xelb target undrain web 10.0.1.13
    Undrain {
        #[command(flatten)]
        which: Which,
    },
}

/// Which target.
#[derive(Debug, Args)]
pub(super) struct Which {
    /// Name of its target group
    group: String,
    /// Address of the target, with its port if it differs from the group's; IPv6 with a port is
    /// `[ADDRESS]:PORT`
    #[arg(value_name = "ADDRESS[:PORT]", value_parser = parse_place)]
    place: Place,
    #[command(flatten)]
    socket: Socket,
}

/// An address, and a port if one is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    address: IpAddr,
    port: Option<u16>,
}

pub(super) fn parse_place(text: &str) -> Result<Place, String> {
    if let Ok(socket) = text.parse::<SocketAddr>() {
        return Ok(Place { address: socket.ip(), port: Some(socket.port()) });
    }
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    bare.parse().map(|address| Place { address, port: None }).map_err(|_| {
        "not ADDRESS or ADDRESS:PORT; for example 10.0.1.13 or [2001:db8::13]:80".to_owned()
    })
}

impl Target {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let said = match self {
            Self::Add { which, weight } => {
                let Place { address, port } = which.place;
                let target = TargetAdd { address, port, weight };
                which.socket.client().target_add(&which.group, &target).await?
            }
            Self::Remove { which, now, force } => {
                let Place { address, port } = which.place;
                let client = which.socket.client();
                client.target_remove(&which.group, address, port, now, force).await?
            }
            Self::Weight { which, weight, force } => {
                let patch = TargetPatch { weight: Some(weight), drain: None };
                change(which, patch, force).await?
            }
            Self::Drain { which, force } => drain(which, true, force).await?,
            Self::Undrain { which } => drain(which, false, false).await?,
        };
        output::print(&format!("{said}\n"))
    }
}

async fn drain(which: Which, drain: bool, force: bool) -> anyhow::Result<String> {
    let patch = TargetPatch { weight: None, drain: Some(drain) };
    change(which, patch, force).await
}

async fn change(which: Which, patch: TargetPatch, force: bool) -> anyhow::Result<String> {
    let Place { address, port } = which.place;
    let client = which.socket.client();
    Ok(client.target_patch(&which.group, address, port, &patch, force).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read() {
        for (text, address, port) in [
            ("10.0.1.13", "10.0.1.13", None),
            ("10.0.1.13:80", "10.0.1.13", Some(80)),
            ("2001:db8::13", "2001:db8::13", None),
            ("[2001:db8::13]", "2001:db8::13", None),
            ("[2001:db8::13]:8080", "2001:db8::13", Some(8080)),
        ] {
            let address = address.parse().unwrap();
            assert_eq!(parse_place(text), Ok(Place { address, port }), "{text}");
        }
        for text in ["", "web", "10.0.1", "10.0.1.13:", "10.0.1.13:99999", "[::1"] {
            assert!(parse_place(text).is_err(), "{text}");
        }
    }
}
