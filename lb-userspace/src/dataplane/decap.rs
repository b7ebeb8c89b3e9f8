//! The target side: loads the decapsulator and keeps its addresses current.

use std::{collections::BTreeSet, io, net::IpAddr, time::Duration};

use aya::{
    Ebpf, EbpfLoader,
    maps::{HashMap, LpmTrie, Map, MapData, MapError, lpm_trie::Key},
    programs::links::FdLink,
};
use ipnet::IpNet;
use lb_common::{
    Address, Counter, DropReason, Family, VipKey, WideKey,
    abi::{map, program},
    settings,
};
use thiserror::Error;

use super::{
    Attached, DECAP_OBJECT, Facts, LoadError, XdpMode,
    attach::{AttachError, attach, interface_index, replace},
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

impl DecapError {
    /// Whether the user must change what he asked for.
    #[must_use]
    pub const fn is_usage(&self) -> bool {
        matches!(self, Self::Attach(AttachError::NoInterface { .. }))
    }
}

/// The attached decapsulator; dropping it detaches it.
#[derive(Debug)]
pub struct Decapsulator {
    ebpf: Ebpf,
    /// `None` while the program cannot be attached.
    link: Option<FdLink>,
    mode: XdpMode,
    attached: Attached,
    addresses: HashMap<MapData, VipKey, u32>,
}

/// What is unwrapped.
#[derive(Clone, Debug)]
pub struct DecapOptions {
    /// Interface that tunnel packets arrive at.
    pub interface: String,
    /// How the program is attached.
    pub mode: XdpMode,
    /// UDP port of GUE.
    pub gue_port: u16,
    /// Who may send tunnel packets; anybody when it is empty.
    pub allowed: Vec<IpNet>,
}

impl Decapsulator {
    /// Loads and attaches it.
    pub fn start(options: &DecapOptions) -> Result<Self, DecapError> {
        let DecapOptions { interface, mode, gue_port, allowed } = options;
        Facts::read().and_then(|facts| facts.check()).map_err(LoadError::from)?;
        interface_index(interface)?;
        let mut ebpf = EbpfLoader::new()
            .override_global(settings::GUE_PORT.name, gue_port, true)
            .override_global(settings::CHECK_SOURCES.name, &u32::from(!allowed.is_empty()), true)
            .load(DECAP_OBJECT)
            .map_err(|error| LoadError::Object(Box::new(error)))?;
        let addresses = take(&mut ebpf, map::ADDRESSES)?;
        let mut sources: LpmTrie<MapData, WideKey, u32> = take(&mut ebpf, map::SOURCES)?;
        for net in allowed {
            sources
                .insert(&source_key(net), 1, 0)
                .map_err(|source| DecapError::Map { map: map::SOURCES, source })?;
        }
        let (attached, link) = {
            let program = load_program(&mut ebpf, program::DECAP)?;
            attach(program, interface, *mode)?
        };
        let (link, mode) = (Some(link), *mode);
        let mut started = Self { ebpf, link, mode, attached, addresses };
        started.refresh()?;
        Ok(started)
    }

    /// Where it is attached.
    #[must_use]
    pub const fn attached(&self) -> &Attached {
        &self.attached
    }

    /// Attaches the program again when it is gone, as after its interface was removed and made again.
    /// Says whether that was needed.
    pub fn restore(&mut self) -> Result<bool, DecapError> {
        let program = load_program(&mut self.ebpf, program::DECAP)?;
        if let Some(Ok(link)) = self.link.take().map(|link| replace(program, link)) {
            self.link = Some(link);
            return Ok(false);
        }
        let name = &self.attached.name;
        let (attached, link) = attach(program, name, self.mode)?;
        self.link = Some(link);
        self.attached = attached;
        Ok(true)
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

/// A map of the object.
fn take<M: TryFrom<Map, Error = MapError>>(
    ebpf: &mut Ebpf,
    map: &'static str,
) -> Result<M, DecapError> {
    ebpf.take_map(map)
        .ok_or_else(|| MapError::InvalidName { name: map.to_owned() })
        .and_then(M::try_from)
        .map_err(|source| DecapError::Map { map, source })
}

fn source_key(net: &IpNet) -> Key<WideKey> {
    let address = net.network();
    let length = WideKey::FAMILY_BITS + u32::from(net.prefix_len());
    Key::new(length, WideKey::new(Family::from(&address), address.into()))
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
