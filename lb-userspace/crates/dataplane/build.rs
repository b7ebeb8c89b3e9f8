//! Builds the BPF objects of the data path, which `xelb` embeds: one file to copy.
//!
//! It downloads and installs nothing: that is `cargo xtask setup`. The objects are in `$OUT_DIR`.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result, anyhow, bail};
use aya_build::{Package, Toolchain};

/// The toolchain's pin, for the case that cargo does not say which toolchain it belongs to.
const TOOLCHAIN_FILE: &str = include_str!("../../../rust-toolchain.toml");

/// CPU v3 (Linux 5.1): 32-bit arithmetic and jumps. It costs nothing, since an XDP link needs
/// Linux 5.9 anyway; the default of the target is v1.
///
/// LLVM's feature for misaligned access is deliberately not used: see ARCHITECTURE.md.
const BPF_FLAGS: &str = "-Ctarget-cpu=v3";

/// The crate's folder, seen from the workspace.
const OWN_DEPTH: usize = 3;

/// Directories above `OUT_DIR` among which the target directory is looked for.
const TARGET_DIR_DEPTH_MAX: usize = 6;

fn main() -> ExitCode {
    match build() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("cargo::error={error:#}");
            ExitCode::FAILURE
        }
    }
}

fn build() -> Result<()> {
    // aya-build reports changes of lb-ebpf by itself.
    for path in ["../../../lb-common", "../../../Cargo.toml", "../../../Cargo.lock"] {
        println!("cargo::rerun-if-changed={path}");
    }
    let target_dir = target_dir()?;
    let path = search_path(&target_dir)?;
    let settings: [(&str, OsString); 7] = [
        ("PATH", path),
        // The core library is built for BPF, which a stable compiler does only on request.
        ("RUSTC_BOOTSTRAP", "1".into()),
        // aya-build overwrites RUSTFLAGS; the flags of the profile it leaves alone.
        ("CARGO_UNSTABLE_PROFILE_RUSTFLAGS", "true".into()),
        ("CARGO_PROFILE_RELEASE_RUSTFLAGS", bpf_flags()?.into()),
        // Procedural macros run on this machine, which is no BPF CPU.
        ("CARGO_PROFILE_RELEASE_BUILD_OVERRIDE_RUSTFLAGS", "".into()),
        // Only the compiler's warnings and errors; cargo shows each line of this as a warning.
        ("CARGO_TERM_QUIET", "true".into()),
        // One core library for every profile of the agent, and for clippy.
        ("CARGO_BUILD_BUILD_DIR", target_dir.join("bpf").into()),
    ];
    for (name, value) in settings {
        // SAFETY: this program has one thread until aya-build starts its own, later.
        unsafe { env::set_var(name, value) };
    }
    let package = Package {
        name: "lb-ebpf",
        root_dir: "../../../lb-ebpf",
        no_default_features: false,
        features: &["kernel"],
    };
    aya_build::build_ebpf([package], Toolchain::Custom(&toolchain()?))
        .context("the BPF objects were not built; the compiler's messages are above")
}

/// The toolchain that compiles the agent too: the LLVM of bpf-linker is the compiler's.
fn toolchain() -> Result<String> {
    // Set by rustup, for whatever cargo starts.
    if let Ok(name) = env::var("RUSTUP_TOOLCHAIN") {
        return Ok(name);
    }
    TOOLCHAIN_FILE
        .lines()
        .find_map(|line| line.strip_prefix("channel = \"")?.strip_suffix('"'))
        .map(str::to_owned)
        .ok_or_else(|| anyhow!("rust-toolchain.toml names no channel"))
}

/// Flags for the BPF objects. Their line information has no path of this machine, so that the same
/// sources give the same bytes in every folder.
fn bpf_flags() -> Result<String> {
    let package = env::var_os("CARGO_MANIFEST_DIR").context("CARGO_MANIFEST_DIR is not set")?;
    let root = Path::new(&package).ancestors().nth(OWN_DEPTH).context("no workspace")?;
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cargo")));
    let compiler = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let sysroot = Command::new(compiler).args(["--print", "sysroot"]).output();
    let sysroot = sysroot.ok().and_then(|output| String::from_utf8(output.stdout).ok());
    let paths = [
        (Some(root.to_owned()), "/xelb"),
        (home, "/cargo"),
        (sysroot.map(|path| PathBuf::from(path.trim())), "/rust"),
    ];
    let mut flags = BPF_FLAGS.to_owned();
    for (path, name) in paths {
        // Cargo takes these flags apart at blanks.
        if let Some(path) = path.as_deref().and_then(Path::to_str)
            && !path.is_empty()
            && !path.contains(char::is_whitespace)
        {
            flags.extend([" --remap-path-prefix=", path, "=", name]);
        }
    }
    Ok(flags)
}

/// Cargo's target directory, wherever CARGO_TARGET_DIR, a configuration or an option put it.
fn target_dir() -> Result<PathBuf> {
    let out_dir = PathBuf::from(env::var_os("OUT_DIR").context("OUT_DIR is not set")?);
    // Builds for a named target are in a folder of their own, which looks like another target directory.
    let above = out_dir
        .ancestors()
        .take(TARGET_DIR_DEPTH_MAX)
        .filter(|dir| {
            dir.join("CACHEDIR.TAG").exists() || dir.join("tools/bin/bpf-linker").exists()
        })
        .last();
    if let Some(dir) = above {
        return Ok(dir.to_owned());
    }
    let package = env::var_os("CARGO_MANIFEST_DIR").context("CARGO_MANIFEST_DIR is not set")?;
    let root =
        Path::new(&package).ancestors().nth(OWN_DEPTH).context("the package has no workspace")?;
    Ok(root.join("target"))
}

/// PATH, with the tools of `cargo xtask setup` first.
fn search_path(target_dir: &Path) -> Result<OsString> {
    let tools = target_dir.join("tools/bin");
    let inherited = env::var_os("PATH").unwrap_or_default();
    let mut dirs: Vec<PathBuf> = env::split_paths(&inherited).collect();
    dirs.insert(0, tools);
    let Some(linker) = dirs.iter().map(|dir| dir.join("bpf-linker")).find(|file| file.is_file())
    else {
        bail!("bpf-linker not found; run `cargo xtask setup`");
    };
    println!("cargo::rerun-if-changed={}", linker.display());
    env::join_paths(dirs).context("a directory in PATH has a colon in its name")
}
