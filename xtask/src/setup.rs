//! Installs what building and testing need, and says what it does.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::{Context as _, Result, bail};

use crate::process::{self, command};

/// Version of bpf-linker.
const LINKER_VERSION: &str = "0.13.0";

/// Major version of the LLVM inside the pinned toolchain; bpf-linker must have the same, since it
/// reads what rustc writes.
const LLVM: &str = "22";

/// Debian packages of the lab, each with a program that it brings.
const PACKAGES: &[(&str, &str)] = &[
    ("iproute2", "ip"),
    ("ethtool", "ethtool"),
    ("tcpdump", "tcpdump"),
    ("nginx-light", "nginx"),
    ("curl", "curl"),
    ("iperf3", "iperf3"),
    ("wrk", "wrk"),
    ("bpftool", "bpftool"),
    ("python3-minimal", "python3"),
    ("util-linux", "nsenter"),
];

/// Everything.
pub(crate) fn run() -> Result<()> {
    build_tools()?;
    lab_tools()?;
    println!("setup: everything is there");
    Ok(())
}

/// What building needs.
pub(crate) fn build_tools() -> Result<()> {
    rust_components()?;
    bpf_linker()
}

/// What the lab needs.
pub(crate) fn lab_tools() -> Result<()> {
    let missing: Vec<&(&str, &str)> =
        PACKAGES.iter().filter(|(_, program)| !on_path(program)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = missing.iter().map(|(package, _)| *package).collect();
    if !on_path("apt-get") {
        let programs: Vec<&str> = missing.iter().map(|(_, program)| *program).collect();
        bail!("these programs are missing; install them: {}", programs.join(", "));
    }
    process::require_root("installing Debian packages")?;
    println!("setup: installing Debian packages: {}", names.join(" "));
    process::run(command("apt-get").args(["-qq", "update"]))?;
    process::run(
        command("apt-get")
            .env("DEBIAN_FRONTEND", "noninteractive")
            // The lab starts its own servers; the packages must not.
            .env("RUNLEVEL", "1")
            .args(["-qq", "install", "-y", "--no-install-recommends"])
            .args(names),
    )
}

fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Debian keeps administrators' programs out of users' PATH.
    let system = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    std::env::split_paths(&path).chain(system).any(|folder| folder.join(program).is_file())
}

fn sysroot() -> Result<PathBuf> {
    Ok(PathBuf::from(process::output(command("rustc").args(["--print", "sysroot"]))?.trim()))
}

fn rust_components() -> Result<()> {
    if sysroot()?.join("lib/rustlib/src/rust/library/core/Cargo.toml").is_file() {
        return Ok(());
    }
    println!("setup: adding rust-src, the source of core, which BPF programs are built with");
    process::run(command("rustup").args(["component", "add", "rust-src", "rustfmt", "clippy"]))
        .context("rust-src is needed; without rustup, install the source of your Rust 1.95.0")
}

/// A bpf-linker whose LLVM is the toolchain's: one on PATH that says so, or one in `target/`.
fn bpf_linker() -> Result<()> {
    let tools = crate::workspace().join("target/tools");
    if tools.join("bin/bpf-linker").is_file()
        || suits(&process::output(command("bpf-linker").arg("--version")))
    {
        return Ok(());
    }
    println!("setup: building bpf-linker {LINKER_VERSION} into target/tools (about a minute)");
    let started = Instant::now();
    let prefix = llvm_prefix(&tools)?;
    let scratch = tools.join("build");
    process::run(
        command("cargo")
            .env("LLVM_PREFIX", prefix)
            .args(["install", "--quiet", "bpf-linker", "--version", LINKER_VERSION, "--locked"])
            .args(["--no-default-features", "--features", &format!("llvm-{LLVM}"), "--root"])
            .arg(&tools)
            .arg("--target-dir")
            .arg(&scratch),
    )?;
    fs::remove_dir_all(&scratch).context("removing bpf-linker's build folder")?;
    println!("setup: bpf-linker is built ({} s)", started.elapsed().as_secs());
    Ok(())
}

/// `bpf-linker --version` prints the LLVM it was linked with.
fn suits(version: &Result<String>) -> bool {
    version.as_ref().is_ok_and(|text| text.contains(&format!("LLVM {LLVM}")))
}

/// A folder in which bpf-linker's build finds the toolchain's own LLVM.
fn llvm_prefix(tools: &Path) -> Result<PathBuf> {
    let libraries = sysroot()?.join("lib");
    let library = fs::read_dir(&libraries)?
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .find(|path| {
            path.file_name().is_some_and(|name| {
                name.to_string_lossy().starts_with(&format!("libLLVM.so.{LLVM}"))
            })
        })
        .with_context(|| format!("no libLLVM.so.{LLVM} in {}", libraries.display()))?;
    let prefix = tools.join("llvm");
    fs::create_dir_all(prefix.join("lib"))?;
    let link = prefix.join("lib/libLLVM.so");
    if link.is_symlink() {
        fs::remove_file(&link)?;
    }
    symlink(library, link)?;
    Ok(prefix)
}
