//! Attaching the program to interfaces: native, generic, or what the driver allows; and taking
//! pinned links over.

use std::{fs, io, path::PathBuf, str::FromStr};

use aya::programs::{
    ProgramError, Xdp,
    links::{FdLink, LinkError},
    xdp::XdpMode as AyaMode,
};
use thiserror::Error;

use super::{
    attach_sender::attach_sender,
    links::{LinkPin, link_path, pinned, remove_pin, suits, take_over},
    pins::{PinError, PinFolder},
    restore::{Found, again, find, presumed, with_source},
};

/// How the program should be attached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum XdpMode {
    /// Native where the driver runs programs and frames that they send arrive, else generic with a
    /// warning.
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

/// One interface that the program is attached to, or should be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attached {
    /// Its name, as it is configured.
    pub name: String,
    /// Its index.
    pub index: u32,
    /// Whether the driver runs the program.
    pub native: bool,
    /// Why in that mode.
    pub reason: String,
    /// Why the program does not run there now; it does when this is empty.
    pub fault: String,
    /// The name that the interface has now, when it was renamed; empty otherwise.
    pub renamed: String,
    /// How often the program was gone and was attached again.
    pub reattached_count: u64,
}

impl Attached {
    /// The name that the interface has now.
    #[must_use]
    pub fn current_name(&self) -> &str {
        if self.renamed.is_empty() { &self.name } else { &self.renamed }
    }

    /// Why in that mode, or why not at all.
    #[must_use]
    pub fn why(&self) -> &str {
        if self.fault.is_empty() { &self.reason } else { &self.fault }
    }

    /// `native` or `generic`, or `detached` when the program does not run there now.
    #[must_use]
    pub const fn mode(&self) -> &'static str {
        if self.fault.is_empty() { mode_name(self.native) } else { "detached" }
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

/// Name of the interface with this index.
#[must_use]
pub fn interface_name(index: u32) -> Option<String> {
    let name = nix::net::if_::if_indextoname(index).ok()?;
    // What nix 0.31 gives for an index that does not exist.
    Some(name.to_string_lossy().into_owned()).filter(|name| !name.is_empty())
}

/// Attaches to `name` and returns the link, unpinned.
pub fn attach(
    program: &mut Xdp,
    name: &str,
    mode: XdpMode,
) -> Result<(Attached, FdLink), AttachError> {
    attach_at(program, name, interface_index(name)?, mode)
}

/// The same where the interface's index is known; `name` may be its former one.
pub(super) fn attach_at(
    program: &mut Xdp,
    name: &str,
    index: u32,
    mode: XdpMode,
) -> Result<(Attached, FdLink), AttachError> {
    let attached = |native, reason: &str| Attached {
        name: name.to_owned(),
        index,
        native,
        reason: reason.to_owned(),
        ..Attached::default()
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
        // ENOSPC: a veth whose other end has more transmit queues than this one has receive queues.
        Some(number @ (libc::EOPNOTSUPP | libc::EINVAL | libc::ERANGE | libc::ENOSPC)) => {
            let reason = io::Error::from_raw_os_error(number).to_string();
            AttachError::Unsupported { name, mode: mode_name(native), reason }
        }
        _ => AttachError::Program { name, source },
    }
}

/// Makes the program run on exactly these interfaces: takes pinned links over by replacing their
/// program at once, attaches where there is none, and removes those of other interfaces.
///
/// What goes wrong at an interface that is `known` from before is noted there; at a new one it is an
/// error, and nothing changes. [`presumed`] is what is known at a start.
pub(super) fn attach_exactly(
    program: &mut Xdp,
    pins: &PinFolder,
    names: &[String],
    mode: XdpMode,
    known: &[Attached],
) -> Result<Vec<Attached>, AttachError> {
    let pinned = pinned(pins)?;
    let mut all = Vec::new();
    let mut new_pins = Vec::new();
    for name in names {
        let known = known.iter().find(|one| one.name == *name);
        let attached = find(name, known).and_then(|found| {
            let pin = pinned.iter().find(|pin| pin.index == found.index);
            let (attached, new_pin) = attach_one(program, pins, &found, mode, pin)?;
            Ok((Attached { renamed: found.renamed, ..attached }, new_pin))
        });
        match (attached, known) {
            (Ok((attached, new_pin)), known) => {
                all.push(
                    known.map_or(attached.clone(), |known| {
                        again(known, attached, new_pin.is_some())
                    }),
                );
                new_pins.extend(new_pin.filter(|_| known.is_none()));
            }
            (Err(error), Some(known)) => {
                all.push(Attached { fault: with_source(&error), ..known.clone() });
            }
            (Err(error), None) => {
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
    for pin in pinned.iter().filter(|pin| !all.iter().any(|one| one.index == pin.index)) {
        // One whose link was dead is gone already.
        if pin.path.exists() {
            remove_pin(&format!("number {}", pin.index), pin)?;
        }
    }
    Ok(all)
}

/// What [`attach_exactly`] will come to on these interfaces, as far as can be told without trying. Those
/// that do not exist are waited for.
pub(super) fn expected(
    pins: &PinFolder,
    names: &[String],
    mode: XdpMode,
) -> Result<Vec<Attached>, AttachError> {
    let pinned = pinned(pins)?;
    let presumed = presumed(&pinned, names);
    let expect = |name: &String| {
        if let Some(missing) = presumed.iter().find(|one| one.name == *name) {
            return Ok(missing.clone());
        }
        let index = interface_index(name)?;
        let pin = pinned.iter().find(|pin| pin.index == index && suits(mode, pin.native));
        Ok(Attached {
            name: name.clone(),
            index,
            native: pin.map_or(mode != XdpMode::Generic, |pin| pin.native),
            reason: "attached as soon as the maps are filled".to_owned(),
            ..Attached::default()
        })
    };
    names.iter().map(expect).collect()
}

/// Takes the pinned link of an interface over, or makes one; its path if it is new.
fn attach_one(
    program: &mut Xdp,
    pins: &PinFolder,
    found: &Found<'_>,
    mode: XdpMode,
    pin: Option<&LinkPin>,
) -> Result<(Attached, Option<PathBuf>), AttachError> {
    let name = found.name;
    match pin {
        Some(pin) if suits(mode, pin.native) => {
            if let Some(attached) = take_over(program, name, pin) {
                return Ok((attached, None));
            }
        }
        Some(pin) => remove_pin(name, pin)?,
        None => {}
    }
    let (attached, link) = attach_sender(program, name, found.index, mode, pin.is_some())?;
    let path = link_path(pins, &attached);
    link.pin(&path)
        .map_err(|error| AttachError::Link { name: name.to_owned(), reason: error.to_string() })?;
    Ok((attached, Some(path)))
}
