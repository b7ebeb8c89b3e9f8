//! Map migration to another layout: the new maps are in a folder inside the folder of pins. Its
//! name is the state of the migration, so that the state is known if an agent dies at any moment.
//!
//! | name | the maps in it | after a crash |
//! |---|---|---|
//! | `next` | are being made and filled; the program runs on the maps of the folder above | removed |
//! | `next`, and the program of a link runs on them | are filled; other links follow | goes on as from `filled` |
//! | `filled` | are those that the program runs on; the others are being removed | goes on |
//! | `moving` | are moving up, one by one, to where the others were | goes on |

use std::{
    fs,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

use super::{
    links::linked_program,
    pins::{PinError, PinFolder, io_error, map_ids, maps, remove, remove_folder},
    programs::map_ids_of_program,
};

const NEXT: &str = "next";
const FILLED: &str = "filled";
const MOVING: &str = "moving";

/// Makes the folder for new maps.
pub(super) fn begin(pins: &PinFolder) -> Result<PathBuf, PinError> {
    let folder = pins.path().join(NEXT);
    fs::DirBuilder::new().mode(0o700).create(&folder).map_err(io_error("make", &folder))?;
    Ok(folder)
}

/// Removes new maps that nothing runs on.
pub(super) fn give_up(pins: &PinFolder) -> Result<(), PinError> {
    let folder = pins.path().join(NEXT);
    if !folder.is_dir() {
        return Ok(());
    }
    for map in maps(&folder)? {
        remove(&map)?;
    }
    remove_folder(&folder)
}

/// Puts the new maps, on which the program runs from now on, in the place of the old ones. A retry
/// after an error continues.
pub(super) fn finish(pins: &PinFolder) -> Result<(), PinError> {
    let next = pins.path().join(NEXT);
    if next.is_dir() {
        rename(&next, &pins.path().join(FILLED))?;
    }
    go_on(pins)
}

/// Ends what an agent before could not.
pub(super) fn recover(pins: &mut PinFolder) -> Result<(), PinError> {
    let (folder, next) = (pins.path().display().to_string(), pins.path().join(NEXT));
    if next.is_dir() && is_in_use(pins, &next)? {
        tracing::info!(folder, "completing the change to another layout that an agent has begun");
        pins.hold_former_maps()?;
        return finish(pins);
    }
    if next.is_dir() {
        tracing::warn!(
            folder,
            "removing the maps of an agent that did not complete its change to another layout"
        );
        give_up(pins)?;
    }
    go_on(pins)
}

/// Whether the program of a link runs on the new maps already: on one that is pinned there alone, as
/// maps of another size are pinned beside the others, which both folders share.
fn is_in_use(pins: &PinFolder, next: &Path) -> Result<bool, PinError> {
    let new = &map_ids(next)? - &map_ids(pins.path())?;
    let links = pins.links()?;
    let programs = links.iter().filter_map(|link| linked_program(link));
    Ok(programs.flat_map(map_ids_of_program).any(|id| new.contains(&id)))
}

/// The folder of the maps that an agent writes: during a migration, that of the new maps.
pub(super) fn written(folder: &Path) -> PathBuf {
    let next = folder.join(NEXT);
    if next.is_dir() { next } else { folder.to_path_buf() }
}

/// From whatever step on.
fn go_on(pins: &PinFolder) -> Result<(), PinError> {
    let [filled, moving] = [FILLED, MOVING].map(|name| pins.path().join(name));
    if filled.is_dir() {
        for map in maps(pins.path())? {
            remove(&map)?;
        }
        rename(&filled, &moving)?;
    }
    if !moving.is_dir() {
        return Ok(());
    }
    for map in maps(&moving)? {
        if let Some(name) = map.file_name() {
            rename(&map, &pins.path().join(name))?;
        }
    }
    remove_folder(&moving)
}

fn rename(from: &Path, to: &Path) -> Result<(), PinError> {
    fs::rename(from, to).map_err(io_error("rename", from))
}
