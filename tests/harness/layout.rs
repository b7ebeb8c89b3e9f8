//! Pinned maps of a version that does not exist: what only it has is made without a library, what
//! the present version has is left as it is.

use std::{
    ffi::CString,
    fs, io,
    os::fd::{AsRawFd as _, OwnedFd},
    path::Path,
};

use crate::{
    bpf,
    error::{Context as _, Result},
};

/// Commands and constants of bpf(2), from linux/bpf.h.
const BPF_MAP_CREATE: libc::c_int = 0;
const BPF_MAP_UPDATE_ELEM: libc::c_int = 2;
const BPF_OBJ_PIN: libc::c_int = 6;
const BPF_MAP_TYPE_ARRAY: u32 = 2;

/// A map that only the other version has.
pub const RELIC: &str = "RELIC_OF_ANOTHER";

/// Bytes of the first map's element in the other version; the present one has fewer.
const ELEMENT: usize = 72;

#[repr(C)]
struct MapCreate {
    map_type: u32,
    key_size: u32,
    value_size: u32,
    max_entries: u32,
    flags: u32,
    inner_map: u32,
    numa_node: u32,
    name: [u8; 16],
    interface: u32,
}

#[repr(C)]
struct MapUpdate {
    map: u32,
    padding: u32,
    key: u64,
    value: u64,
    flags: u64,
}

#[repr(C)]
struct Pin {
    path: u64,
    descriptor: u32,
    flags: u32,
}

/// Makes the maps pinned in a folder those of version `abi`, with the hash seed that they have:
/// their `META` has a longer element, and there is an unknown map.
pub fn disguise(folder: &Path, abi: u32, hash_seed: [u64; 2]) -> Result<()> {
    let meta = folder.join("META");
    fs::remove_file(&meta).context(|| format!("removing {}", meta.display()))?;
    pin_old(folder, abi, hash_seed)
}

/// Pins maps that only version `abi` has.
fn pin_old(folder: &Path, abi: u32, hash_seed: [u64; 2]) -> Result<()> {
    let mut element = [0xee_u8; ELEMENT];
    element[0..4].copy_from_slice(&abi.to_ne_bytes());
    element[8..16].copy_from_slice(&hash_seed[0].to_ne_bytes());
    element[16..24].copy_from_slice(&hash_seed[1].to_ne_bytes());
    let relic = folder.join(RELIC);
    let make = || -> io::Result<()> {
        pin(&array("META", &element)?, &folder.join("META"))?;
        if !relic.exists() {
            pin(&array(RELIC, &element)?, &relic)?;
        }
        Ok(())
    };
    make().context(|| format!("making the maps in {} another version's", folder.display()))
}

/// What an agent leaves that dies when its program runs on new maps: they are in the folder `next`,
/// and the folder above has those of version `abi`.
pub fn pin_old_maps_beside(
    folder: &Path,
    next: &Path,
    abi: u32,
    hash_seed: [u64; 2],
) -> Result<()> {
    let moved = || -> io::Result<()> {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let is_link = entry.file_name().to_string_lossy().starts_with("link_");
            if !is_link && !entry.file_type()?.is_dir() {
                fs::rename(entry.path(), next.join(entry.file_name()))?;
            }
        }
        Ok(())
    };
    moved().context(|| format!("moving maps to {}", next.display()))?;
    pin_old(folder, abi, hash_seed)
}

/// Pins a map that is nothing of xelb's.
pub fn pin_foreign(path: &Path) -> Result<()> {
    let make = || pin(&array("somebody", &[1])?, path);
    make().context(|| format!("pinning a map at {}", path.display()))
}

/// An array of one element.
fn array(name: &str, element: &[u8]) -> io::Result<OwnedFd> {
    let mut kernel_name = [0; 16];
    let length = name.len().min(kernel_name.len() - 1);
    kernel_name[..length].copy_from_slice(&name.as_bytes()[..length]);
    let map = bpf::descriptor(
        BPF_MAP_CREATE,
        &MapCreate {
            map_type: BPF_MAP_TYPE_ARRAY,
            key_size: 4,
            value_size: u32::try_from(element.len()).map_err(io::Error::other)?,
            max_entries: 1,
            flags: 0,
            inner_map: 0,
            numa_node: 0,
            name: kernel_name,
            interface: 0,
        },
    )?;
    let key = 0_u32;
    bpf::call(
        BPF_MAP_UPDATE_ELEM,
        &MapUpdate {
            map: map.as_raw_fd().cast_unsigned(),
            padding: 0,
            key: (&raw const key) as u64,
            value: element.as_ptr() as u64,
            flags: 0,
        },
    )?;
    Ok(map)
}

fn pin(map: &OwnedFd, path: &Path) -> io::Result<()> {
    let path = CString::new(path.display().to_string())?;
    let descriptor = map.as_raw_fd().cast_unsigned();
    bpf::call(BPF_OBJ_PIN, &Pin { path: path.as_ptr() as u64, descriptor, flags: 0 }).map(drop)
}
