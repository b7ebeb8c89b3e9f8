//! Kernels and QEMU from Debian's packages, unpacked into folders below `target/kernels`: nothing is installed on
//! this machine, and its own list of sources stays as it is.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::workspace::{Workspace, output, run};

/// Debian's name for the newest kernel of a suite; that for machines in clouds is a third of the size.
const NEWEST: &str = "linux-image-cloud-amd64";

/// The suite that QEMU is from.
const EMULATOR_SUITE: &str = "bookworm";

/// QEMU, and a shell for what it boots.
const EMULATOR: &[&str] = &["qemu-system-x86", "busybox-static"];

/// A kernel that can be booted.
pub(super) struct Kernel {
    /// As `uname -r` says it.
    pub(super) release: String,
    /// The image.
    pub(super) image: PathBuf,
}

/// The newest kernel of a suite at the first download; it is kept until `target/kernels` is
/// removed.
pub(super) fn kernel(
    workspace: &Workspace,
    folder: &Path,
    name: &str,
    suite: &str,
) -> Result<Kernel> {
    let folder = folder.join(name);
    let (image, release) = (folder.join("vmlinuz"), folder.join("release"));
    if !image.is_file() || !release.is_file() {
        println!("kernels: downloading the kernel of Debian {suite} to {}", folder.display());
        fetch(workspace, &folder, suite).with_context(|| {
            format!("the kernel of Debian {suite} cannot be had, so nobody knows whether xelb runs on it")
        })?;
    }
    Ok(Kernel { release: fs::read_to_string(&release)?.trim().to_owned(), image })
}

fn fetch(workspace: &Workspace, folder: &Path, suite: &str) -> Result<()> {
    let apt = Apt::open(workspace, folder, suite)?;
    let depends = apt.fields(NEWEST, "Depends")?;
    let package = first_with(&depends, "linux-image-")
        .with_context(|| format!("{NEWEST} of {suite} depends on no kernel: {depends}"))?;
    let mut packages = vec![package.clone()];
    // Since 7.1 the image is in a package of its own.
    packages.extend(first_with(&apt.fields(&package, "Depends")?, "linux-binary-"));
    let root = folder.join("root");
    for package in &packages {
        apt.unpack(package, &root)?;
    }
    let release = package.trim_start_matches("linux-image-").to_owned();
    let places = [format!("boot/vmlinuz-{release}"), format!("usr/lib/modules/{release}/vmlinuz")];
    let image = places.iter().map(|place| root.join(place)).find(|place| place.is_file());
    let image = image.with_context(|| format!("{} has no kernel", packages.join(" and ")))?;
    fs::rename(image, folder.join("vmlinuz"))?;
    fs::remove_dir_all(&root)?;
    // Last: it says that all is there.
    fs::write(folder.join("release"), release)?;
    Ok(())
}

/// The folder of a system that has QEMU; it is run in there.
pub(super) fn emulator(workspace: &Workspace, folder: &Path) -> Result<PathBuf> {
    let folder = folder.join("emulator");
    let (root, whole) = (folder.join("root"), folder.join("whole"));
    if !whole.is_file() {
        println!("kernels: downloading QEMU to {}", folder.display());
        let apt = Apt::open(workspace, &folder, EMULATOR_SUITE)?;
        apt.unpack_with_all(EMULATOR, &root).context("QEMU cannot be had")?;
        fs::create_dir_all(root.join("machine"))?;
        fs::write(&whole, "")?;
    }
    Ok(root)
}

/// The first package of a list of dependencies whose name starts so.
fn first_with(depends: &str, start: &str) -> Option<String> {
    let name = |one: &str| one.split_whitespace().next().map(str::to_owned);
    depends.split([',', '|']).filter_map(name).find(|name| name.starts_with(start))
}

/// apt with one suite, and with state of its own that knows of no installed package.
struct Apt<'a> {
    workspace: &'a Workspace,
    folder: PathBuf,
}

impl<'a> Apt<'a> {
    fn open(workspace: &'a Workspace, folder: &Path, suite: &str) -> Result<Self> {
        let folder = folder.join("apt");
        for part in ["lists/partial", "cache/archives/partial"] {
            fs::create_dir_all(folder.join(part))?;
        }
        let apt = Self { workspace, folder };
        let mirror = mirror(workspace)?;
        fs::write(apt.folder.join("sources.list"), format!("deb {mirror} {suite} main\n"))?;
        let place = apt.folder.display();
        let settings = [
            format!("Dir::State::lists \"{place}/lists\";"),
            "Dir::State::status \"/dev/null\";".to_owned(),
            format!("Dir::Cache \"{place}/cache\";"),
            format!("Dir::Etc::sourcelist \"{place}/sources.list\";"),
            "Dir::Etc::sourceparts \"-\";".to_owned(),
            "APT::Architecture \"amd64\";".to_owned(),
            "APT::Install-Recommends \"false\";".to_owned(),
            "APT::Sandbox::User \"root\";".to_owned(),
            "Acquire::Languages \"none\";".to_owned(),
            "Acquire::Retries \"3\";".to_owned(),
        ];
        fs::write(apt.folder.join("apt.conf"), settings.join("\n"))?;
        run(apt.program("apt-get").args(["update", "--quiet=2"]))?;
        Ok(apt)
    }

    /// A program of apt with this state.
    fn program(&self, name: &str) -> Command {
        let mut command = self.workspace.program(name);
        command.env("APT_CONFIG", self.folder.join("apt.conf")).env("LC_ALL", "C");
        command
    }

    /// A field of the newest package of this name.
    fn fields(&self, package: &str, field: &str) -> Result<String> {
        let mut show = self.program("apt-cache");
        let text = output(show.args(["show", "--no-all-versions", package]))?;
        let value = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(": "));
        Ok(value.unwrap_or_default().to_owned())
    }

    /// Unpacks a package into a folder.
    fn unpack(&self, package: &str, root: &Path) -> Result<()> {
        let archives = self.folder.join("one");
        fs::create_dir_all(&archives)?;
        let mut download = self.program("apt-get");
        run(download.current_dir(&archives).args(["download", "--quiet=2", package]))?;
        self.extract(&archives, root)?;
        Ok(fs::remove_dir_all(&archives)?)
    }

    /// Unpacks packages, and all that they depend on, into a folder.
    fn unpack_with_all(&self, packages: &[&str], root: &Path) -> Result<()> {
        let mut download = self.program("apt-get");
        download.args(["install", "--quiet=2", "--yes", "--download-only"]).args(packages);
        run(&mut download)?;
        let archives = self.folder.join("cache/archives");
        self.extract(&archives, root)?;
        Ok(fs::remove_dir_all(&archives)?)
    }

    fn extract(&self, archives: &Path, root: &Path) -> Result<()> {
        let mut count = 0;
        for file in fs::read_dir(archives)? {
            let file = file?.path();
            if file.extension().is_some_and(|extension| extension == "deb") {
                run(self.workspace.program("dpkg-deb").arg("--extract").arg(&file).arg(root))?;
                count += 1;
            }
        }
        ensure!(count > 0, "no package in {}", archives.display());
        Ok(())
    }
}

/// The mirror of Debian that this machine is set up for.
fn mirror(workspace: &Workspace) -> Result<String> {
    let ask = || {
        let mut targets = workspace.program("apt-get");
        targets.args(["indextargets", "--format", "$(REPO_URI)"]);
        let targets = targets.args(["Created-By: Packages", "Label: Debian"]);
        output(targets).context("this stage needs apt, and Debian's packages")
    };
    let mut text = ask()?;
    if text.trim().is_empty() {
        // The labels are in the lists that this downloads.
        run(workspace.program("apt-get").args(["update", "--quiet=2"]))?;
        text = ask()?;
    }
    let mirror = text.lines().next().map(str::to_owned);
    mirror.context("apt knows no mirror of Debian")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_is_found_among_dependencies() {
        let depends = "dracut | initramfs-tools (>= 0.120), linux-base-7.3 (= 7.3.4), linux-binary-7.3 (= 7.3.4)";
        assert_eq!(first_with(depends, "linux-binary-").as_deref(), Some("linux-binary-7.3"));
        assert_eq!(first_with(depends, "linux-image-"), None);
        assert_eq!(
            first_with("linux-image-6.1 (= 1)", "linux-image-").as_deref(),
            Some("linux-image-6.1")
        );
    }
}
