//! PURE: the files of a host that say how names are resolved: resolv.conf(5) and hosts(5). What xelb has no use
//! for is passed over: names of targets are whole, so that no `search` list belongs to them.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

/// Port of DNS servers (RFC 1035).
const PORT: u16 = 53;
/// Most servers, as in resolv.conf(5).
const SERVERS_MAX: usize = 3;
/// Time for one attempt: the default here is shorter than that of resolv.conf(5), 5 s, since last addresses
/// are kept meanwhile.
const TIMEOUT: Duration = Duration::from_secs(2);
const TIMEOUT_SECONDS_MAX: u64 = 5;
const ATTEMPTS: u32 = 2;
const ATTEMPTS_MAX: u32 = 5;
/// Most addresses of a name in hosts(5) that are read.
const ADDRESSES_MAX: usize = 1024;

/// Whom to ask, and how long to wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Servers {
    /// The servers, asked one after the other.
    pub addresses: Vec<SocketAddr>,
    /// How long an answer of one is waited for.
    pub timeout: Duration,
    /// How often all of them are asked.
    pub attempts: u32,
}

impl Servers {
    /// These servers, with the usual times.
    #[must_use]
    pub const fn of(addresses: Vec<SocketAddr>) -> Self {
        Self { addresses, timeout: TIMEOUT, attempts: ATTEMPTS }
    }

    /// Those of a resolv.conf; the one of this host where it names none.
    #[must_use]
    pub fn read(text: &str) -> Self {
        let mut servers = Self::of(Vec::new());
        for line in text.lines() {
            let mut words = line.split_whitespace();
            match words.next() {
                Some("nameserver") if servers.addresses.len() < SERVERS_MAX => {
                    let address = words.next().and_then(|word| word.parse::<IpAddr>().ok());
                    servers.addresses.extend(address.map(|one| SocketAddr::new(one, PORT)));
                }
                Some("options") => words.for_each(|word| servers.option(word)),
                _ => {}
            }
        }
        if servers.addresses.is_empty() {
            servers.addresses.push((Ipv4Addr::LOCALHOST, PORT).into());
        }
        servers
    }

    fn option(&mut self, word: &str) {
        match word.split_once(':') {
            Some(("timeout", number)) => {
                if let Ok(seconds) = number.parse::<u64>() {
                    self.timeout = Duration::from_secs(seconds.clamp(1, TIMEOUT_SECONDS_MAX));
                }
            }
            Some(("attempts", number)) => {
                if let Ok(number) = number.parse::<u32>() {
                    self.attempts = number.clamp(1, ATTEMPTS_MAX);
                }
            }
            _ => {}
        }
    }
}

/// The names of a hosts file, in lower case, and their addresses.
#[must_use]
pub fn hosts(text: &str) -> BTreeMap<String, Vec<IpAddr>> {
    let mut all: BTreeMap<String, Vec<IpAddr>> = BTreeMap::new();
    for line in text.lines() {
        let line = line.split('#').next().unwrap_or_default();
        let mut words = line.split_whitespace();
        let Some(address) = words.next().and_then(|word| word.parse::<IpAddr>().ok()) else {
            continue;
        };
        for name in words {
            let name = name.trim_end_matches('.').to_ascii_lowercase();
            let addresses = all.entry(name).or_default();
            if addresses.len() < ADDRESSES_MAX {
                addresses.push(address);
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_of_a_resolv_conf() {
        let read = |text: &str| {
            let Servers { addresses, timeout, attempts } = Servers::read(text);
            let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
            format!("{} {timeout:?} {attempts}", addresses.join(","))
        };
        for (text, expected) in [
            ("", "127.0.0.1:53 2s 2"),
            ("# nameserver 10.0.0.1\n;\nsearch example.org\n", "127.0.0.1:53 2s 2"),
            (
                "nameserver 10.0.0.1\nnameserver\t2001:db8::1 \nnameserver x\n",
                "10.0.0.1:53,[2001:db8::1]:53 2s 2",
            ),
            ("nameserver 10.0.0.1\noptions ndots:5 timeout:1 attempts:3\n", "10.0.0.1:53 1s 3"),
            ("nameserver 10.0.0.1\noptions timeout:300 attempts:0\n", "10.0.0.1:53 5s 1"),
            (&"nameserver 10.0.0.1\n".repeat(9), "10.0.0.1:53,10.0.0.1:53,10.0.0.1:53 2s 2"),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
    }

    #[test]
    fn names_of_a_hosts_file() {
        let all = hosts(
            "127.0.0.1 localhost\n::1 localhost\n10.0.0.1\tWeb.Example.org. web # www\nx web\n",
        );
        let of = |name: &str| all.get(name).map(|all| format!("{all:?}"));
        assert_eq!(of("localhost").as_deref(), Some("[127.0.0.1, ::1]"));
        assert_eq!(of("web.example.org").as_deref(), Some("[10.0.0.1]"));
        assert_eq!(of("web").as_deref(), Some("[10.0.0.1]"));
        assert_eq!((of("www"), of("x")), (None, None));
    }
}
