//! PURE: names and numbers of one agent's tunnel for probes. Several agents may run in one network
//! namespace, on interfaces of their own: each takes the first instance number whose device it can
//! create, since no other agent can create the same device.

/// Agents in one network namespace that can probe so, at most.
const COUNT: u8 = 8;

/// The lanes' marks: this and the next ones. A low byte: the higher bits are those that Kubernetes
/// (0xc000), Cilium (0x0f00), Tailscale and Calico (from 0x10000 up) test with masks of theirs.
const MARK: u8 = 0xe0;

/// The lanes' routing tables: this and the next ones, above all that people number by hand.
const TABLE: u32 = 0x7865_6c60;

/// One tunnel for probes: a device, a mark, a routing table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Instance(u8);

impl Instance {
    /// Every one, in the order in which they are taken.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        (0..COUNT).map(Self)
    }

    /// Name of its device.
    pub(super) fn device(self) -> String {
        format!("xelb-probe{}", self.0)
    }

    /// Mark of its probes.
    pub(super) const fn mark(self) -> u8 {
        MARK + self.0
    }

    /// Number of its routing table.
    pub(super) fn table(self) -> u32 {
        TABLE + u32::from(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_share_nothing() {
        let instances: Vec<Instance> = Instance::all().collect();
        let shown = |instance: &Instance| (instance.device(), instance.mark(), instance.table());
        assert_eq!(shown(&instances[0]), ("xelb-probe0".to_owned(), 0xe0, 2_019_912_800));
        assert_eq!(shown(&instances[7]), ("xelb-probe7".to_owned(), 0xe7, 2_019_912_807));
        assert_eq!(instances.len(), 8);
    }
}
