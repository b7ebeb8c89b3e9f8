//! Under which conditions something was measured: without them a number says nothing.

use std::{collections::BTreeMap, fs, path::Path, time::SystemTime};

use serde::{Deserialize, Serialize};

/// The host and the moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conditions {
    /// Version of xelb.
    pub version: String,
    /// When, in UTC (RFC 3339).
    pub taken_at: String,
    /// The CPU's model.
    pub cpu: String,
    /// Number of CPUs.
    pub cpus: usize,
    /// The kernel's release.
    pub kernel: String,
    /// What the kernel does against faults of this CPU, by the name of the fault; without those that
    /// the CPU does not have.
    pub mitigations: BTreeMap<String, String>,
    /// Whether the kernel compiles BPF to machine code.
    pub jit: bool,
    /// Processes that wanted to run at the start, on average over a minute.
    pub load: String,
}

impl Conditions {
    /// Those of this host now.
    #[must_use]
    pub fn read() -> Self {
        let first = |path: &str| fs::read_to_string(path).unwrap_or_default().trim().to_owned();
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            taken_at: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
            cpu: cpu_model(&first("/proc/cpuinfo")),
            cpus: std::thread::available_parallelism().map_or(0, std::num::NonZero::get),
            kernel: first("/proc/sys/kernel/osrelease"),
            mitigations: mitigations(Path::new("/sys/devices/system/cpu/vulnerabilities")),
            jit: matches!(first("/proc/sys/net/core/bpf_jit_enable").as_str(), "1" | "2"),
            load: first("/proc/loadavg").split(' ').next().unwrap_or_default().to_owned(),
        }
    }
}

/// The model in /proc/cpuinfo; ARM's kernel does not name it.
fn cpu_model(cpuinfo: &str) -> String {
    let line = cpuinfo.lines().find_map(|line| line.strip_prefix("model name"));
    let model = line.map(|line| line.trim_start_matches([' ', '\t', ':']).to_owned());
    model.unwrap_or_else(|| std::env::consts::ARCH.to_owned())
}

fn mitigations(folder: &Path) -> BTreeMap<String, String> {
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let entries = entries.filter_map(|entry| {
        let text = fs::read_to_string(entry.path()).ok()?;
        Some((entry.file_name().to_string_lossy().into_owned(), text.trim().to_owned()))
    });
    entries.filter(|(_, text)| text != "Not affected").collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_is_what_the_kernel_says() {
        let text = "processor\t: 0\nmodel\t\t: 1\nmodel name\t: AMD EPYC 7R13\nstepping\t: 1\n";
        assert_eq!(cpu_model(text), "AMD EPYC 7R13");
        assert_eq!(cpu_model("processor\t: 0\nBogoMIPS\t: 50.00\n"), std::env::consts::ARCH);
    }

    #[test]
    fn this_host_says_what_it_is() {
        let Conditions { taken_at, cpus, kernel, .. } = Conditions::read();
        assert!(taken_at.ends_with('Z') && cpus > 0 && !kernel.is_empty(), "{taken_at} {kernel}");
    }
}
