//! What a driver says of its interface, through the ethtool system call: its name, queues,
//! features, and where it sends what it receives. Reading only.

use std::{
    collections::BTreeMap,
    io,
    os::fd::{AsRawFd as _, OwnedFd},
};

use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};

// linux/ethtool.h
/// linux/sockios.h. The constant of libc has another type than requests have with musl.
const SIOCETHTOOL: libc::Ioctl = 0x8946;

const ETHTOOL_GDRVINFO: u32 = 0x03;
const ETHTOOL_GSTRINGS: u32 = 0x1b;
const ETHTOOL_GSTATS: u32 = 0x1d;
const ETHTOOL_GSSET_INFO: u32 = 0x37;
const ETHTOOL_GRXFHINDIR: u32 = 0x38;
const ETHTOOL_GFEATURES: u32 = 0x3a;
const ETHTOOL_GCHANNELS: u32 = 0x3c;
const ETH_SS_STATS: u32 = 1;
const ETH_SS_FEATURES: u32 = 4;
/// Bytes of one name (ETH_GSTRING_LEN).
const NAME_BYTES: usize = 32;
/// Words of `struct ethtool_drvinfo`, which holds 196 bytes.
const DRIVER_WORDS: usize = 49;
/// Place of the bus address in it: behind the command and three names.
const BUS_OFFSET: usize = 4 + 3 * NAME_BYTES;
const CHANNEL_WORDS: usize = 9;
/// More than any driver has; the kernel's table has at most a few thousand entries.
const INDIRECTION_MAX: usize = 1 << 16;
/// The kernel has 64 features; the number may grow.
const FEATURES_MAX: usize = 1024;
/// Drivers have up to a few thousand, some for each queue.
const STATISTICS_MAX: usize = 1 << 15;

/// What a driver says; what it does not say is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Driver {
    /// Its name.
    pub name: String,
    /// Where the device is, as in `0000:01:00.0`.
    pub bus: String,
    /// Its receive queues.
    pub queues: Option<Queues>,
    /// Features by name: whether they are on.
    pub features: BTreeMap<String, bool>,
    /// The queue of each bucket of the receive hash.
    pub indirection: Vec<u32>,
}

/// Receive queues of a driver.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Queues {
    /// In use.
    pub used: u32,
    /// How many there may be.
    pub max: u32,
    /// Whether they transmit, too: ethtool then calls them `combined`, else `rx`.
    pub combined: bool,
}

impl Driver {
    /// Asks the driver of an interface of the calling thread's network namespace.
    pub fn read(interface: &str) -> io::Result<Self> {
        // Any socket of the namespace will do.
        let flags = SockFlag::SOCK_CLOEXEC;
        let socket = socket(AddressFamily::Inet, SockType::Datagram, flags, None)?;
        let ask = |request: &mut [u32]| ask(&socket, interface, request);
        let mut driver = Self::default();
        let mut request = [0; DRIVER_WORDS];
        request[0] = ETHTOOL_GDRVINFO;
        if ask(&mut request).is_ok() {
            let bytes: &[u8] = bytemuck::cast_slice(&request);
            driver.name = text(bytes, 4);
            driver.bus = text(bytes, BUS_OFFSET);
        }
        driver.queues = channels(&ask);
        driver.features = features(&ask).unwrap_or_default();
        driver.indirection = indirection(&ask).unwrap_or_default();
        Ok(driver)
    }
}

/// What a driver counts, by its own names; empty where it counts nothing.
pub fn driver_statistics(interface: &str) -> io::Result<BTreeMap<String, u64>> {
    let flags = SockFlag::SOCK_CLOEXEC;
    let socket = socket(AddressFamily::Inet, SockType::Datagram, flags, None)?;
    statistics(&|request: &mut [u32]| ask(&socket, interface, request))
}

/// Receive queues: those of their own, and those that also transmit.
fn channels(ask: &impl Fn(&mut [u32]) -> io::Result<()>) -> Option<Queues> {
    let mut request = [0; CHANNEL_WORDS];
    request[0] = ETHTOOL_GCHANNELS;
    ask(&mut request).ok()?;
    let [_, max_rx, _, _, max_combined, rx, _, _, combined] = request;
    Some(Queues { used: rx + combined, max: max_rx + max_combined, combined: max_combined > 0 })
}

fn features(ask: &impl Fn(&mut [u32]) -> io::Result<()>) -> io::Result<BTreeMap<String, bool>> {
    // The mask of the requested sets is one number of 64 bits, and the answer follows.
    let mask: [u32; 2] = bytemuck::cast((1_u64) << ETH_SS_FEATURES);
    let mut request = [ETHTOOL_GSSET_INFO, 0, mask[0], mask[1], 0];
    ask(&mut request)?;
    let count = usize::try_from(request[4]).unwrap_or(0).min(FEATURES_MAX);
    // Space for the maximum number: the kernel writes all names, regardless of the requested
    // number.
    let mut names = vec![0; 3 + FEATURES_MAX * NAME_BYTES / 4];
    names[0] = ETHTOOL_GSTRINGS;
    names[1] = ETH_SS_FEATURES;
    names[2] = request[4];
    ask(&mut names)?;
    let blocks = count.div_ceil(32);
    // Each block says what is available, requested, active and never changed.
    let mut states = vec![0; 2 + 4 * blocks];
    states[0] = ETHTOOL_GFEATURES;
    states[1] = u32::try_from(blocks).unwrap_or(0);
    ask(&mut states)?;
    let bytes: &[u8] = bytemuck::cast_slice(&names);
    Ok((0..count)
        .map(|number| {
            let active = states.get(2 + 4 * (number / 32) + 2).copied().unwrap_or(0);
            let name = text(bytes, 12 + number * NAME_BYTES);
            (name, active & (1 << (number % 32)) != 0)
        })
        .filter(|(name, _)| !name.is_empty())
        .collect())
}

fn statistics(ask: &impl Fn(&mut [u32]) -> io::Result<()>) -> io::Result<BTreeMap<String, u64>> {
    let mask: [u32; 2] = bytemuck::cast(1_u64 << ETH_SS_STATS);
    let mut request = [ETHTOOL_GSSET_INFO, 0, mask[0], mask[1], 0];
    ask(&mut request)?;
    let count = usize::try_from(request[4]).unwrap_or(0).min(STATISTICS_MAX);
    // Room for more than there are: the number may grow before the kernel writes.
    let mut names = vec![0; 3 + STATISTICS_MAX * NAME_BYTES / 4];
    names[0] = ETHTOOL_GSTRINGS;
    names[1] = ETH_SS_STATS;
    names[2] = request[4];
    ask(&mut names)?;
    let mut values = vec![0; 2 + STATISTICS_MAX * 2];
    values[0] = ETHTOOL_GSTATS;
    values[1] = request[4];
    ask(&mut values)?;
    let bytes: &[u8] = bytemuck::cast_slice(&names);
    let value = |number: usize| {
        let words = values.get(2 + 2 * number..4 + 2 * number)?;
        Some(bytemuck::cast([*words.first()?, *words.get(1)?]))
    };
    Ok((0..count)
        .filter_map(|number| Some((text(bytes, 12 + number * NAME_BYTES), value(number)?)))
        .collect())
}

fn indirection(ask: &impl Fn(&mut [u32]) -> io::Result<()>) -> io::Result<Vec<u32>> {
    let mut request = [ETHTOOL_GRXFHINDIR, 0];
    ask(&mut request)?;
    let size = usize::try_from(request[1]).unwrap_or(0).min(INDIRECTION_MAX);
    let mut table = vec![0; 2 + size];
    table[0] = ETHTOOL_GRXFHINDIR;
    table[1] = u32::try_from(size).unwrap_or(0);
    if size > 0 {
        ask(&mut table)?;
    }
    Ok(table.split_off(2))
}

/// One system call. The request begins with its command and has space for the whole answer.
fn ask(socket: &OwnedFd, interface: &str, request: &mut [u32]) -> io::Result<()> {
    let mut name = [0; libc::IFNAMSIZ];
    if interface.len() >= name.len() {
        return Err(io::Error::from_raw_os_error(libc::ENODEV));
    }
    for (place, byte) in name.iter_mut().zip(interface.bytes()) {
        *place = libc::c_char::from_ne_bytes([byte]);
    }
    let data = libc::__c_anonymous_ifr_ifru { ifru_data: request.as_mut_ptr().cast() };
    let mut message = libc::ifreq { ifr_name: name, ifr_ifru: data };
    // SAFETY: the descriptor is open. The kernel reads `message`, which lives until the call
    // returns, and writes the answer where `ifru_data` points: to `request`, which this function
    // borrows alone and whose maker gave it the size of the command's structure, with as many
    // elements as the structure says itself, or (names of features) more than the kernel has.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), SIOCETHTOOL, &raw mut message) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// The text at a place, up to its zero byte.
fn text(bytes: &[u8], start: usize) -> String {
    let field = bytes.get(start..start + NAME_BYTES).unwrap_or_default();
    let end = field.iter().position(|byte| *byte == 0).unwrap_or(field.len());
    String::from_utf8_lossy(field.get(..end).unwrap_or_default()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_where_the_kernel_writes_them() {
        let answer = |request: &mut [u32]| {
            match request[0] {
                ETHTOOL_GCHANNELS => request.copy_from_slice(&[0, 2, 2, 1, 8, 1, 1, 1, 4]),
                ETHTOOL_GSSET_INFO => {
                    assert_eq!(bytemuck::cast::<_, u64>([request[2], request[3]]), 1 << 4);
                    request[4] = 34;
                }
                ETHTOOL_GSTRINGS => {
                    assert_eq!(request[1], ETH_SS_FEATURES);
                    let bytes: &mut [u8] = bytemuck::cast_slice_mut(request);
                    bytes[12..18].copy_from_slice(b"rx-lro");
                    bytes[12 + 33 * 32..12 + 33 * 32 + 9].copy_from_slice(b"rx-gro-hw");
                }
                // Active: the first feature, and the second one of the second block.
                ETHTOOL_GFEATURES => request[2..].copy_from_slice(&[9, 9, 1, 9, 9, 9, 2, 9]),
                ETHTOOL_GRXFHINDIR if request[1] == 0 => request[1] = 3,
                ETHTOOL_GRXFHINDIR => request[2..].copy_from_slice(&[0, 1, 0]),
                other => panic!("{other:#x}"),
            }
            Ok(())
        };
        assert_eq!(channels(&answer), Some(Queues { used: 5, max: 10, combined: true }));
        let features = features(&answer).unwrap();
        assert_eq!(features.len(), 2);
        assert!(features["rx-lro"] && features["rx-gro-hw"]);
        assert_eq!(indirection(&answer).unwrap(), [0, 1, 0]);
    }

    #[test]
    fn counters_of_a_driver_are_read_with_their_names() {
        let answer = |request: &mut [u32]| {
            match request[0] {
                ETHTOOL_GSSET_INFO => {
                    assert_eq!(bytemuck::cast::<_, u64>([request[2], request[3]]), 1 << 1);
                    request[4] = 2;
                }
                ETHTOOL_GSTRINGS => {
                    let bytes: &mut [u8] = bytemuck::cast_slice_mut(request);
                    bytes[12..14].copy_from_slice(b"rx");
                    bytes[44..46].copy_from_slice(b"tx");
                }
                _ => request[2..6].copy_from_slice(&[7, 0, 9, 1]),
            }
            Ok(())
        };
        let all = statistics(&answer).unwrap();
        assert_eq!(all, [("rx".to_owned(), 7), ("tx".to_owned(), (1 << 32) + 9)].into());
    }

    #[test]
    fn loopback_has_features() {
        let driver = Driver::read("lo").unwrap();
        assert_eq!(driver.features.get("rx-lro"), Some(&false));
        assert!(Driver::read("no-such-if").unwrap().features.is_empty());
    }
}
