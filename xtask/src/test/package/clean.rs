//! A clean Debian system in a folder: what is essential, systemd, and a few programs of operators.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{self, Command};

use anyhow::{Context as _, Result};

use crate::workspace::{Workspace, output, run};

/// Its packages in addition to the essential ones.
const INCLUDED: &str = "systemd,iproute2,curl,openssl,ethtool,procps,passwd,prometheus";

/// What would start with the system; those who want it start it.
const DISABLE: &str = "--customize-hook=chroot \"$1\" systemctl --quiet disable prometheus";

/// The folder; gone when this is dropped.
pub(super) struct CleanRoot {
    path: PathBuf,
}

impl CleanRoot {
    /// Unpacks one. It is downloaded once for each release of Debian, and for each list of packages.
    pub(super) fn unpack(workspace: &Workspace) -> Result<Self> {
        let folder = workspace.target_dir.join("package");
        fs::create_dir_all(&folder)?;
        let suite = suite(&fs::read_to_string("/etc/os-release")?)
            .context("/etc/os-release names no release of Debian")?
            .to_owned();
        let archive = folder.join(format!("clean-{suite}-{}.tar", INCLUDED.replace(',', "-")));
        if !archive.is_file() {
            println!("package: making a clean Debian {suite} in {}", archive.display());
            let draft = folder.join(format!("clean-{suite}.{}.tar", process::id()));
            let mut make = workspace.program("mmdebstrap");
            make.args(["--quiet", "--variant=essential", DISABLE]);
            run(make.arg(format!("--include={INCLUDED}")).arg(&suite).arg(&draft))?;
            fs::rename(&draft, &archive)?;
        }
        let root = Self { path: folder.join(format!("clean-{}", process::id())) };
        fs::create_dir_all(&root.path)?;
        run(workspace.program("tar").arg("-xf").arg(&archive).arg("-C").arg(&root.path))?;
        Ok(root)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Runs a program in it, and gives what it says.
    pub(super) fn output(&self, program: &str, arguments: &[&str]) -> Result<String> {
        let mut chroot = Command::new("chroot");
        chroot.arg(&self.path).arg(program).args(arguments).env_clear();
        chroot.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("LC_ALL", "C");
        chroot.env("DEBIAN_FRONTEND", "noninteractive").stdin(process::Stdio::null());
        output(&mut chroot)
    }
}

impl Drop for CleanRoot {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.path) {
            eprintln!("package: remove {} by hand: {error}", self.path.display());
        }
    }
}

/// The name of the release.
fn suite(os_release: &str) -> Option<&str> {
    os_release.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_release_has_a_name() {
        let text = "ID=debian\nVERSION_CODENAME=bookworm\n";
        assert_eq!((suite(text), suite("ID=arch\n")), (Some("bookworm"), None));
    }
}
