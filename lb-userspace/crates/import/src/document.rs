//! The result before it is written: groups and listeners, each with the lines that it comes from.

use std::{collections::BTreeSet, net::IpAddr};

use lb_common::target::Mode;
use lb_config::{Protocol, TargetAddress};

use crate::service::Check;

/// A configuration of xelb.
#[derive(Debug, Default)]
pub(crate) struct Document {
    pub(crate) interfaces: Vec<String>,
    pub(crate) sources: Vec<IpAddr>,
    pub(crate) groups: Vec<Group>,
    pub(crate) listeners: Vec<Listener>,
    /// Lines that the top of the document comes from.
    pub(crate) lines: Vec<usize>,
}

/// A target group.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) name: String,
    pub(crate) protocol: Protocol,
    pub(crate) port: u16,
    pub(crate) forwarding: Mode,
    pub(crate) targets: Vec<Target>,
    pub(crate) check: Option<Check>,
    /// Keys of `attributes`, with values as YAML.
    pub(crate) attributes: Vec<(&'static str, String)>,
    pub(crate) span: (usize, usize),
    pub(crate) lines: Vec<usize>,
}

/// A target of a group.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) address: TargetAddress,
    pub(crate) port: u16,
    pub(crate) weight: Option<u32>,
    pub(crate) backup: bool,
    pub(crate) lines: Vec<usize>,
}

/// A listener.
#[derive(Debug)]
pub(crate) struct Listener {
    pub(crate) name: String,
    pub(crate) address: IpAddr,
    pub(crate) ports: (u16, u16),
    pub(crate) protocol: Protocol,
    pub(crate) group: String,
    pub(crate) attributes: Vec<(&'static str, String)>,
    pub(crate) span: (usize, usize),
    pub(crate) lines: Vec<usize>,
}

impl Group {
    /// All lines that something in it comes from.
    pub(crate) fn all_lines(&self) -> BTreeSet<usize> {
        let targets = self.targets.iter().flat_map(|target| &target.lines);
        let check = self.check.iter().flat_map(|check| &check.lines);
        self.lines.iter().chain(targets).chain(check).copied().collect()
    }
}

impl Document {
    /// All lines that something in it comes from.
    pub(crate) fn used(&self) -> BTreeSet<usize> {
        let groups = self.groups.iter().flat_map(Group::all_lines);
        let listeners = self.listeners.iter().flat_map(|listener| &listener.lines).copied();
        groups.chain(listeners).chain(self.lines.iter().copied()).collect()
    }
}
