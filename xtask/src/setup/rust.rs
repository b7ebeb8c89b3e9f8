//! Components of the pinned Rust toolchain. The toolchain itself is cargo's and rustup's matter:
//! without it this program would not run.

use std::path::PathBuf;

use anyhow::{Context as _, Result};

use super::Outcome;
use crate::workspace::{self, Workspace};

/// A component, and how it is recognised without rustup.
pub(super) struct Component {
    /// Its name in rustup.
    name: &'static str,
    /// A file of it, below the toolchain's root.
    witness: &'static str,
    /// What to do where rustup cannot download it.
    otherwise: &'static str,
}

pub(super) const RUST_SRC: Component = Component {
    name: "rust-src",
    witness: "lib/rustlib/src/rust/library/core/src/lib.rs",
    otherwise: "unpack the `library` folder of the same Rust version below lib/rustlib/src/rust of \
                the toolchain",
};
pub(super) const RUSTFMT: Component =
    Component { name: "rustfmt", witness: "bin/cargo-fmt", otherwise: "install it by other means" };
pub(super) const CLIPPY: Component = Component {
    name: "clippy",
    witness: "bin/cargo-clippy",
    otherwise: "install it by other means",
};

/// Installs a component unless it is there.
pub(super) fn component(workspace: &Workspace, component: &Component) -> Result<Outcome> {
    let Component { name, witness, otherwise } = component;
    let sysroot = sysroot(workspace)?;
    if sysroot.join(witness).is_file() {
        return Ok(Outcome::Present(format!("{name} of {}", sysroot.display())));
    }
    println!("setup: {name} is missing: adding it with rustup");
    workspace::run(workspace.program("rustup").args(["component", "add", name])).with_context(
        || {
            format!(
                "{name} is needed in {}; if rustup cannot add it, {otherwise}",
                sysroot.display()
            )
        },
    )?;
    Ok(Outcome::Installed(format!("{name} in {}", sysroot.display())))
}

/// Installs the standard library for static programs unless it is there.
pub(super) fn musl_target(workspace: &Workspace) -> Result<Outcome> {
    let target = format!("{}-unknown-linux-musl", std::env::consts::ARCH);
    let library = sysroot(workspace)?.join("lib/rustlib").join(&target).join("lib");
    if library.is_dir() {
        return Ok(Outcome::Present(format!("the standard library for {target}")));
    }
    println!("setup: the standard library for {target} is missing: adding it with rustup");
    workspace::run(workspace.program("rustup").args(["target", "add", &target]))
        .context("a static program needs it")?;
    Ok(Outcome::Installed(format!("the standard library for {target}")))
}

/// The root of the toolchain that compiles the workspace.
pub(crate) fn sysroot(workspace: &Workspace) -> Result<PathBuf> {
    let printed = workspace::output(workspace.program("rustc").args(["--print", "sysroot"]))?;
    Ok(PathBuf::from(printed.trim_end()))
}
