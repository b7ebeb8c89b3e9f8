//! Whose the pinned maps are, read so that maps of any version can be asked: the only thing that is
//! known of them is their head ([`Head`]).

use std::{
    io,
    os::fd::{AsFd as _, AsRawFd as _, BorrowedFd},
    path::Path,
};

use aya::maps::{MapData, MapError, MapType};
use lb_common::abi::{Head, map};

/// Longest element that is believed to be that of `META`.
const ELEMENT_MAX: u32 = 1 << 16;

/// The head of the maps pinned in a folder; `None` when they have none that can be read, and the
/// reason is in the log.
pub(super) fn read(folder: &Path) -> Option<Head> {
    let pin = folder.join(map::META);
    if !pin.exists() {
        return None;
    }
    let read = open(&pin).map_err(io::Error::other);
    let element = read.and_then(|(data, length)| lookup(data.fd().as_fd(), length));
    match element.map(|element| Head::parse(&element)) {
        Ok(Some(head)) => Some(head),
        Ok(None) => {
            tracing::warn!(pin = %pin.display(), "the pinned map is too short to be xelb's");
            None
        }
        Err(error) => {
            tracing::warn!(pin = %pin.display(), %error, "cannot read a pinned map's header");
            None
        }
    }
}

/// The map, and the bytes of its elements.
fn open(pin: &Path) -> Result<(MapData, usize), MapError> {
    let data = MapData::from_pin(pin)?;
    let info = data.info()?;
    let kind = info.map_type()?;
    let fits = (Head::LENGTH..=ELEMENT_MAX as usize).contains(&(info.value_size() as usize));
    if kind != MapType::Array || info.key_size() != 4 || !fits {
        return Err(MapError::InvalidMapType { map_type: kind as u32 });
    }
    Ok((data, info.value_size() as usize))
}

/// `struct bpf_attr` of `BPF_MAP_LOOKUP_ELEM` (include/uapi/linux/bpf.h).
#[repr(C)]
struct Lookup {
    map_fd: u32,
    padding: u32,
    key: u64,
    value: u64,
    flags: u64,
}

/// The first element of an array. aya reads elements of a type, and this one's length is not known.
fn lookup(map: BorrowedFd<'_>, length: usize) -> io::Result<Vec<u8>> {
    const BPF_MAP_LOOKUP_ELEM: libc::c_int = 1;
    let key = 0_u32;
    // The kernel writes whole words.
    let mut element = vec![0_u8; length.next_multiple_of(8)];
    let attributes = Lookup {
        map_fd: map.as_raw_fd().cast_unsigned(),
        padding: 0,
        key: (&raw const key) as u64,
        value: element.as_mut_ptr() as u64,
        flags: 0,
    };
    // SAFETY: `key` has the four bytes of a key of an array and `element` at least those of its
    // elements; both outlive the call, which keeps neither.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            BPF_MAP_LOOKUP_ELEM,
            &raw const attributes,
            size_of::<Lookup>(),
        )
    };
    if result == 0 {
        element.truncate(length);
        Ok(element)
    } else {
        Err(io::Error::last_os_error())
    }
}
