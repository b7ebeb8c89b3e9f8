//! Puts maps where the balancer wants the addresses of their elements; see [`lb_common::direct`].

use std::os::fd::{AsFd as _, AsRawFd as _, RawFd};

use aya::{
    Ebpf,
    maps::{Map, MapData, MapError},
};
use lb_common::direct::{self, DirectMap};

/// The instruction that loads a constant of 64 bits, which is two words: the operation, the register
/// that it goes to, and the lower half; then the upper half (RFC 9669, section 5.4).
const LOAD: u8 = 0x18;

/// In the second byte of a load: the constant is the address of a map's element
/// (`BPF_PSEUDO_MAP_VALUE`); the lower half is the map, the upper half an offset.
const ELEMENT: u8 = 2 << 4;

/// The maps that are addressed directly, out of an object that has made or opened them.
pub(super) fn take(ebpf: &mut Ebpf) -> Result<Vec<(DirectMap, MapData)>, MapError> {
    let take = |map: &DirectMap| match ebpf.take_map(map.name) {
        Some(Map::Array(data)) => Ok((*map, data)),
        _ => Err(MapError::InvalidName { name: map.name.to_owned() }),
    };
    direct::ALL.iter().map(take).collect()
}

/// The object with these maps in it; whole words, as aligned as a parser of objects wants it.
pub(super) fn link(object: &[u8], maps: &[(DirectMap, MapData)]) -> Vec<u64> {
    let fds: Vec<_> =
        maps.iter().map(|(map, data)| (*map, data.fd().as_fd().as_raw_fd())).collect();
    let mut words = vec![0; object.len().div_ceil(8)];
    bytemuck::cast_slice_mut(&mut words)[..object.len()].copy_from_slice(object);
    replace(&mut words, &fds);
    words
}

/// Replaces the loads of constants that represent maps.
fn replace(words: &mut [u64], maps: &[(DirectMap, RawFd)]) {
    for at in 1..words.len() {
        if let Some((first, second)) = element(words[at - 1], words[at], maps) {
            (words[at - 1], words[at]) = (first, second);
        }
    }
}

/// What a load becomes; `None` when these two words are something else.
fn element(first: u64, second: u64, maps: &[(DirectMap, RawFd)]) -> Option<(u64, u64)> {
    let [LOAD, register @ 0..16, 0, 0, low @ ..] = first.to_le_bytes() else {
        return None;
    };
    let [0, 0, 0, 0, high @ ..] = second.to_le_bytes() else {
        return None;
    };
    let constant = u64::from(u32::from_le_bytes(low)) | u64::from(u32::from_le_bytes(high)) << 32;
    let (_, fd) = maps.iter().find(|(map, _)| map.constant() == constant)?;
    let [a, b, c, d] = fd.to_le_bytes();
    let first = [LOAD, register | ELEMENT, 0, 0, a, b, c, d];
    Some((u64::from_le_bytes(first), 0))
}

#[cfg(test)]
mod tests {
    use lb_common::{direct::Direct as _, ring::Rings, target::Targets};

    use super::*;

    fn load(register: u8, constant: u64) -> [u64; 2] {
        [0x18 | u64::from(register) << 8 | constant << 32, constant >> 32 << 32]
    }

    #[test]
    fn loads_of_maps_become_their_addresses() {
        let maps = [(Rings::MAP, 7), (Targets::MAP, 9)];
        let [rings, targets] = [Rings::MAP.constant(), Targets::MAP.constant()];
        let object = [load(3, rings), load(9, targets), load(3, rings)].concat();
        let mut words = object.clone();
        replace(&mut words, &maps);
        let element = |register: u64, fd: u64| [0x18 | (0x20 | register) << 8 | fd << 32, 0];
        assert_eq!(words, [element(3, 7), element(9, 9), element(3, 7)].concat());
    }

    #[test]
    fn all_else_stays() {
        let maps = [(Rings::MAP, 7)];
        let rings = Rings::MAP.constant();
        let [low, high] = load(3, rings);
        for words in [
            load(3, rings + 1),
            load(3, rings ^ 1 << 63),
            load(3 | ELEMENT, rings),
            [low | 1 << 16, high],
            [low & !0xff | 0x61, high],
            [low, high | 1],
            [rings, rings],
        ] {
            let mut replaced = words;
            replace(&mut replaced, &maps);
            assert_eq!(replaced, words);
        }
    }

    /// A map that no program addresses directly need not be in the list, and a map that is not in
    /// the list cannot be addressed.
    #[test]
    fn every_map_of_the_list_is_in_the_object() {
        let object = crate::OBJECT;
        let fds: Vec<_> = direct::ALL.iter().map(|map| (*map, 1)).collect();
        let words: Vec<u64> = object
            .chunks_exact(8)
            .map(|bytes| u64::from_le_bytes(bytes.try_into().unwrap()))
            .collect();
        for one in fds {
            let found = words.windows(2).any(|pair| element(pair[0], pair[1], &[one]).is_some());
            assert!(found, "{}", one.0.name);
        }
    }
}
