//! bpf-linker: it generates BPF code from the compiler's intermediate code, therefore its LLVM must
//! be the compiler's. crates.io has its source only; it is built inside the target directory.
//!
//! `target/tools/bin/bpf-linker` is the one that lb-userspace/crates/dataplane/build.rs uses. It may be a link to one
//! that the machine has already.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, Result, anyhow};

use super::{Outcome, rust};
use crate::workspace::{self, Workspace};

/// The version that the project is tested with. 0.13 is the first that can allow loads at any
/// alignment, which lb-userspace/crates/dataplane/build.rs asks for.
const VERSION: &str = "0.13.0";

/// Installs bpf-linker below the target directory unless one that fits is there.
pub(super) fn ensure(workspace: &Workspace) -> Result<Outcome> {
    let tools = workspace.target_dir.join("tools");
    let installed = tools.join("bin/bpf-linker");
    let sysroot = rust::sysroot(workspace)?;
    if runs(workspace, &installed, &sysroot) {
        return Ok(Outcome::Present(format!("bpf-linker {VERSION} at {}", installed.display())));
    }
    let llvm = shared_llvm(&sysroot)?;
    if let Some(found) = workspace::find_in_path("bpf-linker")
        && runs(workspace, &found, &sysroot)
        && uses_llvm(&fs::read(&found).unwrap_or_default(), &llvm)
    {
        link(&found, &installed)?;
        return Ok(Outcome::Installed(format!("bpf-linker: {} is used", found.display())));
    }
    build(workspace, &tools, &llvm)?;
    Ok(Outcome::Installed(format!("bpf-linker {VERSION} at {}", installed.display())))
}

/// Whether a bpf-linker starts, finds the LLVM of the toolchain, and has the right version.
///
/// The one that is built here names the compiler's LLVM by its full version, so that it does not
/// start with the LLVM of another toolchain.
fn runs(workspace: &Workspace, linker: &Path, sysroot: &Path) -> bool {
    if !linker.is_file() {
        return false;
    }
    let mut command = workspace.program(&linker.to_string_lossy());
    command.arg("--version").env("LD_LIBRARY_PATH", sysroot.join("lib"));
    workspace::output(&mut command).is_ok_and(|said| said.trim() == format!("bpf-linker {VERSION}"))
}

/// The shared LLVM library of the toolchain: `lib/libLLVM.so.22.1-rust-1.95.0-stable`.
fn shared_llvm(sysroot: &Path) -> Result<PathBuf> {
    let lib = sysroot.join("lib");
    let entries = fs::read_dir(&lib).with_context(|| format!("cannot read {}", lib.display()))?;
    entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.file_name().and_then(OsStr::to_str).and_then(llvm_major).is_some())
        .ok_or_else(|| {
            anyhow!(
                "no libLLVM.so.* in {}: the Rust toolchain has LLVM built in; use rustup's toolchain",
                lib.display()
            )
        })
}

/// The major version in the file name of a shared LLVM library.
fn llvm_major(file_name: &str) -> Option<u32> {
    file_name.strip_prefix("libLLVM.so.")?.split_once('.')?.0.parse().ok()
}

/// Whether a program is linked to this shared library: only then its LLVM is known.
fn uses_llvm(program: &[u8], llvm: &Path) -> bool {
    let Some(name) = llvm.file_name() else {
        return false;
    };
    let name = name.as_encoded_bytes();
    !name.is_empty() && program.windows(name.len()).any(|window| window == name)
}

fn link(found: &Path, installed: &Path) -> Result<()> {
    let dir = installed.parent().ok_or_else(|| anyhow!("no directory for bpf-linker"))?;
    fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
    replace_link(found, installed)
}

/// Makes `link` point at `original`, whatever it was before.
fn replace_link(original: &Path, link: &Path) -> Result<()> {
    if link.symlink_metadata().is_ok() {
        fs::remove_file(link).with_context(|| format!("cannot remove {}", link.display()))?;
    }
    symlink(original, link).with_context(|| format!("cannot create {}", link.display()))
}

/// Builds bpf-linker from crates.io against the compiler's LLVM.
fn build(workspace: &Workspace, tools: &Path, llvm: &Path) -> Result<()> {
    let name = llvm.file_name().and_then(OsStr::to_str).unwrap_or_default();
    let major = llvm_major(name).ok_or_else(|| anyhow!("{name} names no LLVM version"))?;
    println!("setup: building bpf-linker {VERSION} against {name}: about a minute");
    // The build script of llvm-sys looks for a library of this name; rustup has a linker script
    // with this name, which it does not understand.
    let prefix = tools.join("llvm");
    let lib = prefix.join("lib");
    fs::create_dir_all(&lib).with_context(|| format!("cannot create {}", lib.display()))?;
    replace_link(llvm, &lib.join("libLLVM.so"))?;

    let build_dir = workspace.target_dir.join("bpf-linker");
    let mut install = workspace.cargo(["install", "bpf-linker", "--locked", "--force"]);
    // Without optimisation: a third of the time, and the work is LLVM's, which is built already.
    install
        .args(["--version", VERSION, "--no-default-features", "--debug"])
        .args(["--features", &format!("llvm-{major}")])
        .arg("--root")
        .arg(tools)
        .env("CARGO_TARGET_DIR", &build_dir)
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        .env("LLVM_PREFIX", &prefix)
        .stdin(Stdio::null());
    let result = workspace::run(&mut install)
        .context("bpf-linker was not built; it needs a C linker (Debian: gcc) and crates.io");
    if build_dir.exists() {
        fs::remove_dir_all(&build_dir)
            .with_context(|| format!("cannot remove {}", build_dir.display()))?;
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn llvm_versions_are_read_from_file_names() {
        let cases = [
            ("libLLVM.so.22.1-rust-1.95.0-stable", Some(22)),
            ("libLLVM.so.19.1", Some(19)),
            ("libLLVM-22-rust-1.95.0-stable.so", None),
            ("libLLVM.so", None),
            ("librustc_driver-61.so", None),
        ];
        for (name, expected) in cases {
            assert_eq!(llvm_major(name), expected, "{name}");
        }
    }

    #[test]
    fn only_a_program_that_names_the_library_uses_it() {
        let llvm = Path::new("/lib/libLLVM.so.22.1-rust-1.95.0-stable");
        let cases: [(&[u8], bool); 3] = [
            (b"\0libgcc_s.so.1\0libLLVM.so.22.1-rust-1.95.0-stable\0", true),
            (b"\0libgcc_s.so.1\0libLLVM.so.21.1\0", false),
            (b"", false),
        ];
        for (program, expected) in cases {
            assert_eq!(uses_llvm(program, llvm), expected, "{}", program.escape_ascii());
        }
    }

    #[test]
    fn a_link_replaces_what_was_there() {
        let dir = tempfile::tempdir().unwrap();
        let link = dir.path().join("bpf-linker");
        fs::write(&link, "old").unwrap();
        for original in ["/first", "/second"] {
            replace_link(Path::new(original), &link).unwrap();
            assert_eq!(fs::read_link(&link).unwrap(), Path::new(original));
        }
    }
}
