//! What a lab or demo may leave on the machine, and must not.

use std::{collections::BTreeSet, fs};

/// What stands on the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Traces {
    /// Mounts that this process sees.
    mounts: String,
    /// Names of network namespaces.
    namespaces: BTreeSet<String>,
    /// Ids of BPF programs that are ours by name.
    programs: BTreeSet<u32>,
    /// Ids of BPF maps that are ours by name.
    maps: BTreeSet<u32>,
}

impl Traces {
    /// What stands on the machine now.
    pub(crate) fn now() -> anyhow::Result<Self> {
        let namespaces = match fs::read_dir("/run/netns") {
            Ok(entries) => entries
                .flatten()
                .map(|entry| entry.file_name().to_string_lossy().into_owned())
                .collect(),
            // It does not exist before somebody uses `ip netns`.
            Err(_) => BTreeSet::new(),
        };
        Ok(Self {
            mounts: fs::read_to_string("/proc/self/mountinfo")?,
            namespaces,
            programs: aya::programs::loaded_programs()
                .flatten()
                .filter(|program| {
                    program.name_as_str().is_some_and(|name| name.starts_with("xelb_"))
                })
                .map(|program| program.id())
                .collect(),
            // One map stands for all: they are pinned and unpinned together.
            maps: aya::maps::loaded_maps()
                .flatten()
                .filter(|map| map.name_as_str() == Some(lb_common::abi::map::RINGS))
                .map(|map| map.id())
                .collect(),
        })
    }

    /// What stands now and did not stand `before`, for people; empty when there is nothing.
    pub(crate) fn more_than(&self, before: &Self) -> String {
        let mounts = (self.mounts != before.mounts).then(|| format!("mounts: {}", self.mounts));
        let namespaces = self.namespaces.difference(&before.namespaces);
        let programs = self.programs.difference(&before.programs);
        let maps = self.maps.difference(&before.maps);
        mounts
            .into_iter()
            .chain(namespaces.map(|name| format!("namespace {name}")))
            .chain(programs.map(|id| format!("BPF program {id}")))
            .chain(maps.map(|id| format!("BPF map {id}")))
            .collect::<Vec<_>>()
            .join("\n")
    }
}

/// Whether a process runs. One that has ended but was not yet reaped does not: that is up to the
/// machine's init.
pub(crate) fn is_alive(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z')))
}

/// Processes whose environment has this variable with this value.
pub(crate) fn processes_with(variable: &str, value: &str) -> Vec<u32> {
    let wanted = format!("{variable}={value}");
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_string_lossy().parse().ok())
        .filter(|pid: &u32| {
            fs::read(format!("/proc/{pid}/environ")).is_ok_and(|bytes| {
                bytes.split(|byte| *byte == 0).any(|one| one == wanted.as_bytes())
            })
        })
        .collect()
}
