//! What crosses the kernel border, against a golden file: a changed layout needs a new ABI number.

mod pins;
mod sizes;

use std::{fmt::Write as _, fs, path::PathBuf};

use aya::{EbpfLoader, maps::MapData};
use lb_common::{
    Counter, DropReason,
    abi::{self, ABI},
    settings,
};
use lb_dataplane::{DataPath, LoadOptions, MapSizes, OBJECT, XdpMode};
use lb_tests::sandbox;

fn golden_path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("abi/layout.txt")
}

fn in_sandbox<T: Send + 'static>(body: impl FnOnce() -> T + Send + 'static) -> T {
    let result = sandbox::run(|_sandbox| -> Result<T, lb_tests::Error> { Ok(body()) });
    result.unwrap()
}

/// Everything that an agent and a program of one ABI number must have in common.
fn rendered() -> String {
    let mut text = format!("ABI {ABI}\n");
    for layout in abi::LAYOUTS {
        writeln!(
            text,
            "\ntype {}: {} bytes, aligned to {}",
            layout.name, layout.size, layout.align
        )
        .unwrap();
        for field in layout.fields {
            writeln!(text, "  {:>3} {}: {}", field.offset, field.name, field.type_name).unwrap();
        }
    }
    text.push_str("\nmaps: type, bytes of key and value, entries, flags\n");
    text.push_str(&in_sandbox(maps));
    text.push_str("\ndrop reasons\n");
    for reason in DropReason::ALL {
        writeln!(text, "  {:>3} {}", reason.index(), reason.name()).unwrap();
    }
    text.push_str("\ncounters\n");
    for counter in Counter::ALL {
        writeln!(text, "  {:>3} {}", counter.index(), counter.name()).unwrap();
    }
    text.push_str("\nload-time globals\n");
    for setting in settings::ALL {
        writeln!(text, "  {}: {}", setting.name, setting.type_name).unwrap();
    }
    text
}

/// The pinned maps, as the kernel made them.
fn maps() -> String {
    let _ebpf = EbpfLoader::new().default_map_pin_directory(sandbox::BPFFS).load(OBJECT).unwrap();
    let mut text = String::new();
    for name in abi::map::PINNED {
        let path = PathBuf::from(sandbox::BPFFS).join(name);
        let info = MapData::from_pin(path).unwrap().info().unwrap();
        let (kind, key, value) = (info.map_type().unwrap(), info.key_size(), info.value_size());
        let (entries, flags) = (info.max_entries(), info.map_flags());
        writeln!(text, "  {name}: {kind:?} {key} {value} {entries} {flags:#x}").unwrap();
    }
    text
}

#[test]
fn layouts_are_those_of_the_abi_number() {
    let rendered = rendered();
    if std::env::var_os("XELB_BLESS").is_some() {
        fs::write(golden_path(), &rendered).unwrap();
    }
    let golden = fs::read_to_string(golden_path()).unwrap();
    assert!(
        rendered == golden,
        "what crosses the kernel border has changed; give lb_common::abi::ABI the next number and \
         write the file anew with `XELB_BLESS=1 cargo test -p lb-tests --test abi`.\n\
         now:\n{rendered}\nin tests/abi/layout.txt:\n{golden}"
    );
}

fn options() -> LoadOptions {
    LoadOptions {
        bpffs: PathBuf::from(sandbox::BPFFS).join("xelb"),
        interfaces: Vec::new(),
        mode: XdpMode::Auto,
        sizes: MapSizes::default(),
        hash_seed: None,
        former_seed: None,
    }
}

#[test]
fn maps_of_an_unfinished_start_are_removed_and_a_seed_is_kept() {
    in_sandbox(|| {
        let (data_path, mut store) = DataPath::load(&options()).unwrap();
        let seed = data_path.hash_seed();
        assert_ne!(seed, [0, 0]);
        drop(data_path);
        let (again, _) = DataPath::load(&options()).unwrap();
        assert_eq!(again.hash_seed(), seed, "a restart keeps the seed");
        drop(again);
        store.set_meta(abi::Meta::default()).unwrap();
        let (fresh, store) = DataPath::load(&options()).unwrap();
        assert_ne!(fresh.hash_seed(), seed);
        assert_eq!(store.meta().unwrap().abi, ABI);
    });
}
