//! What the data path would do with a packet: a second instance of the program, on the same maps,
//! loaded so that it writes none of them, is run on one frame.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use aya::{
    maps::{Array, Map, MapData, MapError, MapInfo},
    programs::{TestRun as _, TestRunOptions},
};
use bytemuck::Zeroable as _;
use etherparse::PacketBuilder;
use lb_common::{Be16, Binding, Pool, abi::map, abi::program::Instance, explain::Explanation};

use lb_config::Protocol;
use thiserror::Error;

use super::{
    Balancer, KernelStore, LoadError, MapSizes, StoreError, bindings::BindingMaps, map_migration,
};

/// Room for the frame that comes out.
const FRAME_BYTES_MAX: usize = 512;

/// MAC addresses of the test frame: locally administered, of no host.
const FROM_MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];
const TO_MAC: [u8; 6] = [2, 0, 0, 0, 0, 2];

/// The start of an Initial packet of QUIC version 1 (RFC 9000, section 17.2.2).
const QUIC_INITIAL: [u8; 6] = [0xc0, 0, 0, 0, 1, 0];

/// The start of a 1-RTT packet (section 17.3).
const QUIC_SHORT: [u8; 6] = [0x40, 0, 0, 0, 0, 0];

/// Errors of a dry run.
#[derive(Debug, Error)]
pub enum ExplainError {
    /// The two ends do not belong together.
    #[error("{from} and {to} are of different families")]
    Families {
        /// One end.
        from: IpAddr,
        /// The other one.
        to: IpAddr,
    },
    /// No packet has such an end.
    #[error("{end} is no {role} of a packet: {why}")]
    NoEnd {
        /// The end.
        end: SocketAddr,
        /// `source` or `destination`.
        role: &'static str,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The packet cannot be built.
    #[error("cannot build a packet: {0}")]
    Frame(String),
    /// The maps.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The second instance cannot be loaded.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// It cannot be run.
    #[error("cannot run the program on a test packet")]
    Run(#[source] Box<aya::programs::ProgramError>),
    /// What it noted cannot be read.
    #[error("cannot read the program's notes on the test packet")]
    Noted(#[source] MapError),
}

/// What a packet would become.
#[derive(Clone, Debug)]
pub struct Explained {
    /// The XDP action.
    pub action: u32,
    /// What the program noted.
    pub noted: Explanation,
    /// The binding that it noted.
    pub binding: Option<Binding>,
    /// The frame as it would leave.
    pub frame: Vec<u8>,
}

/// The data path whose maps are pinned in one folder.
#[derive(Clone)]
pub struct Explainer {
    folder: PathBuf,
    /// The second instance once it has been needed, since loading it takes a core for a moment. Held
    /// during a run: that instance has one place for its second program.
    loaded: Arc<Mutex<Option<Loaded>>>,
}

/// A second instance, on the maps that were pinned when it was loaded.
struct Loaded {
    maps: [u32; 3],
    balancer: Balancer,
}

impl fmt::Debug for Explainer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Explainer").field("folder", &self.folder).finish_non_exhaustive()
    }
}

impl Explainer {
    /// The maps pinned in this folder.
    #[must_use]
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_path_buf(), loaded: Arc::default() }
    }

    /// Runs the program on a packet from one end to the other. The first time, and after the maps were
    /// replaced, that takes as long as loading it does.
    pub fn explain(
        &self,
        from: SocketAddr,
        to: SocketAddr,
        protocol: Protocol,
        established: bool,
    ) -> Result<Explained, ExplainError> {
        check_end(from, "source")?;
        check_end(to, "destination")?;
        let frame = frame(from, to, protocol, established)?;
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = map_migration::written(&self.folder);
        let maps = identity(&folder)?;
        // After an error the instance is not used again.
        let Loaded { mut balancer, .. } = match loaded.take().filter(|known| known.maps == maps) {
            Some(known) => known,
            None => Loaded { maps, balancer: open(&folder)? },
        };
        clear(&mut balancer)?;
        let mut out = vec![0; FRAME_BYTES_MAX];
        let result = balancer
            .load()?
            .test_run(TestRunOptions {
                data_in: Some(&frame),
                data_out: Some(&mut out),
                ..TestRunOptions::default()
            })
            .map_err(|error| ExplainError::Run(Box::new(error)))?;
        out.truncate(usize::try_from(result.data_size_out).unwrap_or(FRAME_BYTES_MAX));
        let missing = || MapError::InvalidName { name: map::EXPLANATION.to_owned() };
        let noted = balancer
            .ebpf()
            .map(map::EXPLANATION)
            .ok_or_else(missing)
            .and_then(Array::<_, Explanation>::try_from)
            .and_then(|array| array.get(&0, 0))
            .map_err(ExplainError::Noted)?;
        let binding = binding(&folder, &noted)?;
        *loaded = Some(Loaded { maps, balancer });
        Ok(Explained { action: result.return_value, noted, binding, frame: out })
    }
}

/// Refuses what no packet of a connection has: the data path would say something about it that is of
/// no use.
fn check_end(end: SocketAddr, role: &'static str) -> Result<(), ExplainError> {
    let address = end.ip();
    let why = if address.is_unspecified() {
        "name the address of a host"
    } else if address.is_multicast() || address == IpAddr::V4(Ipv4Addr::BROADCAST) {
        "name the address of one host, not of several"
    } else if end.port() == 0 {
        "name a port from 1 to 65535"
    } else {
        return Ok(());
    };
    Err(ExplainError::NoEnd { end, role, why })
}

/// What tells pinned maps from those that replace them: another layout has another `META`, another
/// size another `MEMORY` or `BINDINGS`.
fn identity(folder: &Path) -> Result<[u32; 3], StoreError> {
    let id = |map: &'static str| {
        let info = MapInfo::from_pin(folder.join(map));
        info.map(|info| info.id()).map_err(|source| StoreError::Map { action: "open", map, source })
    };
    Ok([id(map::META)?, id(map::MEMORY)?, id(map::BINDINGS)?])
}

fn open(folder: &Path) -> Result<Balancer, ExplainError> {
    let seed = KernelStore::open(folder)?.meta()?.hash_seed;
    let sizes = MapSizes::of(folder).map_err(|source| StoreError::Map {
        action: "open",
        map: map::MEMORY,
        source,
    })?;
    Ok(Balancer::open(folder, seed, sizes, Instance::DryRun)?)
}

/// Forgets what the last run noted.
fn clear(balancer: &mut Balancer) -> Result<(), ExplainError> {
    let missing = || MapError::InvalidName { name: map::EXPLANATION.to_owned() };
    balancer
        .ebpf()
        .map_mut(map::EXPLANATION)
        .ok_or_else(missing)
        .and_then(Array::<&mut MapData, Explanation>::try_from)
        .and_then(|mut array| array.set(0, Explanation::zeroed(), 0))
        .map_err(ExplainError::Noted)
}

fn binding(folder: &Path, noted: &Explanation) -> Result<Option<Binding>, ExplainError> {
    if noted.noted & (Explanation::BOUND | Explanation::NEW_BINDING) == 0 {
        return Ok(None);
    }
    if noted.noted & Explanation::NEW_BINDING != 0 {
        return new_binding(folder, noted.binding).map(Some);
    }
    let data = MapData::from_pin(folder.join(map::BINDINGS)).map_err(ExplainError::Noted)?;
    let array: Array<MapData, Binding> =
        Map::from_map_data(data).and_then(Array::try_from).map_err(ExplainError::Noted)?;
    array.get(&noted.binding, 0).map(Some).map_err(ExplainError::Noted)
}

/// What the binding would say of the target's side; see [`Explanation::binding`].
fn new_binding(folder: &Path, noted: u32) -> Result<Binding, ExplainError> {
    let place = noted >> 16;
    let is_its =
        |(number, _): &(u8, Pool)| u32::from(*number) == place && noted != Explanation::CLIENT;
    let pool = BindingMaps::open(folder)?.read().find(is_its);
    Ok(pool.map_or(Binding::EMPTY, |(_, pool)| Binding {
        local: pool.address,
        local_port: Be16::new((noted & 0xffff) as u16),
        family: pool.family,
        ..Binding::EMPTY
    }))
}

/// The first packet of a flow, or one of a flow that is established.
fn frame(
    from: SocketAddr,
    to: SocketAddr,
    protocol: Protocol,
    established: bool,
) -> Result<Vec<u8>, ExplainError> {
    let link = PacketBuilder::ethernet2(FROM_MAC, TO_MAC);
    let ip = match (from.ip(), to.ip()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => link.ipv4(from.octets(), to.octets(), 64),
        (IpAddr::V6(from), IpAddr::V6(to)) => link.ipv6(from.octets(), to.octets(), 64),
        (from, to) => return Err(ExplainError::Families { from, to }),
    };
    let mut frame = Vec::new();
    let written = match protocol {
        Protocol::Tcp => {
            let segment = ip.tcp(from.port(), to.port(), 1, 64_240);
            let segment = if established { segment.ack(1) } else { segment.syn() };
            segment.write(&mut frame, &[])
        }
        Protocol::Udp => ip.udp(from.port(), to.port()).write(&mut frame, &[]),
        Protocol::Quic => {
            let payload = if established { QUIC_SHORT } else { QUIC_INITIAL };
            ip.udp(from.port(), to.port()).write(&mut frame, &payload)
        }
    };
    written.map_err(|error| ExplainError::Frame(error.to_string()))?;
    Ok(frame)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_that_no_packet_has_are_refused() {
        for (end, says) in [
            ("0.0.0.0:0", "0.0.0.0:0 is no source of a packet: name the address of a host"),
            ("[::]:80", "[::]:80 is no source of a packet: name the address of a host"),
            (
                "224.0.0.1:80",
                "224.0.0.1:80 is no source of a packet: name the address of one host, \
                              not of several",
            ),
            ("10.0.0.1:0", "10.0.0.1:0 is no source of a packet: name a port from 1 to 65535"),
        ] {
            let refused = check_end(end.parse().unwrap(), "source").unwrap_err();
            assert_eq!(refused.to_string(), says);
        }
        assert!(check_end("10.0.0.1:80".parse().unwrap(), "source").is_ok());
    }
}
