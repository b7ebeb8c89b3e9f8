//! The configuration of `xelb` in a lab, as text for its file.

use std::{
    fmt::{self, Write as _},
    net::IpAddr,
};

use crate::{
    topology::{VIP_V4, VIP_V6, target_v4, target_v6},
    udp, web,
};

/// How packets reach the targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forwarding {
    /// In an outer IP header.
    Ipip,
    /// With another destination MAC.
    L2dsr,
}

impl fmt::Display for Forwarding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Ipip => "ipip",
            Self::L2dsr => "l2dsr",
        })
    }
}

/// By which of their addresses targets are known to `xelb`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetFamily {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl TargetFamily {
    /// The address of a target in this family.
    #[must_use]
    pub fn address(self, target: u8) -> IpAddr {
        match self {
            Self::V4 => target_v4(target).into(),
            Self::V6 => target_v6(target).into(),
        }
    }

    /// The other one.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::V4 => Self::V6,
            Self::V6 => Self::V4,
        }
    }
}

/// A target group.
#[derive(Clone, Debug)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// `tcp` or `udp`.
    pub protocol: &'static str,
    /// Its port, and that of its listeners.
    pub port: u16,
    /// How packets reach its targets.
    pub forwarding: Forwarding,
    /// How its targets are named.
    pub family: TargetFamily,
    /// Its targets, by number, with their weights.
    pub targets: Vec<(u8, u16)>,
}

/// A listener, on the port and for the protocol of its group.
#[derive(Clone, Debug)]
pub struct Listener {
    /// Its name.
    pub name: String,
    /// The VIP.
    pub vip: IpAddr,
    /// Name of its group.
    pub group: String,
}

/// A whole configuration.
#[derive(Clone, Debug, Default)]
pub struct Configuration {
    /// Its target groups.
    pub groups: Vec<Group>,
    /// Its listeners.
    pub listeners: Vec<Listener>,
}

/// Weight of a target unless said otherwise.
const WEIGHT: u16 = 100;

impl Configuration {
    /// One group `web` of web servers, behind both VIPs.
    #[must_use]
    pub fn web(forwarding: Forwarding, targets: &[u8]) -> Self {
        let group = Group {
            name: "web".to_owned(),
            protocol: "tcp",
            port: web::PORT,
            forwarding,
            family: TargetFamily::V4,
            targets: weighted(targets),
        };
        Self {
            groups: vec![group],
            listeners: vec![
                listener("web-v4", VIP_V4.into(), "web"),
                listener("web-v6", VIP_V6.into(), "web"),
            ],
        }
    }

    /// The web and UDP services behind both VIPs, in groups of their own: targets have addresses of
    /// the family of the VIP, or with `crossed` of the other one.
    #[must_use]
    pub fn everything(forwarding: Forwarding, crossed: bool, targets: &[u8]) -> Self {
        let mut configuration = Self::default();
        for (suffix, vip, same) in
            [("v4", VIP_V4.into(), TargetFamily::V4), ("v6", VIP_V6.into(), TargetFamily::V6)]
        {
            let family = if crossed { same.other() } else { same };
            for (service, protocol, port) in [("web", "tcp", web::PORT), ("echo", "udp", udp::PORT)]
            {
                let name = format!("{service}-{suffix}");
                configuration.add(
                    vip,
                    Group { name, protocol, port, forwarding, family, targets: weighted(targets) },
                );
            }
        }
        configuration
    }

    /// Adds a group and a listener of the same name.
    pub fn add(&mut self, vip: IpAddr, group: Group) {
        self.listeners.push(listener(&group.name, vip, &group.name));
        self.groups.push(group);
    }

    /// How many (group, target) pairs it has.
    #[must_use]
    pub fn target_count(&self) -> usize {
        self.groups.iter().map(|group| group.targets.len()).sum()
    }

    /// The text of its file.
    #[must_use]
    pub fn to_yaml(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _: fmt::Result = self.write_yaml(&mut text);
        text
    }

    fn write_yaml(&self, text: &mut String) -> fmt::Result {
        writeln!(text, "interfaces: [{}]", crate::topology::LB_INTERFACE)?;
        writeln!(text, "target_groups:")?;
        for group in &self.groups {
            writeln!(text, "  - name: {}", group.name)?;
            writeln!(text, "    protocol: {}", group.protocol)?;
            writeln!(text, "    port: {}", group.port)?;
            writeln!(text, "    forwarding: {}", group.forwarding)?;
            writeln!(text, "    targets:")?;
            for (target, weight) in &group.targets {
                let address = group.family.address(*target);
                writeln!(text, "      - {{ address: \"{address}\", weight: {weight} }}")?;
            }
            // The web server speaks for the whole target, its UDP service included.
            writeln!(
                text,
                "    health_check:
      protocol: http
      path: /healthz
      port: {}
      interval: 200ms
      timeout: 150ms
      healthy_threshold: 2
      unhealthy_threshold: 2
      matcher: \"200\"",
                web::PORT
            )?;
        }
        writeln!(text, "listeners:")?;
        for listener in &self.listeners {
            let group =
                self.groups.iter().find(|group| group.name == listener.group).ok_or(fmt::Error)?;
            writeln!(text, "  - name: {}", listener.name)?;
            writeln!(text, "    address: \"{}\"", listener.vip)?;
            writeln!(text, "    port: {}", group.port)?;
            writeln!(text, "    protocol: {}", group.protocol)?;
            writeln!(
                text,
                "    default_action: {{ forward: {{ target_group: {} }} }}",
                group.name
            )?;
        }
        Ok(())
    }
}

fn weighted(targets: &[u8]) -> Vec<(u8, u16)> {
    targets.iter().map(|target| (*target, WEIGHT)).collect()
}

fn listener(name: &str, vip: IpAddr, group: &str) -> Listener {
    Listener { name: name.to_owned(), vip, group: group.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crossed_groups_name_targets_in_the_other_family() {
        let text = Configuration::everything(Forwarding::Ipip, true, &[1]).to_yaml();
        let web_v4 = text.split("- name: ").nth(1).unwrap();
        assert!(web_v4.starts_with("web-v4"), "{web_v4}");
        assert!(web_v4.contains("\"fd00::11\""), "{web_v4}");
        assert_eq!(text.matches("target_group: ").count(), 4);
    }
}
