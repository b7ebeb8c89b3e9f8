//! A machine that QEMU emulates, from its start to its end.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use super::debian::Kernel;
use crate::workspace::{Workspace, human, shown};

/// The maps take 135 MiB, some are there twice while programs are loaded, and the image is in memory twice.
const MEMORY_MIB: &str = "2048";

/// Only messages of errors, and power-off instead of a wait after a panic. The last word is for
/// emulation: a timer that comes late on a busy machine is no fault of the hardware.
const COMMAND_LINE: &str = "console=ttyS0 quiet panic=-1 mitigations=off no_timer_check";

/// Where the emulator finds what it boots, in its own system.
const PLACE: &str = "/machine";

/// The initial root file system of all machines goes to the emulator.
pub(super) fn place_image(system: &Path, image: &Path) -> Result<()> {
    let place = system.join(PLACE.trim_start_matches('/'));
    fs::copy(image, place.join("image.cpio"))?;
    Ok(())
}

/// Boots it with the image that was placed; what it says goes to the file `console`. It is given up after
/// `patience`. Several may run at the same time, each with another kernel.
pub(super) fn boot(
    workspace: &Workspace,
    system: &Path,
    kernel: &Kernel,
    console: &Path,
    patience: Duration,
) -> Result<()> {
    let linux = format!("{PLACE}/vmlinuz-{}", kernel.release);
    fs::copy(&kernel.image, system.join(linux.trim_start_matches('/')))?;
    let mut command: Command = workspace.program("timeout");
    command
        .arg(patience.as_secs().to_string())
        .arg("chroot")
        .arg(system)
        .arg("/usr/bin/qemu-system-x86_64");
    command.args(["-machine", "q35,accel=tcg", "-cpu", "max", "-m", MEMORY_MIB]);
    command.args(["-nodefaults", "-no-reboot", "-display", "none", "-serial", "stdio"]);
    command.args(["-kernel", &linux, "-initrd", &format!("{PLACE}/image.cpio")]);
    command.args(["-append", COMMAND_LINE]);
    let file = File::create(console)?;
    command.stdin(Stdio::null()).stderr(file.try_clone()?).stdout(file);
    let status = command.status().with_context(|| format!("cannot run {}", shown(&command)))?;
    ensure!(
        status.code() != Some(124),
        "Linux {} was not done after {}; what it said is in {}",
        kernel.release,
        human(patience),
        console.display()
    );
    ensure!(status.success(), "QEMU failed ({status}): see {}", console.display());
    Ok(())
}
