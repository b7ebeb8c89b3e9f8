//! Pinned links: which interface each belongs to, taking them over, and removing them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use aya::programs::{
    Xdp,
    links::{FdLink, PinnedLink},
    xdp::XdpLink,
};

use super::{
    Attached, XdpMode,
    attach_error::{AttachError, with_source},
    pins::{LINK_PREFIX, PinError, PinFolder},
};

/// Why a link of an agent before is in its mode.
pub(super) const fn taken_over(native: bool) -> &'static str {
    if native {
        "taken over from the agent before"
    } else {
        "taken over from the agent before, in this mode; to try native mode again, stop the agent, \
         run `xelb detach`, and start it again"
    }
}

/// The pinned link of an interface, as its file name tells it.
pub(super) struct LinkPin {
    pub(super) path: PathBuf,
    pub(super) index: u32,
    pub(super) native: bool,
}

pub(super) fn link_path(pins: &PinFolder, attached: &Attached) -> PathBuf {
    pins.path().join(format!("{LINK_PREFIX}{}_{}", attached.index, attached.mode()))
}

/// Those that are pinned.
pub(super) fn pinned(pins: &PinFolder) -> Result<Vec<LinkPin>, PinError> {
    Ok(pins.links()?.into_iter().filter_map(parse_pin).collect())
}

/// The kernel's number of the program of a pinned link; `None` for one that is dead or nothing of the
/// kind.
pub(super) fn linked_program(path: &Path) -> Option<u32> {
    let link = FdLink::from(PinnedLink::from_pin(path).ok()?);
    Some(link.info().ok()?.program_id())
}

fn parse_pin(path: PathBuf) -> Option<LinkPin> {
    let name = path.file_name()?.to_str()?.strip_prefix(LINK_PREFIX)?;
    let (index, mode) = name.split_once('_')?;
    Some(LinkPin { index: index.parse().ok()?, native: mode == "native", path })
}

/// Whether a pinned link may stay. With `auto`, any mode is kept: a new link would lose packets.
pub(super) const fn suits(mode: XdpMode, native: bool) -> bool {
    match mode {
        XdpMode::Auto => true,
        XdpMode::Native => native,
        XdpMode::Generic => !native,
    }
}

/// `None` when the link is dead, as after its interface was removed.
pub(super) fn take_over(program: &mut Xdp, name: &str, pin: &LinkPin) -> Option<Attached> {
    let replaced = PinnedLink::from_pin(&pin.path)
        .map_err(|error| error.to_string())
        .and_then(|pinned| replace(program, pinned.into()));
    match replaced {
        // The pin keeps the link; this process needs no descriptor of it.
        Ok(link) => {
            drop(link);
            Some(Attached {
                name: name.to_owned(),
                index: pin.index,
                native: pin.native,
                reason: taken_over(pin.native).to_owned(),
                ..Attached::default()
            })
        }
        Err(error) => {
            tracing::warn!(interface = name, error, "the pinned link is dead; attaching again");
            fs::remove_file(&pin.path).ok()?;
            None
        }
    }
}

/// Makes the program that of a link, which changes nothing where it is already; fails when the link
/// is dead.
pub(super) fn replace(program: &mut Xdp, link: FdLink) -> Result<FdLink, String> {
    XdpLink::try_from(link)
        .map_err(|error| error.to_string())
        .and_then(|link| program.attach_to_link(link).map_err(|error| with_source(&error)))
        .and_then(|id| program.take_link(id).map_err(|error| error.to_string()))
        .and_then(|link| FdLink::try_from(link).map_err(|error| error.to_string()))
}

pub(super) fn remove_pin(name: &str, pin: &LinkPin) -> Result<(), AttachError> {
    fs::remove_file(&pin.path)
        .map_err(|error| AttachError::Link { name: name.to_owned(), reason: error.to_string() })
}
