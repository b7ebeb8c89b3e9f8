//! What a lab or demo may leave on the machine, and must not.

use std::{collections::BTreeSet, fs};

use lb_tests::bpf::{self, Kind};

/// The objects on the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Traces {
    /// Mounts that this process sees.
    mounts: String,
    /// Names of network namespaces.
    namespaces: BTreeSet<String>,
}

impl Traces {
    /// The objects on the machine now.
    pub(crate) fn now() -> anyhow::Result<Self> {
        let namespaces = match fs::read_dir("/run/netns") {
            Ok(entries) => entries
                .flatten()
                .map(|entry| entry.file_name().to_string_lossy().into_owned())
                .collect(),
            // It does not exist before the first use of `ip netns`.
            Err(_) => BTreeSet::new(),
        };
        Ok(Self { mounts: fs::read_to_string("/proc/self/mountinfo")?, namespaces })
    }

    /// New objects since `before`, for people; empty if there are none.
    pub(crate) fn more_than(&self, before: &Self) -> String {
        let mounts = (self.mounts != before.mounts).then(|| format!("mounts: {}", self.mounts));
        let namespaces = self.namespaces.difference(&before.namespaces);
        mounts
            .into_iter()
            .chain(namespaces.map(|name| format!("namespace {name}")))
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

/// Ids of BPF programs and maps. They are looked up by id, not by name: others on the machine may
/// load programs of the same names meanwhile.
#[derive(Clone, Debug, Default)]
pub(crate) struct BpfObjects {
    programs: BTreeSet<u32>,
    maps: BTreeSet<u32>,
}

impl BpfObjects {
    /// Those that these processes have open, themselves or through a link.
    pub(crate) fn held_by(pids: &[u32]) -> Self {
        let mut objects = Self::default();
        for pid in pids {
            // A process may end while it is inspected.
            let Ok(entries) = fs::read_dir(format!("/proc/{pid}/fdinfo")) else { continue };
            for text in entries.flatten().filter_map(|entry| fs::read_to_string(entry.path()).ok())
            {
                for (key, id) in text.lines().filter_map(|line| line.split_once(':')) {
                    match (key, id.trim().parse()) {
                        ("prog_id", Ok(id)) => objects.programs.insert(id),
                        ("map_id", Ok(id)) => objects.maps.insert(id),
                        _ => false,
                    };
                }
            }
        }
        objects
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.programs.is_empty() && self.maps.is_empty()
    }

    /// Those of them that are loaded now.
    pub(crate) fn still_loaded(&self) -> anyhow::Result<Self> {
        let left = |kind, ids: &BTreeSet<u32>| {
            let loaded = bpf::ids(kind)?.into_iter().filter(|id| ids.contains(id));
            anyhow::Ok(loaded.collect())
        };
        Ok(Self {
            programs: left(Kind::Programs, &self.programs)?,
            maps: left(Kind::Maps, &self.maps)?,
        })
    }
}
