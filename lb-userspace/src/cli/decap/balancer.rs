//! What the configuration of a balancer says to a decapsulator. PURE, except for the reading of the
//! file.

use std::{collections::BTreeSet, path::Path};

use ipnet::IpNet;
use lb_agent::config_file;
use lb_common::target::Mode;
use lb_config::{Config, Limits, TargetGroup};
use thiserror::Error;

/// What a balancer sends, and from where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Balancer {
    /// VIPs of listeners whose target groups are reached by tunnels.
    pub(super) vips: Vec<IpNet>,
    /// Where tunnel packets come from.
    pub(super) senders: Vec<IpNet>,
    /// The UDP ports of GUE.
    gue_ports: BTreeSet<u16>,
}

/// A configuration that one decapsulator cannot serve.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum BalancerError {
    /// It listens at one port.
    #[error(
        "{file}: target groups use several UDP ports for GUE ({ports}): name one with --gue-port"
    )]
    GuePorts {
        /// The configuration.
        file: String,
        /// The ports.
        ports: String,
    },
    /// No packet would be unwrapped.
    #[error("{file}: no listener forwards to a target group with `forwarding: ipip` or `gue`")]
    NoTunnel {
        /// The configuration.
        file: String,
    },
}

impl Balancer {
    /// Reads a configuration. The files that it names are on the balancer, and are not looked for.
    pub(super) fn read(path: &Path) -> anyhow::Result<Self> {
        let balancer = Self::of(&config_file::load_elsewhere(path, &Limits::MOST)?.1);
        if balancer.vips.is_empty() {
            return Err(BalancerError::NoTunnel { file: path.display().to_string() }.into());
        }
        Ok(balancer)
    }

    fn of(config: &Config) -> Self {
        let is_tunnelled =
            |group: &&TargetGroup| matches!(group.forwarding, Mode::Ipip | Mode::Gue);
        let groups = || config.target_groups.iter().map(AsRef::as_ref).filter(is_tunnelled);
        let tunnelled: BTreeSet<&str> = groups().map(|group| &*group.name).collect();
        let listeners = config.listeners.iter();
        let vips: BTreeSet<IpNet> = listeners
            .filter(|listener| listener.target_groups().any(|name| tunnelled.contains(name)))
            .map(|listener| listener.address)
            .collect();
        let gue = groups().filter(|group| group.forwarding == Mode::Gue);
        Self {
            vips: vips.into_iter().collect(),
            senders: vec![config.tunnel.source_ipv4.into(), config.tunnel.source_ipv6.into()],
            gue_ports: gue.map(|group| group.gue.port).collect(),
        }
    }

    /// The UDP port of GUE; `None` when no group uses that.
    pub(super) fn gue_port(&self, file: &Path) -> Result<Option<u16>, BalancerError> {
        if self.gue_ports.len() > 1 {
            let ports: Vec<String> = self.gue_ports.iter().map(u16::to_string).collect();
            let (file, ports) = (file.display().to_string(), ports.join(", "));
            return Err(BalancerError::GuePorts { file, ports });
        }
        Ok(self.gue_ports.first().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "interfaces: [eth0]
tunnel: { source_ipv4: 10.9.0.0/16 }
target_groups:
  - { name: web, protocol: tcp, port: 80, forwarding: ipip, targets: [{ address: 10.0.1.11 }],
      health_check: { protocol: https, verify: /nonexistent/ca.pem } }
  - { name: dns, protocol: udp, port: 53, forwarding: gue, targets: [{ address: 10.0.1.11 }],
      attributes: { gue_port: 7000 }, health_check: { protocol: tcp, port: 8080 } }
  - { name: near, protocol: tcp, port: 81, forwarding: l2dsr, targets: [{ address: 10.0.1.11 }] }
listeners:
  - { name: web, address: 203.0.113.10, port: 80, protocol: tcp, default_action: { forward: { target_group: web } } }
  - { name: all, address: 198.51.100.0/24, port: 53, protocol: udp, default_action: { forward: { target_group: dns } } }
  - { name: near, address: 203.0.113.11, port: 81, protocol: tcp, default_action: { forward: { target_group: near } } }
";

    fn read(text: &str) -> anyhow::Result<Balancer> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("xelb.yaml");
        std::fs::write(&path, text).unwrap();
        let balancer = Balancer::read(&path)?;
        balancer.gue_port(&path)?;
        Ok(balancer)
    }

    #[test]
    fn vips_of_tunnels_and_their_senders_are_taken() {
        let balancer = read(TEXT).unwrap();
        let shown = |nets: &[IpNet]| nets.iter().map(IpNet::to_string).collect::<Vec<_>>();
        assert_eq!(shown(&balancer.vips), ["198.51.100.0/24", "203.0.113.10/32"]);
        assert_eq!(shown(&balancer.senders), ["10.9.0.0/16", "100::/64"]);
        assert_eq!(balancer.gue_port(Path::new("")), Ok(Some(7000)));
    }

    #[test]
    fn configurations_that_one_decapsulator_cannot_serve_are_refused() {
        let two = TEXT.replace("forwarding: ipip,", "forwarding: gue,");
        let error = read(&two).unwrap_err().to_string();
        assert!(error.contains("(6080, 7000): name one with --gue-port"), "{error}");
        let none = TEXT
            .replace("forwarding: ipip", "forwarding: nat")
            .replace("forwarding: gue", "forwarding: nat")
            .replace("attributes: { gue_port: 7000 }, ", "");
        let error = read(&none).unwrap_err().to_string();
        assert!(error.contains("no listener forwards to a target group"), "{error}");
        let error = read("interfaces: eth0").unwrap_err().to_string();
        assert!(error.contains("xelb.yaml:1:"), "{error}");
    }
}
