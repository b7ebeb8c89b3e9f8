//! Loading the balancer: fresh, or on the maps that an agent before left pinned.

use std::path::{Path, PathBuf};

use aya::Ebpf;
use lb_common::abi::{
    ABI, Meta,
    program::{self, Instance},
};

use super::{
    Attached, Facts, KernelStore, MapSizes, XdpMode,
    attach::interface_index,
    interfaces::{attach_exactly, expected},
    known_interfaces::attachments_from_pins,
    links::pinned,
    load_error::LoadError,
    load_program::load_program,
    map_migration,
    pin_recovery::detach,
    pins::PinFolder,
    previous_maps::PreviousMaps,
    resize::{self, Resize},
    tail_call::Balancer,
};

/// How to load.
#[derive(Clone, Debug)]
pub struct LoadOptions {
    /// Where maps and links are pinned.
    pub bpffs: PathBuf,
    /// Interfaces to attach to. Those that do not exist are waited for: see [`DataPath::restore`].
    pub interfaces: Vec<String>,
    /// How.
    pub mode: XdpMode,
    /// How large to make the maps whose size can be chosen.
    pub sizes: MapSizes,
    /// Seed of the flow hash; `None` keeps that of the pinned maps, or uses the previous one.
    pub hash_seed: Option<[u64; 2]>,
    /// The seed when there are no pinned maps, as after a reboot; `None` draws one.
    pub former_seed: Option<[u64; 2]>,
}

/// The loaded balancer. Dropping it leaves the data path running: maps and links are pinned.
#[derive(Debug)]
pub struct DataPath {
    pub(super) balancer: Balancer,
    pub(super) pins: PinFolder,
    pub(super) mode: XdpMode,
    hash_seed: [u64; 2],
    pub(super) attached: Vec<Attached>,
    pub(super) maps: Maps,
    /// Why maps and links cannot be pinned; empty while they are.
    pub(super) pins_fault: String,
}

/// Where the maps come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Maps {
    /// They are those that an agent before has filled.
    Found,
    /// They are new, and the program runs on them.
    New,
    /// They are new; maps of another layout forward until [`DataPath::switch`].
    Migrating,
}

impl DataPath {
    /// Loads the balancer, on the pinned maps if there are any, and attaches it. A program that
    /// forwards with maps that this version cannot use continues to do so: see
    /// [`DataPath::switch`]. Maps of other sizes are replaced, and what they hold is kept.
    pub fn load(options: &LoadOptions) -> Result<(Self, KernelStore), LoadError> {
        Facts::read()?.check_balancer()?;
        let pins = PinFolder::open(&options.bpffs)?;
        let previous = PreviousMaps::find(&pins, options.sizes)?;
        let hash_seed = match (options.hash_seed, previous.hash_seed()) {
            (Some(seed), Some(previous)) if seed != previous => {
                tracing::warn!("hash_seed has changed: flows move to other targets once");
                seed
            }
            (Some(seed), _) | (None, Some(seed)) => seed,
            (None, None) if options.former_seed.is_some() => {
                options.former_seed.unwrap_or_default()
            }
            (None, None) => random_seed().map_err(LoadError::Seed)?,
        };
        match previous {
            PreviousMaps::Ours(_) => Self::load_on(pins, hash_seed, options, Maps::Found),
            PreviousMaps::OtherSizes(_, sizes) => {
                Self::load_resized(pins, hash_seed, options, sizes)
            }
            PreviousMaps::Running(_) => Self::load_migrating(pins, hash_seed, options),
            PreviousMaps::None(_) => {
                let loaded = Self::load_on(pins, hash_seed, options, Maps::New);
                if loaded.is_err() {
                    detach(&options.bpffs)?;
                }
                loaded
            }
        }
    }

    const fn new(
        balancer: Balancer,
        pins: PinFolder,
        options: &LoadOptions,
        hash_seed: [u64; 2],
        attached: Vec<Attached>,
        maps: Maps,
    ) -> Self {
        let mode = options.mode;
        Self { balancer, pins, mode, hash_seed, attached, maps, pins_fault: String::new() }
    }

    fn load_on(
        pins: PinFolder,
        hash_seed: [u64; 2],
        options: &LoadOptions,
        maps: Maps,
    ) -> Result<(Self, KernelStore), LoadError> {
        let (balancer, store) = load_object(pins.path(), hash_seed, options.sizes)?;
        let known = attachments_from_pins(&pinned(&pins)?, &options.interfaces);
        let mut data_path = Self::new(balancer, pins, options, hash_seed, Vec::new(), maps);
        data_path.attach_now(&options.interfaces, &known)?;
        Ok((data_path, store))
    }

    fn load_migrating(
        pins: PinFolder,
        hash_seed: [u64; 2],
        options: &LoadOptions,
    ) -> Result<(Self, KernelStore), LoadError> {
        let folder = map_migration::begin(&pins)?;
        let loaded = load_object(&folder, hash_seed, options.sizes)
            .and_then(|loaded| Ok((loaded, expected(&pins, &options.interfaces, options.mode)?)));
        match loaded {
            Ok(((balancer, store), attached)) => Ok((
                Self::new(balancer, pins, options, hash_seed, attached, Maps::Migrating),
                store,
            )),
            Err(error) => {
                map_migration::give_up(&pins)?;
                Err(error)
            }
        }
    }

    /// Puts maps of these sizes in the place of others, before anything else changes.
    fn load_resized(
        mut pins: PinFolder,
        hash_seed: [u64; 2],
        options: &LoadOptions,
        previous: MapSizes,
    ) -> Result<(Self, KernelStore), LoadError> {
        let folder = map_migration::begin(&pins)?;
        match Self::resize(&pins, &folder, hash_seed, options, previous) {
            Ok((balancer, store, attached)) => {
                pins.release_former_maps();
                Ok((Self::new(balancer, pins, options, hash_seed, attached, Maps::Found), store))
            }
            Err(error) => {
                map_migration::give_up(&pins)?;
                Err(error)
            }
        }
    }

    fn resize(
        pins: &PinFolder,
        folder: &Path,
        hash_seed: [u64; 2],
        options: &LoadOptions,
        previous: MapSizes,
    ) -> Result<(Balancer, KernelStore, Vec<Attached>), LoadError> {
        let sizes = [previous, options.sizes];
        resize::share(pins, folder, sizes)?;
        let mut balancer = Balancer::open(folder, hash_seed, options.sizes, Instance::Live)?;
        let mut store = KernelStore::open(folder)?;
        // Loaded before, so that little time passes between the copy and the switch.
        for name in [program::TRANSLATE, program::REST, program::BALANCE] {
            load_program(balancer.ebpf(), name)?;
        }
        let resize = Resize::begin(pins, folder, sizes, hash_seed)?;
        store.set_meta(Meta { abi: ABI, hash_seed, ..Meta::default() })?;
        let known = attachments_from_pins(&pinned(pins)?, &options.interfaces);
        let attached =
            attach_exactly(balancer.load()?, pins, &options.interfaces, options.mode, &known)?;
        warn_of(&attached);
        resize.finish(pins)?;
        Ok((balancer, store, attached))
    }

    /// Where its maps come from.
    #[must_use]
    pub const fn maps(&self) -> Maps {
        self.maps
    }

    /// Switches the links to the filled maps, each atomically, and removes the old maps. After an
    /// error trying again is safe.
    pub fn switch(&mut self) -> Result<(), LoadError> {
        let names: Vec<String> = self.attached.iter().map(|one| one.name.clone()).collect();
        let known = attachments_from_pins(&pinned(&self.pins)?, &names);
        self.attach_now(&names, &known)?;
        map_migration::finish(&self.pins)?;
        self.maps = Maps::New;
        Ok(())
    }

    /// Whether the program could run on these interfaces, as far as it is known without an attempt.
    /// One that it is attached to already may be gone for now.
    pub fn check(&self, interfaces: &[String]) -> Result<(), LoadError> {
        let new = |name: &&String| !self.attached.iter().any(|one| one.name == **name);
        let new: Vec<String> = interfaces.iter().filter(new).cloned().collect();
        interfaces_exist(&new)
    }

    /// Makes the program run on exactly these interfaces; before [`DataPath::switch`] that is put
    /// off until then.
    pub fn attach(&mut self, interfaces: &[String]) -> Result<(), LoadError> {
        if self.maps == Maps::Migrating {
            self.attached = expected(&self.pins, interfaces, self.mode)?;
            return Ok(());
        }
        let known = self.attached.clone();
        self.attach_now(interfaces, &known)
    }

    fn attach_now(&mut self, interfaces: &[String], known: &[Attached]) -> Result<(), LoadError> {
        let Self { balancer, pins, mode, .. } = self;
        self.attached = attach_exactly(balancer.load()?, pins, interfaces, *mode, known)?;
        pins.release_former_maps();
        warn_of(&self.attached);
        Ok(())
    }

    /// Where it is attached.
    #[must_use]
    pub fn attached(&self) -> &[Attached] {
        &self.attached
    }

    /// Seed of the flow hash.
    #[must_use]
    pub const fn hash_seed(&self) -> [u64; 2] {
        self.hash_seed
    }

    /// The loaded object, for its log.
    pub const fn ebpf(&mut self) -> &mut Ebpf {
        self.balancer.ebpf()
    }
}

fn warn_of(attached: &[Attached]) {
    for Attached { name, fault, .. } in attached.iter().filter(|one| !one.fault.is_empty()) {
        tracing::warn!(
            interface = name,
            reason = fault,
            "the program is NOT attached to this interface; the agent tries again until it is"
        );
    }
    for one in attached.iter().filter(|one| one.fault.is_empty() && !one.native) {
        tracing::warn!(
            interface = one.name,
            reason = one.reason,
            "XDP runs in GENERIC mode: every packet takes the slow path through the kernel"
        );
    }
}

/// Loads maps and program, and says whose they are.
pub(super) fn load_object(
    folder: &Path,
    hash_seed: [u64; 2],
    sizes: MapSizes,
) -> Result<(Balancer, KernelStore), LoadError> {
    let mut balancer = Balancer::open(folder, hash_seed, sizes, Instance::Live)?;
    let mut store = KernelStore::open(folder)?;
    store.set_meta(Meta { abi: ABI, hash_seed, ..Meta::default() })?;
    balancer.load()?;
    Ok((balancer, store))
}

/// Says which of these interfaces does not exist, if one does not.
pub fn interfaces_exist(interfaces: &[String]) -> Result<(), LoadError> {
    for name in interfaces {
        interface_index(name)?;
    }
    Ok(())
}

fn random_seed() -> std::io::Result<[u64; 2]> {
    use std::io::Read as _;

    let mut bytes = [0; 16];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytemuck::cast(bytes))
}
