//! A machine that QEMU emulates, from its start to its end.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

use super::debian::Kernel;
use crate::workspace::{Workspace, shown};

/// A boot takes 15 to 60 seconds on an idle machine. Text: for timeout(1).
const SECONDS_MAX: &str = "900";

/// The maps take 135 MiB, some are there twice while programs are loaded, and the image is in memory twice.
const MEMORY_MIB: &str = "2048";

/// Messages of errors only, and the end instead of a wait for somebody at a panic. The last word is for
/// emulation: a timer that comes late on a busy machine is no fault of the hardware.
const COMMAND_LINE: &str = "console=ttyS0 quiet panic=-1 mitigations=off no_timer_check";

/// Boots it; what it says goes to the file `console`.
pub(super) fn boot(
    workspace: &Workspace,
    system: &Path,
    kernel: &Kernel,
    image: &Path,
    console: &Path,
) -> Result<()> {
    let place = system.join("machine");
    fs::copy(&kernel.image, place.join("vmlinuz"))?;
    fs::copy(image, place.join("image.cpio"))?;
    let mut command: Command = workspace.program("timeout");
    command.arg(SECONDS_MAX).arg("chroot").arg(system).arg("/usr/bin/qemu-system-x86_64");
    command.args(["-machine", "q35,accel=tcg", "-cpu", "max", "-m", MEMORY_MIB]);
    command.args(["-nodefaults", "-no-reboot", "-display", "none", "-serial", "stdio"]);
    command.args(["-kernel", "/machine/vmlinuz", "-initrd", "/machine/image.cpio"]);
    command.args(["-append", COMMAND_LINE]);
    let file = File::create(console)?;
    command.stdin(Stdio::null()).stderr(file.try_clone()?).stdout(file);
    let status = command.status().with_context(|| format!("cannot run {}", shown(&command)))?;
    ensure!(
        status.code() != Some(124),
        "Linux {} was not done after {SECONDS_MAX} s; what it said is in {}",
        kernel.release,
        console.display()
    );
    ensure!(status.success(), "QEMU failed ({status}): see {}", console.display());
    Ok(())
}
