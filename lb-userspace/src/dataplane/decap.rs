//! The target side: loads the decapsulator and keeps its addresses current.

use std::{collections::BTreeSet, io, net::IpAddr, time::Duration};

use aya::{
    Ebpf, EbpfLoader,
    maps::{HashMap, Map, MapData, MapError},
    programs::links::FdLink,
};
use lb_common::{
    Address, Counter, DropReason, Family, VipKey,
    abi::{map, program},
};
use thiserror::Error;

use super::{
    Attached, DECAP_OBJECT, Facts, LoadError, XdpMode,
    attach::{AttachError, attach},
    load::load_program,
};

/// How often the host's addresses are looked at.
pub const REFRESH_INTERVAL: Duration = Duration::from_secs(1);

/// What goes wrong.
#[derive(Debug, Error)]
pub enum DecapError {
    /// Loading.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// Attaching.
    #[error(transparent)]
    Attach(#[from] AttachError),
    /// The map of addresses.
    #[error("cannot use the map {map}")]
    Map {
        /// Its name.
        map: &'static str,
        /// Why not.
        #[source]
        source: MapError,
    },
    /// The host's addresses cannot be read.
    #[error("cannot read this host's addresses: {0}")]
    Addresses(io::Error),
}

/// The attached decapsulator; dropping it detaches it.
#[derive(Debug)]
pub struct Decapsulator {
    ebpf: Ebpf,
    _link: FdLink,
    attached: Attached,
    addresses: HashMap<MapData, VipKey, u32>,
}

impl Decapsulator {
    /// Loads and attaches it.
    pub fn start(interface: &str, mode: XdpMode) -> Result<Self, DecapError> {
        Facts::read().and_then(|facts| facts.check()).map_err(LoadError::from)?;
        super::attach::interface_index(interface)?;
        let mut ebpf = EbpfLoader::new()
            .load(DECAP_OBJECT)
            .map_err(|error| LoadError::Object(Box::new(error)))?;
        let missing = || MapError::InvalidName { name: map::ADDRESSES.to_owned() };
        let addresses = ebpf
            .take_map(map::ADDRESSES)
            .ok_or_else(missing)
            .and_then(HashMap::try_from)
            .map_err(|source| DecapError::Map { map: map::ADDRESSES, source })?;
        let (attached, link) = {
            let program = load_program(&mut ebpf, program::DECAP)?;
            attach(program, interface, mode)?
        };
        let mut started = Self { ebpf, _link: link, attached, addresses };
        started.refresh()?;
        Ok(started)
    }

    /// Where it is attached.
    #[must_use]
    pub const fn attached(&self) -> &Attached {
        &self.attached
    }

    /// Makes the map hold exactly the host's addresses.
    pub fn refresh(&mut self) -> Result<(), DecapError> {
        let wanted = local_addresses()?;
        let failed = |source| DecapError::Map { map: map::ADDRESSES, source };
        let present: BTreeSet<VipKey> =
            self.addresses.keys().collect::<Result<_, _>>().map_err(failed)?;
        for key in wanted.difference(&present) {
            self.addresses.insert(key, 1, 0).map_err(failed)?;
        }
        for key in present.difference(&wanted) {
            self.addresses.remove(key).map_err(failed)?;
        }
        Ok(())
    }

    /// What it has counted, by name; zeros left out.
    pub fn counters(&self) -> Result<Vec<(&'static str, u64)>, DecapError> {
        let failed = |source| DecapError::Map { map: map::COUNTERS, source };
        let missing = || MapError::InvalidName { name: map::COUNTERS.to_owned() };
        let map: &Map = self.ebpf.map(map::COUNTERS).ok_or_else(missing).map_err(failed)?;
        let array: aya::maps::PerCpuArray<&MapData, u64> = map.try_into().map_err(failed)?;
        let named = DropReason::ALL
            .iter()
            .map(|reason| (reason.name(), reason.index()))
            .chain(Counter::ALL.iter().map(|counter| (counter.name(), counter.index())));
        let mut counters = Vec::new();
        for (name, index) in named {
            let sum: u64 = array.get(&index, 0).map_err(failed)?.iter().sum();
            if sum > 0 {
                counters.push((name, sum));
            }
        }
        Ok(counters)
    }
}

fn local_addresses() -> Result<BTreeSet<VipKey>, DecapError> {
    let interfaces =
        nix::ifaddrs::getifaddrs().map_err(|error| DecapError::Addresses(error.into()))?;
    Ok(interfaces
        .filter_map(|interface| interface.address)
        .filter_map(|address| {
            let v4 = address.as_sockaddr_in().map(|v4| IpAddr::V4(v4.ip()));
            v4.or_else(|| address.as_sockaddr_in6().map(|v6| IpAddr::V6(v6.ip())))
        })
        .map(|address| VipKey::new(Family::from(&address), Address::from(address)))
        .collect())
}
