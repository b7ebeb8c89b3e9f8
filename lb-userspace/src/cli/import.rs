//! `xelb import`: the configuration of another balancer, as one of xelb. It asks no agent.

use std::{net::IpAddr, path::PathBuf};

use clap::{Args, ValueEnum};
use lb_config::{self as config, plural::counted};
use lb_import::{Imported, Kind, Settings};

use super::{input, output};

/// Largest input; that of configurations, too.
const BYTES_MAX: u64 = 4 << 20;

/// Print the configuration of another balancer as a configuration of xelb
///
/// It reads one file, and changes nothing. Comments in the result name each line of the input that
/// has no counterpart, works in another way, or needs a hand. How many there are is said on the error
/// output.
///
/// Example: ipvsadm -S -n | xelb import ipvs - > xelb.yaml
///
/// Example: xelb import keepalived /etc/keepalived/keepalived.conf > xelb.yaml
///
/// Example: xelb import haproxy /etc/haproxy/haproxy.cfg --interface eth0 > xelb.yaml
#[derive(Debug, Args)]
pub(super) struct Import {
    /// What the file is
    #[arg(value_enum, value_name = "FORMAT")]
    format: Format,
    /// File to read; `-` is the standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Interface where clients' packets arrive; may be given several times. Default: what the file
    /// says, otherwise a placeholder
    #[arg(short, long = "interface", value_name = "NAME")]
    interfaces: Vec<String>,
    /// VIP of listeners for which the file says "any address"; may be given for IPv4 and IPv6.
    /// Default: a placeholder
    #[arg(long = "address", value_name = "ADDRESS")]
    addresses: Vec<IpAddr>,
    /// Address of the balancer that targets of mode fullnat see; may be given several times.
    /// Default: what the file says, otherwise a placeholder
    #[arg(long = "source-address", value_name = "ADDRESS")]
    source_addresses: Vec<IpAddr>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Output of `ipvsadm -S -n` or `ipvsadm -L -n`
    Ipvs,
    /// keepalived.conf
    Keepalived,
    /// haproxy.cfg
    Haproxy,
}

impl From<Format> for lb_import::Format {
    fn from(format: Format) -> Self {
        match format {
            Format::Ipvs => Self::Ipvs,
            Format::Keepalived => Self::Keepalived,
            Format::Haproxy => Self::Haproxy,
        }
    }
}

impl Import {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let name = input::shown(&self.file);
        let bytes = input::bytes(&self.file, BYTES_MAX)
            .map_err(|message| config::unreadable(&name, message))?;
        let text = std::str::from_utf8(&bytes).map_err(|_| config::not_utf8(&name, &bytes))?;
        for is_ipv6 in [false, true] {
            let of_family = self.addresses.iter().filter(|one| one.is_ipv6() == is_ipv6);
            if of_family.count() > 1 {
                let message = "a listener has one VIP: give one address of each family".to_owned();
                return Err(config::unreadable("--address", message).into());
            }
        }
        let settings = Settings {
            interfaces: self.interfaces,
            addresses: self.addresses,
            source_addresses: self.source_addresses,
        };
        let imported = lb_import::import_with(self.format.into(), text, &settings)
            .map_err(|error| config::unreadable(&name, error.to_string()))?;
        output::print(imported.text())?;
        output::print_error(&summary(&name, &imported));
        match imported.errors() {
            Some(errors) => Err(errors.clone().into()),
            None => Ok(()),
        }
    }
}

/// How many remarks there are.
fn summary(name: &str, imported: &Imported) -> String {
    let [hand, changed, dropped] =
        [Kind::Hand, Kind::Changed, Kind::Dropped].map(|kind| imported.count(kind));
    format!(
        "{name}: {} in the result: needs a hand {hand}, differs {changed}, no counterpart {dropped}; read \
         them, then check the result with `xelb validate`",
        counted(hand + changed + dropped, "remark")
    )
}
