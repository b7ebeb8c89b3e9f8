//! Builds the BPF object, so that `xelb` is one file to copy.

use std::{
    env,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use aya_build::{Package, Toolchain};

/// The toolchain of rust-toolchain.toml.
const TOOLCHAIN: &str = "1.95.0";

fn main() -> Result<()> {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=../lb-ebpf");
    println!("cargo:rerun-if-changed=../lb-common");
    let path = search_path()?;
    let found = env::split_paths(&path).any(|folder| folder.join("bpf-linker").is_file());
    anyhow::ensure!(found, "bpf-linker not found; run `cargo xtask setup`");
    // SAFETY: build scripts have one thread.
    unsafe {
        env::set_var("PATH", path);
        // Stable compilers build core for BPF only when told that it may break.
        env::set_var("RUSTC_BOOTSTRAP", "1");
    }
    let package = Package {
        name: "lb-ebpf",
        root_dir: "../lb-ebpf",
        features: &["kernel"],
        ..Package::default()
    };
    aya_build::build_ebpf([package], Toolchain::Custom(TOOLCHAIN))
}

/// PATH, with the folder in front into which `cargo xtask setup` installs bpf-linker.
fn search_path() -> Result<std::ffi::OsString> {
    let manifest = env::var("CARGO_MANIFEST_DIR").context("cargo sets CARGO_MANIFEST_DIR")?;
    let workspace = Path::new(&manifest).parent().context("the package is in a workspace")?;
    let tools = workspace.join("target/tools/bin");
    let paths = env::var_os("PATH").unwrap_or_default();
    let all: Vec<PathBuf> = std::iter::once(tools).chain(env::split_paths(&paths)).collect();
    env::join_paths(all).context("a folder in PATH has a colon in its name")
}
