//! PURE: what the settings of several drivers have in common, and why they cannot be used.

use std::net::IpAddr;

use thiserror::Error;

/// Settings that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{key}: {reason}")]
pub struct SettingsError {
    /// The key, such as `ports`.
    pub key: &'static str,
    /// What is wrong, and what is expected.
    pub reason: String,
}

impl SettingsError {
    pub(crate) fn new(key: &'static str, reason: impl Into<String>) -> Self {
        Self { key, reason: reason.into() }
    }
}

/// Addresses and ports of members: each gets a pair that no other has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AddressPool {
    pub(crate) addresses: Vec<IpAddr>,
    /// The first and the last port.
    pub(crate) ports: [u16; 2],
}

impl AddressPool {
    pub(crate) fn check(&self) -> Result<(), SettingsError> {
        let [first, last] = self.ports;
        if self.addresses.is_empty() {
            return Err(SettingsError::new("addresses", "must have one address at least"));
        }
        if let Some(address) =
            self.addresses.iter().find(|ip| ip.is_unspecified() || ip.is_multicast())
        {
            return Err(SettingsError::new(
                "addresses",
                format!("{address} is no address of a target"),
            ));
        }
        if first == 0 || first > last {
            return Err(SettingsError::new(
                "ports",
                format!(
                    "[{first}, {last}] is no range; expected [FIRST, LAST], such as [9000, 9099]"
                ),
            ));
        }
        Ok(())
    }

    /// All pairs, in the order in which they are assigned.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (IpAddr, u16)> + '_ {
        let [first, last] = self.ports;
        (first..=last).flat_map(|port| self.addresses.iter().map(move |&address| (address, port)))
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;

    #[test]
    fn pools_that_cannot_be_used_are_refused() {
        let pool = |addresses: &[&str], ports| AddressPool {
            addresses: addresses.iter().map(|ip| ip.parse().unwrap()).collect(),
            ports,
        };
        // (pool, key of the error)
        let cases = [
            (pool(&["10.0.0.5"], [80, 80]), None),
            (pool(&[], [80, 80]), Some("addresses")),
            (pool(&["10.0.0.5", "0.0.0.0"], [80, 80]), Some("addresses")),
            (pool(&["ff02::1"], [80, 80]), Some("addresses")),
            (pool(&["10.0.0.5"], [0, 80]), Some("ports")),
            (pool(&["10.0.0.5"], [81, 80]), Some("ports")),
        ];
        for (pool, key) in cases {
            assert_eq!(pool.check().err().map(|error| error.key), key, "{pool:?}");
        }
        let pairs: Vec<String> = pool(&["10.0.0.5", "::1"], [80, 81])
            .pairs()
            .map(|pair| SocketAddr::from(pair).to_string())
            .collect();
        assert_eq!(pairs, ["10.0.0.5:80", "[::1]:80", "10.0.0.5:81", "[::1]:81"]);
    }
}
