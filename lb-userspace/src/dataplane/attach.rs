//! Attaching the program to interfaces: native, generic, or what the driver allows; and taking
//! pinned links over.

use std::{fs, io, path::PathBuf, str::FromStr};

use aya::programs::{
    ProgramError, Xdp,
    links::{FdLink, LinkError, PinnedLink},
    xdp::{XdpLink, XdpMode as AyaMode},
};
use thiserror::Error;

use super::pins::{LINK_PREFIX, PinError, PinFolder};

/// How the program should be attached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum XdpMode {
    /// Native, else generic with a warning.
    #[default]
    Auto,
    /// In the driver, or not at all.
    Native,
    /// In the kernel's stack: works everywhere, slowly.
    Generic,
}

impl FromStr for XdpMode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "native" => Ok(Self::Native),
            "generic" => Ok(Self::Generic),
            other => Err(format!("{other} is not an XDP mode; use auto, native or generic")),
        }
    }
}

/// What goes wrong while attaching.
#[derive(Debug, Error)]
pub enum AttachError {
    /// There is no such interface.
    #[error("interface {name} does not exist; `ip link` lists those that do")]
    NoInterface {
        /// Its name.
        name: String,
    },
    /// Another program is attached there.
    #[error(
        "interface {name} already has an XDP program that is not this agent's; `ip link show {name}` \
         names it; remove it, or name another interface"
    )]
    Busy {
        /// Its name.
        name: String,
    },
    /// The driver has no native XDP.
    #[error(
        "interface {name} cannot run XDP in {mode} mode ({reason}); --xdp-mode auto falls back to \
         generic mode, which works everywhere and is slower"
    )]
    Unsupported {
        /// Its name.
        name: String,
        /// The mode that was asked for.
        mode: &'static str,
        /// What the kernel said.
        reason: String,
    },
    /// The kernel refused.
    #[error("cannot attach to interface {name}")]
    Program {
        /// Its name.
        name: String,
        /// Why not.
        #[source]
        source: ProgramError,
    },
    /// The link cannot be pinned, opened or removed.
    #[error("cannot keep the link of interface {name}: {reason}")]
    Link {
        /// Its name.
        name: String,
        /// Why not.
        reason: String,
    },
    /// The folder of pins failed.
    #[error(transparent)]
    Pins(#[from] PinError),
}

/// One interface that the program is attached to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attached {
    /// Its name.
    pub name: String,
    /// Its index.
    pub index: u32,
    /// Whether the driver runs the program.
    pub native: bool,
    /// Why in that mode.
    pub reason: String,
}

impl Attached {
    /// `native` or `generic`.
    #[must_use]
    pub const fn mode(&self) -> &'static str {
        mode_name(self.native)
    }
}

const fn mode_name(native: bool) -> &'static str {
    if native { "native" } else { "generic" }
}

/// Index of the interface with this name.
pub(super) fn interface_index(name: &str) -> Result<u32, AttachError> {
    nix::net::if_::if_nametoindex(name)
        .map_err(|_| AttachError::NoInterface { name: name.to_owned() })
}

/// Attaches to `name` and returns the link, unpinned.
pub(crate) fn attach(
    program: &mut Xdp,
    name: &str,
    mode: XdpMode,
) -> Result<(Attached, FdLink), AttachError> {
    let index = interface_index(name)?;
    let attached = |native, reason: &str| Attached {
        name: name.to_owned(),
        index,
        native,
        reason: reason.to_owned(),
    };
    let native_refused = match mode {
        XdpMode::Generic => None,
        XdpMode::Native | XdpMode::Auto => match create_link(program, name, index, true) {
            Ok(link) => return Ok((attached(true, "the driver runs XDP programs"), link)),
            Err(AttachError::Unsupported { reason, .. }) if mode == XdpMode::Auto => Some(reason),
            Err(error) => return Err(error),
        },
    };
    let link = create_link(program, name, index, false)?;
    let reason = native_refused.map_or_else(
        || "asked for with --xdp-mode generic".to_owned(),
        |reason| format!("the driver does not run XDP programs ({reason})"),
    );
    Ok((attached(false, &reason), link))
}

fn create_link(
    program: &mut Xdp,
    name: &str,
    index: u32,
    native: bool,
) -> Result<FdLink, AttachError> {
    let mode = if native { AyaMode::Driver } else { AyaMode::Skb };
    let fail = |source| explain(name, native, source);
    let id = program.attach_to_if_index(index, mode).map_err(fail)?;
    let link = program.take_link(id).map_err(fail)?;
    FdLink::try_from(link).map_err(|error| link_error(name, &error))
}

fn link_error(name: &str, error: &LinkError) -> AttachError {
    AttachError::Link { name: name.to_owned(), reason: error.to_string() }
}

/// Turns the kernel's number into what the operator can do about it.
fn explain(name: &str, native: bool, source: ProgramError) -> AttachError {
    let number = match &source {
        ProgramError::SyscallError(error) => error.io_error.raw_os_error(),
        _ => None,
    };
    let name = name.to_owned();
    match number {
        Some(libc::EBUSY | libc::EEXIST) => AttachError::Busy { name },
        Some(number @ (libc::EOPNOTSUPP | libc::EINVAL | libc::ERANGE)) => {
            let reason = io::Error::from_raw_os_error(number).to_string();
            AttachError::Unsupported { name, mode: mode_name(native), reason }
        }
        _ => AttachError::Program { name, source },
    }
}

/// The pinned link of an interface, as its file name tells it.
struct LinkPin {
    path: PathBuf,
    index: u32,
    native: bool,
}

fn link_path(pins: &PinFolder, attached: &Attached) -> PathBuf {
    pins.path().join(format!("{LINK_PREFIX}{}_{}", attached.index, attached.mode()))
}

fn parse_pin(path: PathBuf) -> Option<LinkPin> {
    let name = path.file_name()?.to_str()?.strip_prefix(LINK_PREFIX)?;
    let (index, mode) = name.split_once('_')?;
    Some(LinkPin { index: index.parse().ok()?, native: mode == "native", path })
}

/// Makes the program run on exactly these interfaces: takes pinned links over by replacing their
/// program at once, attaches where there is none, and removes those of other interfaces.
pub(super) fn attach_exactly(
    program: &mut Xdp,
    pins: &PinFolder,
    names: &[String],
    mode: XdpMode,
) -> Result<Vec<Attached>, AttachError> {
    let indices: Vec<(&String, u32)> = names
        .iter()
        .map(|name| Ok((name, interface_index(name)?)))
        .collect::<Result<_, AttachError>>()?;
    let pinned: Vec<LinkPin> = pins.links()?.into_iter().filter_map(parse_pin).collect();
    let mut all = Vec::new();
    let mut new_pins = Vec::new();
    for (name, index) in &indices {
        let pin = pinned.iter().find(|pin| pin.index == *index);
        match attach_one(program, pins, name, mode, pin) {
            Ok((attached, new_pin)) => {
                all.push(attached);
                new_pins.extend(new_pin);
            }
            Err(error) => {
                // Nothing changes unless everything does.
                for path in new_pins {
                    if let Err(error) = fs::remove_file(&path) {
                        tracing::warn!(%error, path = %path.display(), "cannot detach again");
                    }
                }
                return Err(error);
            }
        }
    }
    for pin in pinned.iter().filter(|pin| !indices.iter().any(|(_, index)| *index == pin.index)) {
        remove_pin(&format!("number {}", pin.index), pin)?;
    }
    Ok(all)
}

/// What [`attach_exactly`] will come to on these interfaces, as far as can be told without trying.
pub(super) fn expected(
    pins: &PinFolder,
    names: &[String],
    mode: XdpMode,
) -> Result<Vec<Attached>, AttachError> {
    let pinned: Vec<LinkPin> = pins.links()?.into_iter().filter_map(parse_pin).collect();
    let expect = |name: &String| {
        let index = interface_index(name)?;
        let pin = pinned.iter().find(|pin| pin.index == index && suits(mode, pin.native));
        Ok(Attached {
            name: name.clone(),
            index,
            native: pin.map_or(mode != XdpMode::Generic, |pin| pin.native),
            reason: "attached as soon as the maps are filled".to_owned(),
        })
    };
    names.iter().map(expect).collect()
}

/// Takes the pinned link of an interface over, or makes one; its path if it is new.
fn attach_one(
    program: &mut Xdp,
    pins: &PinFolder,
    name: &str,
    mode: XdpMode,
    pin: Option<&LinkPin>,
) -> Result<(Attached, Option<PathBuf>), AttachError> {
    match pin {
        Some(pin) if suits(mode, pin.native) => {
            if let Some(attached) = take_over(program, name, pin) {
                return Ok((attached, None));
            }
        }
        Some(pin) => remove_pin(name, pin)?,
        None => {}
    }
    let (attached, link) = attach(program, name, mode)?;
    let path = link_path(pins, &attached);
    link.pin(&path)
        .map_err(|error| AttachError::Link { name: name.to_owned(), reason: error.to_string() })?;
    Ok((attached, Some(path)))
}

/// Whether a pinned link may stay. With `auto` any may: making it anew would lose packets.
const fn suits(mode: XdpMode, native: bool) -> bool {
    match mode {
        XdpMode::Auto => true,
        XdpMode::Native => native,
        XdpMode::Generic => !native,
    }
}

/// `None` when the link is dead, as after its interface was removed.
fn take_over(program: &mut Xdp, name: &str, pin: &LinkPin) -> Option<Attached> {
    let replaced = PinnedLink::from_pin(&pin.path)
        .and_then(|pinned| XdpLink::try_from(FdLink::from(pinned)))
        .map_err(|error| error.to_string())
        .and_then(|link| program.attach_to_link(link).map_err(|error| error.to_string()))
        .and_then(|id| program.take_link(id).map_err(|error| error.to_string()));
    match replaced {
        // The pin keeps the link; this process needs no descriptor of it.
        Ok(link) => {
            drop(link);
            Some(Attached {
                name: name.to_owned(),
                index: pin.index,
                native: pin.native,
                reason: "taken over from the agent before".to_owned(),
            })
        }
        Err(error) => {
            tracing::warn!(interface = name, error, "the pinned link is dead; attaching anew");
            fs::remove_file(&pin.path).ok()?;
            None
        }
    }
}

fn remove_pin(name: &str, pin: &LinkPin) -> Result<(), AttachError> {
    fs::remove_file(&pin.path)
        .map_err(|error| AttachError::Link { name: name.to_owned(), reason: error.to_string() })
}
