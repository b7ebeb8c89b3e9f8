//! What an agent finds pinned, and what it makes of it: maps of other versions, half-made folders,
//! pins of others. No interface has a program here; `tests/network/upgrade.rs` is about those.

use std::{
    fs,
    path::{Path, PathBuf},
};

use lb_common::abi::{self, ABI};
use lb_dataplane::{self as dataplane, DataPath, LoadOptions};
use lb_tests::{layout, sandbox};

use crate::{in_sandbox, options};

/// Seeds of two agents.
const ONE: [u64; 2] = [1, 11];
const OTHER: [u64; 2] = [2, 22];

pub(crate) fn folder() -> PathBuf {
    options().bpffs
}

/// Names of what is pinned, in order.
fn pinned(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let name = |entry: fs::DirEntry| entry.file_name().into_string().unwrap();
    let mut names: Vec<String> = entries.map(|entry| name(entry.unwrap())).collect();
    names.sort();
    names
}

/// Loads, and expects exactly the maps of this version.
fn load() -> [u64; 2] {
    let (data_path, store) = DataPath::load(&options()).unwrap();
    let meta = store.meta().unwrap();
    assert_eq!((meta.abi, meta.hash_seed), (ABI, data_path.hash_seed()));
    expect_own_maps();
    data_path.hash_seed()
}

pub(crate) fn expect_own_maps() {
    let mut expected: Vec<String> = abi::map::PINNED.iter().map(|&name| name.into()).collect();
    expected.sort();
    assert_eq!(pinned(&folder()), expected);
}

/// Leaves the maps of an agent with this seed in a folder.
fn leave(bpffs: PathBuf, seed: [u64; 2]) {
    let _left = DataPath::load(&LoadOptions { bpffs, hash_seed: Some(seed), ..options() }).unwrap();
}

#[test]
fn maps_of_another_layout_give_their_seed_and_go() {
    in_sandbox(|| {
        for abi in [1, ABI - 1, ABI + 1, u32::MAX] {
            leave(folder(), ONE);
            layout::disguise(&folder(), abi, OTHER).unwrap();
            assert!(pinned(&folder()).contains(&layout::RELIC.to_owned()));
            assert_eq!(load(), OTHER, "from layout {abi}");
            assert!(dataplane::detach(&folder()).unwrap());
        }
    });
}

#[test]
fn incomplete_maps_are_created_again_with_their_seed() {
    in_sandbox(|| {
        leave(folder(), ONE);
        fs::remove_file(folder().join(abi::map::GROUPS)).unwrap();
        assert_eq!(load(), ONE);
        fs::remove_file(folder().join(abi::map::META)).unwrap();
        assert_ne!(load(), ONE, "nobody knows it any more");
    });
}

/// An agent that died during a change of the layout: the state that each folder name represents.
#[test]
fn an_interrupted_change_is_undone_or_ended() {
    in_sandbox(|| {
        let beside = PathBuf::from(sandbox::BPFFS).join("beside");
        let (next, filled, moving) =
            (folder().join("next"), folder().join("filled"), folder().join("moving"));

        leave(folder(), ONE);
        leave(beside.clone(), OTHER);
        fs::rename(&beside, &next).unwrap();
        assert_eq!(load(), ONE, "the new ones were not complete");

        leave(beside.clone(), OTHER);
        layout::disguise(&folder(), ABI + 1, ONE).unwrap();
        fs::rename(&beside, &filled).unwrap();
        assert_eq!(load(), OTHER, "the program runs on the new ones");

        leave(beside.clone(), ONE);
        fs::rename(&beside, &moving).unwrap();
        for name in &abi::map::PINNED[..abi::map::PINNED.len() / 2] {
            fs::rename(moving.join(name), folder().join(name)).unwrap();
        }
        for name in &abi::map::PINNED[abi::map::PINNED.len() / 2..] {
            fs::remove_file(folder().join(name)).unwrap();
        }
        assert_eq!(load(), ONE, "the new ones were on their way");

        fs::create_dir(&next).unwrap();
        assert!(dataplane::detach(&folder()).unwrap());
        assert!(!folder().exists());
    });
}

#[test]
fn foreign_files_are_never_removed() {
    in_sandbox(|| {
        // The names are such as xelb gives, or not: the map behind them is another.
        let others = ["MAP_OF_SOMEBODY", "somebody"];
        fs::create_dir(folder()).unwrap();
        for name in others {
            layout::pin_foreign(&folder().join(name)).unwrap();
        }
        assert!(!dataplane::detach(&folder()).unwrap(), "nothing of ours");
        assert_eq!(pinned(&folder()), others);
        leave(folder(), ONE);
        layout::disguise(&folder(), ABI + 1, ONE).unwrap();
        leave(folder(), ONE);
        fs::remove_file(folder().join(abi::map::META)).unwrap();
        leave(folder(), ONE);
        assert!(dataplane::detach(&folder()).unwrap());
        assert_eq!(pinned(&folder()), others);
    });
}
