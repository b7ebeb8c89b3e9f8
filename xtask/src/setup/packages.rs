//! The programs that the lab's hosts run, and those that xelb is compared with, from Debian
//! packages. On other distributions they are only looked for: their package names are not known
//! here.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process;

use anyhow::{Context as _, Result, bail};

use super::Outcome;
use crate::workspace::{self, Workspace, find_in_path, is_root};

/// A Debian package, a program of it, and what the lab does with it.
struct Package {
    name: &'static str,
    /// What is looked for where there are no Debian packages: in PATH, or at an absolute path.
    program: &'static str,
    purpose: &'static str,
}

/// Packages that are needed together.
pub(super) struct Packages {
    whose: &'static str,
    list: &'static [Package],
}

const fn package(name: &'static str, program: &'static str, purpose: &'static str) -> Package {
    Package { name, program, purpose }
}

/// What the lab's hosts run.
pub(super) const LAB: Packages = Packages { whose: "the lab", list: LAB_LIST };
/// Programs that xelb is compared with.
pub(super) const BENCH: Packages = Packages { whose: "the measurements", list: BENCH_LIST };
/// Shells that complete command lines.
pub(super) const SHELLS: Packages = Packages { whose: "tests of completion", list: SHELL_LIST };

const SHELL_LIST: &[Package] = &[
    package("bash", "bash", "completion in bash"),
    package("zsh", "zsh", "completion in zsh"),
    package("fish", "fish", "completion in fish"),
];

/// Programs that a release is built with.
pub(super) const DIST: Packages = Packages { whose: "a release", list: DIST_LIST };

const DIST_LIST: &[Package] =
    &[package("musl-tools", "musl-gcc", "C parts of a program that is linked statically")];

/// What libFuzzer is compiled with.
pub(super) const FUZZ: Packages =
    Packages { whose: "fuzzing", list: &[package("g++", "g++", "libFuzzer, which is C++")] };

const LAB_LIST: &[Package] = &[
    package("iproute2", "ip", "network namespaces, links and routes"),
    package("ethtool", "ethtool", "offloads of links"),
    package("iputils-ping", "ping", "pings to a VIP"),
    package("tcpdump", "tcpdump", "what a target received"),
    package("nginx-light", "nginx", "HTTP servers"),
    package("curl", "curl", "HTTP clients"),
    package("iperf3", "iperf3", "throughput"),
    package("keepalived", "keepalived", "two balancers with VRRP"),
    package("wrk", "wrk", "many connections"),
    package("bpftool", "bpftool", "what the kernel holds"),
    package("python3-minimal", "python3", "small servers"),
    package("python3-venv", "python3", "contract tests of the API"),
    package("mmdebstrap", "mmdebstrap", "a clean system for the package"),
    package("podman", "podman", "containers that are members of a group"),
    package("runc", "runc", "what runs them, with any version of cgroups"),
    package("man-db", "man", "manual pages as people read them"),
    package("mandoc", "mandoc", "checks of manual pages"),
    package("systemd", "systemd-analyze", "checks of units"),
    package("systemd-container", "systemd-nspawn", "units under systemd"),
];

const BENCH_LIST: &[Package] = &[
    package("nftables", "nft", "a balancer of the kernel"),
    package("haproxy", "haproxy", "a balancer of connections"),
    package(
        "libnginx-mod-stream",
        "/usr/lib/nginx/modules/ngx_stream_module.so",
        "nginx as a balancer of connections",
    ),
    package("util-linux", "taskset", "what runs on which core"),
];

/// Installs the packages that are missing.
pub(super) fn ensure(workspace: &Workspace, packages: &Packages) -> Result<Outcome> {
    let Packages { whose, list } = packages;
    if find_in_path("dpkg-query").is_none() || find_in_path("apt-get").is_none() {
        return only_programs(packages);
    }
    let missing = missing_packages(list, &installed_packages(workspace, list)?);
    if missing.is_empty() {
        return Ok(Outcome::Present(format!("the Debian packages of {whose}")));
    }
    let names = missing.join(" ");
    if !is_root()? {
        bail!("packages are missing: as root, run `apt-get install {names}`");
    }
    println!("setup: installing Debian packages: {names}");
    let _policy = ServicePolicy::forbid()?;
    apt_get(workspace, &["update", "--quiet=2"])?;
    let install = ["install", "--quiet=2", "--yes", "--no-install-recommends"];
    apt_get(workspace, &[&install[..], &missing[..]].concat())?;
    if Path::new("/run/systemd/system").exists() {
        // The lab starts its own servers; the machine's must not appear at the next boot.
        for (package, unit) in [("nginx-light", "nginx"), ("haproxy", "haproxy")] {
            if missing.contains(&package) {
                workspace::run(workspace.program("systemctl").args(["--quiet", "disable", unit]))?;
            }
        }
    }
    Ok(Outcome::Installed(format!("Debian packages: {names}")))
}

fn apt_get(workspace: &Workspace, arguments: &[&str]) -> Result<()> {
    let mut command = workspace.program("apt-get");
    command
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive")
        // An unattended upgrade may hold the lock for a while.
        .args(["-o", "DPkg::Lock::Timeout=120"]);
    workspace::run(&mut command).context("the lab's programs come from Debian packages")
}

/// What `dpkg-query` says of the packages: lines of "name status".
fn installed_packages(workspace: &Workspace, list: &[Package]) -> Result<String> {
    let mut query = workspace.program("dpkg-query");
    query.args(["--show", "--showformat", "${Package} ${db:Status-Status}\n"]);
    query.args(list.iter().map(|package| package.name));
    // It fails when it does not know one of them, which is no error here.
    let output = query.output().context("cannot run dpkg-query")?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn missing_packages(list: &[Package], statuses: &str) -> Vec<&'static str> {
    let installed = |name: &str| statuses.lines().any(|line| line == format!("{name} installed"));
    list.iter().map(|package| package.name).filter(|name| !installed(name)).collect()
}

fn only_programs(packages: &Packages) -> Result<Outcome> {
    let found = |program: &str| Path::new(program).is_file() || find_in_path(program).is_some();
    let missing: Vec<String> = packages
        .list
        .iter()
        .filter(|package| !found(package.program))
        .map(|package| format!("{} ({})", package.program, package.purpose))
        .collect();
    if missing.is_empty() {
        return Ok(Outcome::Present(format!("the programs of {}", packages.whose)));
    }
    bail!(
        "this is no Debian, and programs are missing: {}; install them and try again",
        missing.join(", ")
    )
}

/// While it lives, installing a package starts no server: Debian's maintainer scripts ask this
/// file (invoke-rc.d(8)). A policy that the machine has already is left alone.
struct ServicePolicy {
    ours: bool,
}

const POLICY_PATH: &str = "/usr/sbin/policy-rc.d";

impl ServicePolicy {
    fn forbid() -> Result<Self> {
        let file = OpenOptions::new().write(true).create_new(true).mode(0o755).open(POLICY_PATH);
        match file {
            Ok(mut file) => {
                let policy = Self { ours: true };
                // Should this process be killed, the file that stays forbids nothing.
                let script = format!(
                    "#!/bin/sh\n# of cargo xtask setup; may be removed\n\
                     kill -0 {} 2>/dev/null && exit 101\nexit 0\n",
                    process::id()
                );
                file.write_all(script.as_bytes())
                    .with_context(|| format!("cannot write {POLICY_PATH}"))?;
                Ok(policy)
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(Self { ours: false }),
            Err(error) => Err(error).with_context(|| format!("cannot create {POLICY_PATH}")),
        }
    }
}

impl Drop for ServicePolicy {
    fn drop(&mut self) {
        if self.ours
            && let Err(error) = fs::remove_file(POLICY_PATH)
        {
            eprintln!("setup: remove {POLICY_PATH} by hand: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_installed_packages_count() {
        let line = |package: &Package| format!("{} installed\n", package.name);
        let all = LAB_LIST.iter().map(line).collect::<Vec<_>>().concat();
        let cases = [
            (all.clone(), vec![]),
            (all.replace("wrk installed", "wrk config-files"), vec!["wrk"]),
            (all.replace("curl installed\n", ""), vec!["curl"]),
            (all.replace("curl installed", "libcurl installed"), vec!["curl"]),
        ];
        for (statuses, expected) in cases {
            assert_eq!(missing_packages(LAB_LIST, &statuses), expected, "{statuses}");
        }
        assert_eq!(missing_packages(BENCH_LIST, "").len(), BENCH_LIST.len());
    }
}
