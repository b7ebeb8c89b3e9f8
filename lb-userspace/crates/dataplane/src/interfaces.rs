//! The program on exactly the interfaces that are named: takes pinned links over, attaches where there is
//! none, and removes those of other interfaces.

use std::{fs, path::PathBuf};

use aya::programs::Xdp;

use super::{
    attach::interface_index,
    attach_error::{AttachError, with_source},
    attach_sender::attach_sender,
    attached::{Attached, XdpMode},
    known_interfaces::{Found, again, attachments_from_pins, find},
    links::{LinkPin, link_path, pinned, remove_pin, suits, take_over},
    pins::PinFolder,
};

/// Makes the program run on exactly these interfaces: replaces the program of pinned links
/// atomically, attaches where there is no link, and removes links of other interfaces.
///
/// A failure at a `known` interface is recorded there; at a new one it is an error, and nothing
/// changes. [`attachments_from_pins`] gives the known ones at the start.
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
        // A dead link was removed already.
        if pin.path.exists() {
            remove_pin(&format!("number {}", pin.index), pin)?;
        }
    }
    for one in &mut all {
        if names.contains(&one.previous) || interface_index(&one.previous).is_err() {
            one.previous.clear();
        }
    }
    Ok(all)
}

/// The expected result of [`attach_exactly`] on these interfaces, as far as it is known without an
/// attempt. It waits for interfaces that do not exist.
pub(super) fn expected(
    pins: &PinFolder,
    names: &[String],
    mode: XdpMode,
) -> Result<Vec<Attached>, AttachError> {
    let pinned = pinned(pins)?;
    let from_pins = attachments_from_pins(&pinned, names);
    let expect = |name: &String| {
        if let Some(missing) = from_pins.iter().find(|one| one.name == *name) {
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

/// Takes over the pinned link of an interface, or creates one; returns its path if it is new.
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
