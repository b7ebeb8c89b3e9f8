//! The pinned maps of a previous agent: whether this one can use them.

use lb_common::abi::{ABI, Head};

use super::{
    KernelStore, MapSizes, map_header,
    pins::{PinError, PinFolder},
};

type Seed = [u64; 2];

/// What was found; the seed of its flow hash, where it could be read.
#[derive(Clone, Copy, Debug)]
pub(super) enum PreviousMaps {
    /// Nothing that forwards; what was left of it is removed.
    None(Option<Seed>),
    /// Maps of this layout.
    Ours(Seed),
    /// The same, but of these other sizes than those that are wanted.
    OtherSizes(Seed, MapSizes),
    /// A program that forwards with maps that this version cannot use.
    Running(Option<Seed>),
}

impl PreviousMaps {
    /// Looks, and removes what is of no use to anybody.
    pub(super) fn find(pins: &PinFolder, wanted: MapSizes) -> Result<Self, PinError> {
        let folder = pins.path().display();
        let (maps, links) = (pins.has_maps()?, !pins.links()?.is_empty());
        // Maps with the number 0 were never finished.
        let head = map_header::read(pins.path()).filter(|head| head.abi != 0);
        let seed = head.map(|head| head.hash_seed);
        match head {
            Some(Head { abi: ABI, hash_seed }) => match KernelStore::open(pins.path()) {
                Ok(_) => match MapSizes::of(pins.path()) {
                    Ok(sizes) if sizes != wanted => {
                        let [found, asked] = [sizes, wanted].map(MapSizes::flows);
                        let [bindings_found, bindings_asked] =
                            [sizes, wanted].map(MapSizes::bindings);
                        tracing::info!(
                            %folder, found, asked, bindings_found, bindings_asked,
                            "the flow memory or the bindings have another size"
                        );
                        return Ok(Self::OtherSizes(hash_seed, sizes));
                    }
                    // One that is missing is made.
                    _ => return Ok(Self::Ours(hash_seed)),
                },
                Err(error) => tracing::warn!(%folder, %error, "the maps are not complete"),
            },
            Some(Head { abi, .. }) => {
                tracing::info!(%folder, found = abi, own = ABI, "the maps have another layout");
            }
            None if maps => {
                tracing::warn!(%folder, "found maps of an agent that did not complete its first \
                                         start");
            }
            None if links => tracing::warn!(%folder, "found links without maps"),
            None => return Ok(Self::None(None)),
        }
        if links {
            tracing::info!(%folder, "building new maps while the old ones forward");
            return Ok(Self::Running(seed));
        }
        tracing::warn!(%folder, "removing these maps: no program uses them");
        pins.clear()?;
        Ok(Self::None(seed))
    }

    pub(super) const fn hash_seed(&self) -> Option<Seed> {
        match self {
            Self::None(seed) | Self::Running(seed) => *seed,
            Self::Ours(seed) | Self::OtherSizes(seed, _) => Some(*seed),
        }
    }
}
