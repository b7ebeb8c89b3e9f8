//! Sockets of this host that take what anybody sends: /proc/net (proc_pid_net(5)).

use std::{
    fs::File,
    io::{BufRead as _, BufReader},
    net::{IpAddr, Ipv4Addr},
};

use lb_config::ListeningSocket;

/// States of sockets that take packets of anybody (net/tcp_states.h): listening for TCP, and for
/// UDP not connected.
const TABLES: [(&str, &str, &str); 4] = [
    ("tcp", "/proc/net/tcp", "0A"),
    ("tcp", "/proc/net/tcp6", "0A"),
    ("udp", "/proc/net/udp", "07"),
    ("udp", "/proc/net/udp6", "07"),
];

/// TCP and UDP sockets that take what anybody sends.
#[must_use]
pub fn listening_sockets() -> Vec<ListeningSocket> {
    TABLES.into_iter().flat_map(|(protocol, path, state)| table(protocol, path, state)).collect()
}

fn table(protocol: &'static str, path: &str, state: &str) -> Vec<ListeningSocket> {
    let Ok(file) = File::open(path) else { return Vec::new() };
    let lines = BufReader::new(file).lines().map_while(Result::ok).skip(1);
    let sockets = lines.map(|line| socket(&line, state));
    let found = |(address, port)| ListeningSocket { protocol, address, port };
    if protocol == "tcp" {
        // The kernel prints listening sockets first: a million connections behind them are not read.
        return sockets.map_while(|one| one).map(found).collect();
    }
    sockets.flatten().map(found).collect()
}

/// PURE: the address and port of a socket in this state, of a line of a table such as /proc/net/tcp; `None`
/// for one in another state.
fn socket(line: &str, state: &str) -> Option<(IpAddr, u16)> {
    let words: Vec<&str> = line.split_whitespace().take(4).collect();
    let [_, local, _, found] = words.as_slice() else { return None };
    let (address, port) = local.split_once(':')?;
    let address = hex(address)?;
    (*found == state).then_some((address, u16::from_str_radix(port, 16).ok()?))
}

/// PURE: an address as the kernel prints it there: words of 32 bits in the host's byte order.
fn hex(text: &str) -> Option<IpAddr> {
    let words: Vec<[u8; 4]> = (0..text.len() / 8)
        .map(|word| u32::from_str_radix(text.get(word * 8..word * 8 + 8)?, 16).ok())
        .map(|word| word.map(u32::to_ne_bytes))
        .collect::<Option<_>>()?;
    match words.as_slice() {
        [v4] => Some(Ipv4Addr::from(*v4).into()),
        [_, _, _, _] => {
            let bytes: [u8; 16] = words.concat().try_into().ok()?;
            Some(IpAddr::from(bytes).to_canonical())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn listening_sockets_are_read() {
        let word = |bytes: [u8; 4]| format!("{:08X}", u32::from_ne_bytes(bytes));
        let v4 = format!("{}:0050", word([10, 0, 0, 11]));
        let mapped = [[0; 4], [0; 4], [0, 0, 255, 255], [10, 0, 0, 12]].map(word).concat();
        let table = format!(
            "  sl  local_address rem_address   st\n   0: {v4} 00000000:0000 0A 0:0\n   1: {v4} \
             0100007F:1234 01 0:0\n   2: {mapped}:1F90 {}:0000 0A 0:0\n",
            "0".repeat(32)
        );
        let sockets: Vec<_> = table.lines().map(|line| socket(line, "0A")).collect();
        let wanted =
            [None, Some(([10, 0, 0, 11].into(), 80)), None, Some(([10, 0, 0, 12].into(), 8080))];
        assert_eq!(sockets, wanted);
    }

    #[test]
    fn a_socket_of_this_process_is_found() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let bound = listener.local_addr().unwrap();
        let wanted = ListeningSocket { protocol: "tcp", address: bound.ip(), port: bound.port() };
        assert!(listening_sockets().contains(&wanted));
    }
}
