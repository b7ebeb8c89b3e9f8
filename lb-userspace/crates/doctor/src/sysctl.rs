//! PURE: sysctls of an interface, which count together with those of `all`.

/// A sysctl below `net.ipv4.conf`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Setting {
    /// Its value for `all`.
    pub all: u32,
    /// Its value for the interface.
    pub own: u32,
}

impl Setting {
    /// What the kernel does: the larger of both (`rp_filter`, `arp_ignore` and `arp_announce`).
    #[must_use]
    pub fn effective(self) -> u32 {
        self.all.max(self.own)
    }
}

/// The command that sets an IPv4 sysctl of an interface.
pub(super) fn command(interface: &str, name: &str, value: u32) -> String {
    // With a dot in the interface's name, slashes have to separate.
    let separator = if interface.contains('.') { "/" } else { "." };
    let path = ["net", "ipv4", "conf", interface, name].join(separator);
    format!("sysctl -w {path}={value}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_name_the_interface() {
        assert_eq!(command("eth0", "rp_filter", 2), "sysctl -w net.ipv4.conf.eth0.rp_filter=2");
        assert_eq!(
            command("eth0.5", "arp_ignore", 1),
            "sysctl -w net/ipv4/conf/eth0.5/arp_ignore=1"
        );
    }

    #[test]
    fn the_larger_one_counts() {
        assert_eq!(Setting { all: 1, own: 0 }.effective(), 1);
        assert_eq!(Setting { all: 1, own: 2 }.effective(), 2);
    }
}
