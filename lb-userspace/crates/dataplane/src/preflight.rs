//! Preflight check: requirements of the host before anything is loaded, with helpful messages.

use std::{fs, path::Path};

use thiserror::Error;

/// Oldest kernel that has all that xelb uses: links for XDP (5.9), one array element of 32 MiB,
/// and Debian 12's.
const KERNEL_MIN: (u32, u32) = (6, 1);

/// Capabilities that xelb needs, with their numbers (linux/capability.h).
const CAPABILITIES: &[(&str, u32)] = &[("CAP_NET_ADMIN", 12), ("CAP_PERFMON", 38), ("CAP_BPF", 39)];

/// Where the kernel describes its types, if it was built to.
const BTF: &str = "/sys/kernel/btf/vmlinux";

/// Whether the JIT compiler for BPF programs is on; network namespaces other than the first do not
/// have it.
const JIT: &str = "/proc/sys/net/core/bpf_jit_enable";

/// What is wrong with the host.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum PreflightError {
    /// The kernel is too old.
    #[error(
        "the kernel is {found}, xelb needs {}.{} or newer; install a newer kernel and reboot",
        KERNEL_MIN.0,
        KERNEL_MIN.1
    )]
    KernelTooOld {
        /// Its release.
        found: String,
    },
    /// The kernel was built without descriptions of types.
    #[error(
        "the kernel has no BTF ({BTF} is missing), which the BPF programs need; run a kernel with \
         CONFIG_DEBUG_INFO_BTF=y, for example that of your distribution"
    )]
    NoBtf,
    /// The kernel would interpret the programs.
    #[error(
        "net.core.bpf_jit_enable is 0: without the JIT compiler, the kernel refuses xelb's \
         programs, which have both functions and tail calls; run `sysctl -w \
         net.core.bpf_jit_enable=1`"
    )]
    NoJit,
    /// Capabilities are missing.
    #[error("not permitted to load BPF programs: {missing} missing; run xelb as root")]
    NotPermitted {
        /// Their names.
        missing: String,
    },
    /// The host does not say what it is.
    #[error("cannot read {path}: {reason}")]
    Unreadable {
        /// What was read.
        path: &'static str,
        /// Why it could not be.
        reason: String,
    },
}

/// Inputs of the preflight check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The kernel's release, as `uname -r` prints it.
    pub kernel_release: String,
    /// Effective capabilities, one bit each.
    pub capabilities: u64,
    /// Whether the kernel describes its types (BTF).
    pub btf: bool,
    /// `net.core.bpf_jit_enable`; network namespaces other than the first do not have it.
    pub jit: Option<u32>,
}

impl Facts {
    /// Looks at this host and process.
    pub fn read() -> Result<Self, PreflightError> {
        let uname = nix::sys::utsname::uname().map_err(|error| PreflightError::Unreadable {
            path: "the kernel's name",
            reason: error.to_string(),
        })?;
        let path = "/proc/self/status";
        let unreadable = |reason: String| PreflightError::Unreadable { path, reason };
        let status = fs::read_to_string(path).map_err(|error| unreadable(error.to_string()))?;
        let capabilities = status
            .lines()
            .find_map(|line| line.strip_prefix("CapEff:"))
            .and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok())
            .ok_or_else(|| unreadable("no line CapEff".to_owned()))?;
        Ok(Self {
            kernel_release: uname.release().to_string_lossy().into_owned(),
            capabilities,
            // If sysfs is hidden, this is unknown.
            btf: Path::new(BTF).exists() || !Path::new("/sys/kernel").exists(),
            jit: fs::read_to_string(JIT).ok().and_then(|text| text.trim().parse().ok()),
        })
    }

    /// Says what is wrong for the balancer, which needs more than the programs of targets do.
    pub fn check_balancer(&self) -> Result<(), PreflightError> {
        self.check()?;
        if !self.btf {
            return Err(PreflightError::NoBtf);
        }
        if self.jit == Some(0) {
            return Err(PreflightError::NoJit);
        }
        Ok(())
    }

    /// Says what is wrong for every program, if anything is.
    pub fn check(&self) -> Result<(), PreflightError> {
        if version(&self.kernel_release) < KERNEL_MIN {
            return Err(PreflightError::KernelTooOld { found: self.kernel_release.clone() });
        }
        let missing: Vec<&str> = CAPABILITIES
            .iter()
            .filter(|(_, number)| self.capabilities & (1 << number) == 0)
            .map(|(name, _)| *name)
            .collect();
        if missing.is_empty() {
            Ok(())
        } else {
            Err(PreflightError::NotPermitted { missing: missing.join(", ") })
        }
    }
}

/// Major and minor number of a release such as `6.1.0-13-amd64`; zeros when there are none.
fn version(release: &str) -> (u32, u32) {
    let mut numbers = release
        .split(|character: char| !character.is_ascii_digit())
        .map(|digits| digits.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(release: &str, capabilities: u64) -> Facts {
        Facts { kernel_release: release.to_owned(), capabilities, btf: true, jit: Some(1) }
    }

    #[test]
    fn old_kernels_are_refused() {
        for release in ["2.6.78", "4.19.0-27-amd64", "5.15.0", "6.0.19", "garbage", ""] {
            let error = facts(release, u64::MAX).check().unwrap_err();
            assert!(error.to_string().contains("xelb needs 6.1 or newer"), "{release}: {error}");
        }
        for release in ["6.1.0-13-amd64", "6.18.44", "7.0-rc1", "10.0"] {
            assert_eq!(facts(release, u64::MAX).check(), Ok(()), "{release}");
        }
    }

    #[test]
    fn missing_kernel_features_are_reported() {
        let lacks = |change: fn(&mut Facts)| {
            let mut facts = facts("6.1.0", u64::MAX);
            change(&mut facts);
            facts.check_balancer().map_err(|error| error.to_string())
        };
        let message = lacks(|facts| facts.btf = false).unwrap_err();
        assert!(message.contains("CONFIG_DEBUG_INFO_BTF=y"), "{message}");
        let message = lacks(|facts| facts.jit = Some(0)).unwrap_err();
        assert!(message.contains("sysctl -w net.core.bpf_jit_enable=1"), "{message}");
        for jit in [None, Some(1), Some(2)] {
            let facts = Facts { jit, ..facts("6.1.0", u64::MAX) };
            assert_eq!(facts.check_balancer(), Ok(()), "{jit:?}");
        }
    }

    #[test]
    fn missing_capabilities_are_named() {
        let error = facts("6.1.0", 1 << 12).check().unwrap_err();
        assert_eq!(
            error.to_string(),
            "not permitted to load BPF programs: CAP_PERFMON, CAP_BPF missing; run xelb as root"
        );
    }
}
