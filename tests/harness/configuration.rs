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
    /// In an outer IP header and a UDP header.
    Gue {
        /// 1 has nothing behind the UDP header, 0 has a header of four bytes.
        variant: u8,
    },
    /// With another destination MAC.
    L2dsr,
}

impl Forwarding {
    /// Whether targets must unwrap what they get.
    #[must_use]
    pub fn is_tunnel(self) -> bool {
        matches!(self, Self::Ipip | Self::Gue { .. })
    }
}

impl fmt::Display for Forwarding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Ipip => "ipip",
            Self::Gue { .. } => "gue",
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
    /// Targets that are not among the lab's own, or by other addresses than their first.
    pub others: Vec<IpAddr>,
    /// More keys of its health check, as `key: value`.
    pub check: Vec<String>,
    /// Its attributes, as `key: value`.
    pub attributes: Vec<String>,
}

impl Group {
    /// An unused group with IPv4 targets.
    #[must_use]
    pub fn new(name: &str, protocol: &'static str, port: u16, forwarding: Forwarding) -> Self {
        Self {
            name: name.to_owned(),
            protocol,
            port,
            forwarding,
            family: TargetFamily::V4,
            targets: Vec::new(),
            others: Vec::new(),
            check: Vec::new(),
            attributes: Vec::new(),
        }
    }

    /// The same with these targets, of equal weights.
    #[must_use]
    pub fn with(self, targets: &[u8]) -> Self {
        Self { targets: targets.iter().map(|target| (*target, WEIGHT)).collect(), ..self }
    }
}

/// A listener, for the protocol of its group.
#[derive(Clone, Debug)]
pub struct Listener {
    /// Its name.
    pub name: String,
    /// The VIP, or a prefix of VIPs.
    pub address: String,
    /// A port, a range, or `all`.
    pub port: String,
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
    /// More keys of the document, as `key: value`.
    pub top: Vec<String>,
}

/// Weight of a target unless said otherwise.
const WEIGHT: u16 = 100;

impl Configuration {
    /// One group `web` of web servers, behind both VIPs.
    #[must_use]
    pub fn web(forwarding: Forwarding, targets: &[u8]) -> Self {
        let group = Group::new("web", "tcp", web::PORT, forwarding).with(targets);
        Self {
            listeners: vec![
                listener("web-v4", VIP_V4.into(), &group),
                listener("web-v6", VIP_V6.into(), &group),
            ],
            groups: vec![group],
            top: Vec::new(),
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
                let group = Group::new(&name, protocol, port, forwarding).with(targets);
                configuration.add(vip, Group { family, ..group });
            }
        }
        configuration
    }

    /// Adds a group and a listener of the same name.
    pub fn add(&mut self, vip: IpAddr, group: Group) {
        self.listeners.push(listener(&group.name, vip, &group));
        self.groups.push(group);
    }

    /// How many (group, target) pairs it has.
    #[must_use]
    pub fn target_count(&self) -> usize {
        self.groups.iter().map(|group| group.targets.len() + group.others.len()).sum()
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
        if !self.top.iter().any(|line| line.starts_with("interfaces:")) {
            writeln!(text, "interfaces: [{}]", crate::topology::LB_INTERFACE)?;
        }
        for line in &self.top {
            writeln!(text, "{line}")?;
        }
        writeln!(text, "target_groups:")?;
        for group in &self.groups {
            group.write_yaml(text)?;
        }
        writeln!(text, "listeners:")?;
        for listener in &self.listeners {
            let group =
                self.groups.iter().find(|group| group.name == listener.group).ok_or(fmt::Error)?;
            writeln!(text, "  - name: {}", listener.name)?;
            writeln!(text, "    address: \"{}\"", listener.address)?;
            writeln!(text, "    port: {}", listener.port)?;
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

impl Group {
    fn write_yaml(&self, text: &mut String) -> fmt::Result {
        writeln!(text, "  - name: {}", self.name)?;
        writeln!(text, "    protocol: {}", self.protocol)?;
        writeln!(text, "    port: {}", self.port)?;
        writeln!(text, "    forwarding: {}", self.forwarding)?;
        writeln!(text, "    targets:")?;
        let numbered =
            self.targets.iter().map(|(target, weight)| (self.family.address(*target), *weight));
        for (address, weight) in numbered.chain(self.others.iter().map(|one| (*one, WEIGHT))) {
            writeln!(text, "      - {{ address: \"{address}\", weight: {weight} }}")?;
        }
        // The health of the web server is that of the whole target, including its UDP service.
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
        for line in &self.check {
            writeln!(text, "      {line}")?;
        }
        let mut attributes = self.attributes.clone();
        if let Forwarding::Gue { variant } = self.forwarding {
            attributes.push(format!("gue_variant: {variant}"));
        }
        if !attributes.is_empty() {
            writeln!(text, "    attributes: {{ {} }}", attributes.join(", "))?;
        }
        Ok(())
    }
}

/// A listener on the port of its group.
fn listener(name: &str, vip: IpAddr, group: &Group) -> Listener {
    Listener {
        name: name.to_owned(),
        address: vip.to_string(),
        port: group.port.to_string(),
        group: group.name.clone(),
    }
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
