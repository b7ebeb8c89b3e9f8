//! The target side: loads the decapsulator, keeps the addresses that it knows current, and says what
//! it has refused.

use std::{
    collections::BTreeSet,
    io,
    net::IpAddr,
    os::fd::{AsFd as _, BorrowedFd, OwnedFd, RawFd},
    time::Duration,
};

use aya::{
    Ebpf, EbpfLoader,
    maps::{HashMap, LpmTrie, Map, MapData, MapError, lpm_trie::Key},
    programs::Xdp,
};
use ipnet::IpNet;
use lb_common::{
    Address, Counter, DropReason, Family, VipKey, WideKey,
    abi::{map, program},
    settings,
};
use lb_netlink::local_prefixes;
use thiserror::Error;

use super::{
    Attached, DECAP_OBJECT, Facts, LoadError, XdpMode,
    attach::{attach_by, explain, interface_index},
    attach_error::AttachError,
    load_program::load_program,
    target_addresses::{self, TargetAddresses},
    xdp_link,
};

/// How often the host's addresses are read, in addition to notifications of the kernel.
pub const REFRESH_INTERVAL: Duration = Duration::from_secs(1);

/// Errors of the decapsulator.
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
    /// Whether the user must correct the command.
    #[must_use]
    pub const fn is_usage(&self) -> bool {
        matches!(self, Self::Attach(AttachError::NoInterface { .. }))
    }
}

/// The link of a decapsulator before, which the service manager has kept: its program unwraps packets
/// until this one takes its place.
#[derive(Debug)]
pub struct KeptLink {
    link: OwnedFd,
    index: u32,
    native: bool,
}

/// The name of a link at the service manager begins with this.
const KEPT_PREFIX: &str = "xdp";

impl KeptLink {
    /// The descriptor with this number and name, as the service manager passed it; `None` when that is
    /// no link of a decapsulator. To be called once for each.
    #[must_use]
    pub fn passed(number: RawFd, name: &str) -> Option<Self> {
        let mut parts = name.split('-');
        let (prefix, index, mode) = (parts.next()?, parts.next()?, parts.next()?);
        let index = index.parse().ok().filter(|_| prefix == KEPT_PREFIX)?;
        let link = xdp_link::passed(number)?;
        Some(Self { link, index, native: mode == "native" })
    }
}

/// The attached decapsulator; dropping it detaches it, unless somebody else has its link, too.
#[derive(Debug)]
pub struct Decapsulator {
    ebpf: Ebpf,
    /// `None` while the program cannot be attached.
    link: Option<OwnedFd>,
    mode: XdpMode,
    attached: Attached,
    /// Every address of the host.
    own: HashMap<MapData, VipKey, u32>,
    /// VIPs that are single addresses, and those that are prefixes.
    vips: HashMap<MapData, VipKey, u32>,
    prefixes: LpmTrie<MapData, WideKey, u32>,
    /// What those hold.
    known: TargetAddresses,
    /// VIPs that are none of `lo`, and of no local route.
    named: Vec<IpNet>,
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
    /// Destinations of packets in tunnels, in addition to the addresses of `lo` and local routes.
    pub vips: Vec<IpNet>,
}

impl Decapsulator {
    /// Loads and attaches it. The program of a link that was kept is replaced when all is ready: no
    /// packet is lost.
    pub fn start(options: &DecapOptions, kept: Option<KeptLink>) -> Result<Self, DecapError> {
        let DecapOptions { interface, mode, gue_port, allowed, vips } = options;
        Facts::read().and_then(|facts| facts.check()).map_err(LoadError::from)?;
        interface_index(interface)?;
        let mut ebpf = EbpfLoader::new()
            .override_global(settings::GUE_PORT.name, gue_port, true)
            .override_global(settings::CHECK_SOURCES.name, &u32::from(!allowed.is_empty()), true)
            .load(DECAP_OBJECT)
            .map_err(|error| LoadError::Object(Box::new(error)))?;
        let own = take(&mut ebpf, map::ADDRESSES)?;
        let whole = take(&mut ebpf, map::DECAP_VIPS)?;
        let prefixes = take(&mut ebpf, map::DECAP_PREFIXES)?;
        let mut sources: LpmTrie<MapData, WideKey, u32> = take(&mut ebpf, map::SOURCES)?;
        for net in allowed {
            sources
                .insert(&prefix_key(net), 1, 0)
                .map_err(|source| DecapError::Map { map: map::SOURCES, source })?;
        }
        load_program(&mut ebpf, program::DECAP)?;
        let (known, named) = (TargetAddresses::default(), vips.clone());
        let mut started = Self {
            ebpf,
            link: None,
            mode: *mode,
            attached: Attached { name: interface.clone(), ..Attached::default() },
            own,
            vips: whole,
            prefixes,
            known,
            named,
        };
        started.refresh()?;
        if !kept.is_some_and(|kept| started.take_over(kept)) {
            started.attach()?;
        }
        Ok(started)
    }

    fn attach(&mut self) -> Result<(), DecapError> {
        let (name, mode) = (self.attached.name.clone(), self.mode);
        let index = interface_index(&name)?;
        let program: &Xdp = load_program(&mut self.ebpf, program::DECAP)?;
        let (attached, link) = attach_by(&name, index, mode, |native| {
            xdp_link::create(program, index, native).map_err(|error| explain(&name, native, error))
        })?;
        (self.attached, self.link) = (attached, Some(link));
        Ok(())
    }

    /// Puts this program in the place of that of another decapsulator; says whether that was possible.
    fn take_over(&mut self, kept: KeptLink) -> bool {
        let KeptLink { link, index, native } = kept;
        let name = self.attached.name.clone();
        let suits = match self.mode {
            XdpMode::Auto => true,
            XdpMode::Native => native,
            XdpMode::Generic => !native,
        };
        let Ok(program) = load_program(&mut self.ebpf, program::DECAP) else {
            return false;
        };
        let is_there = interface_index(&name).is_ok_and(|now| now == index);
        if !suits || !is_there || xdp_link::update(&link, program).is_err() {
            return false;
        }
        let reason = "taken over from the decapsulator before, without a lost packet".to_owned();
        self.attached = Attached { name, index, native, reason, ..Attached::default() };
        self.link = Some(link);
        true
    }

    /// The link, for the service manager to keep over a restart, and the name to keep it by.
    #[must_use]
    pub fn link(&self) -> Option<(String, BorrowedFd<'_>)> {
        let Attached { index, .. } = self.attached;
        let name = format!("{KEPT_PREFIX}-{index}-{}", self.attached.mode());
        self.link.as_ref().map(|link| (name, link.as_fd()))
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
        if self.link.as_ref().is_some_and(|link| xdp_link::update(link, program).is_ok()) {
            return Ok(false);
        }
        self.link = None;
        self.attach()?;
        Ok(true)
    }

    /// What packets in tunnels may be for.
    #[must_use]
    pub const fn vips(&self) -> &BTreeSet<IpNet> {
        &self.known.vips
    }

    /// Takes other VIPs in place of those that were named; [`Self::refresh`] makes them known.
    pub fn name_vips(&mut self, vips: Vec<IpNet>) {
        self.named = vips;
    }

    /// Makes the maps hold exactly the host's addresses and VIPs; whether they were others before.
    pub fn refresh(&mut self) -> Result<bool, DecapError> {
        let found = target_addresses::read().map_err(DecapError::Addresses)?;
        let mut named = local_prefixes().map_err(DecapError::Addresses)?;
        named.extend(&self.named);
        let wanted = target_addresses::sort(&found, &named);
        if wanted == self.known {
            return Ok(false);
        }
        let own = wanted.own.iter().map(|address| vip_key(*address)).collect();
        fill(&mut self.own, map::ADDRESSES, &own)?;
        let (whole, prefixes): (BTreeSet<IpNet>, BTreeSet<IpNet>) =
            wanted.vips.iter().partition(|net| net.prefix_len() == net.max_prefix_len());
        let whole = whole.iter().map(|net| vip_key(net.addr())).collect();
        fill(&mut self.vips, map::DECAP_VIPS, &whole)?;
        self.fill_prefixes(&prefixes)?;
        self.known = wanted;
        Ok(true)
    }

    fn fill_prefixes(&mut self, wanted: &BTreeSet<IpNet>) -> Result<(), DecapError> {
        let failed = |source| DecapError::Map { map: map::DECAP_PREFIXES, source };
        for net in wanted {
            self.prefixes.insert(&prefix_key(net), 1, 0).map_err(failed)?;
        }
        let wanted: BTreeSet<_> = wanted.iter().map(|net| bits(&prefix_key(net))).collect();
        let present: Vec<_> = self.prefixes.keys().collect::<Result<_, _>>().map_err(failed)?;
        for key in present.iter().filter(|key| !wanted.contains(&bits(key))) {
            self.prefixes.remove(key).map_err(failed)?;
        }
        Ok(())
    }

    /// What it has refused or dropped, by name.
    pub fn refused(&self) -> Result<Vec<(&'static str, u64)>, DecapError> {
        let mut counters = self.counters()?;
        counters.retain(|(name, _)| DropReason::ALL.iter().any(|reason| reason.name() == *name));
        Ok(counters)
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

/// Makes a table hold exactly these keys.
fn fill(
    table: &mut HashMap<MapData, VipKey, u32>,
    map: &'static str,
    wanted: &BTreeSet<VipKey>,
) -> Result<(), DecapError> {
    let failed = |source| DecapError::Map { map, source };
    let present: BTreeSet<VipKey> = table.keys().collect::<Result<_, _>>().map_err(failed)?;
    for key in wanted.difference(&present) {
        table.insert(key, 1, 0).map_err(failed)?;
    }
    for key in present.difference(wanted) {
        table.remove(key).map_err(failed)?;
    }
    Ok(())
}

fn vip_key(address: IpAddr) -> VipKey {
    VipKey::new(Family::from(&address), Address::from(address))
}

/// A key of a trie as a value that can be compared.
fn bits(key: &Key<WideKey>) -> (u32, WideKey) {
    (key.prefix_len(), key.data())
}

fn prefix_key(net: &IpNet) -> Key<WideKey> {
    let address = net.network();
    let length = WideKey::FAMILY_BITS + u32::from(net.prefix_len());
    Key::new(length, WideKey::new(Family::from(&address), address.into()))
}
