//! The initramfs of a kernel: an archive in the form `newc` of cpio, with a shell, the test and its
//! libraries (Documentation/driver-api/early-userspace/buffer-format.rst of the kernel).

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::workspace::{Workspace, output, run};

/// Other names of the shell.
const COMMANDS: &[&str] = &["sh", "mount", "cat", "echo", "poweroff", "uname"];

const FILE: u32 = 0o100_755;
const FOLDER: u32 = 0o040_755;
const LINK: u32 = 0o120_777;

/// Makes the archive; the test `datapath` runs what has `choice` in its name.
pub(super) fn make(
    workspace: &Workspace,
    folder: &Path,
    system: &Path,
    choice: &str,
) -> Result<PathBuf> {
    let test = stripped(workspace, folder, &test(workspace)?)?;
    let mut archive = Archive::default();
    for name in ["bin", "dev", "proc", "sys", "run", "tmp"] {
        archive.folder(name);
    }
    archive.file("bin/busybox", &fs::read(system.join("bin/busybox"))?);
    for name in COMMANDS {
        archive.entry(&format!("bin/{name}"), LINK, b"busybox");
    }
    archive.file("bin/datapath", &fs::read(&test)?);
    for library in libraries(&output(workspace.program("ldd").arg(&test))?) {
        archive.file_with_folders(library.trim_start_matches('/'), &fs::read(&library)?);
    }
    archive.file("init", script(choice).as_bytes());
    let path = folder.join("image.cpio");
    fs::write(&path, archive.finish())?;
    Ok(path)
}

/// What the machine does: [`super::report`] reads what it says.
fn script(choice: &str) -> String {
    format!(
        "#!/bin/sh\n\
         export PATH=/bin\n\
         mount -t proc proc /proc\n\
         mount -t sysfs sysfs /sys\n\
         mount -t devtmpfs devtmpfs /dev\n\
         mount -t tmpfs tmpfs /tmp\n\
         echo \"kernels: booted $(uname -r)\"\n\
         datapath --nocapture --test-threads 1 {choice} 2>&1\n\
         echo \"kernels: ended $?\"\n\
         poweroff -f\n"
    )
}

/// The test, as Cargo has built it.
fn test(workspace: &Workspace) -> Result<PathBuf> {
    let mut build = workspace.cargo(["test", "--workspace", "--test", "datapath", "--no-run"]);
    let text = output(build.args(["--quiet", "--message-format=json"]))?;
    let executable = text.lines().find_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        (message["target"]["name"] == "datapath")
            .then(|| message["executable"].as_str().map(PathBuf::from))?
    });
    executable.context("Cargo does not say where the test `datapath` is")
}

/// A copy without what debuggers want: a tenth of its size.
fn stripped(workspace: &Workspace, folder: &Path, program: &Path) -> Result<PathBuf> {
    let path = folder.join("datapath");
    run(workspace.program("strip").arg("-o").arg(&path).arg(program))?;
    Ok(path)
}

/// Where ldd finds libraries, and the one that loads them.
fn libraries(text: &str) -> BTreeSet<String> {
    let words = text.split_whitespace().filter(|word| word.starts_with('/'));
    words.map(|word| word.trim_end_matches(':').to_owned()).collect()
}

/// An archive that is being made.
#[derive(Default)]
struct Archive {
    bytes: Vec<u8>,
    folders: BTreeSet<String>,
    count: u32,
}

impl Archive {
    fn folder(&mut self, name: &str) {
        if self.folders.insert(name.to_owned()) {
            self.entry(name, FOLDER, &[]);
        }
    }

    fn file(&mut self, name: &str, content: &[u8]) {
        self.entry(name, FILE, content);
    }

    fn file_with_folders(&mut self, name: &str, content: &[u8]) {
        for (at, _) in name.match_indices('/') {
            self.folder(&name[..at]);
        }
        self.file(name, content);
    }

    fn entry(&mut self, name: &str, mode: u32, content: &[u8]) {
        self.count += 1;
        self.bytes.extend_from_slice(b"070701");
        let links = 1;
        // Inode, mode, owner, group, links, time, size, four numbers of devices, length of the name, checksum.
        let (size, name_size) = (content.len(), name.len() + 1);
        let number = |value: usize| format!("{value:08X}");
        let fields =
            [self.count as usize, mode as usize, 0, 0, links, 0, size, 0, 0, 0, 0, name_size, 0];
        for field in fields {
            self.bytes.extend_from_slice(number(field).as_bytes());
        }
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend_from_slice(content);
        self.pad();
    }

    /// Names and contents begin at multiples of four.
    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }

    fn finish(mut self) -> Vec<u8> {
        self.entry("TRAILER!!!", 0, &[]);
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_is_aligned_and_ends() {
        let mut archive = Archive::default();
        archive.file_with_folders("a/b/c", b"text!");
        archive.file_with_folders("a/b/d", b"");
        assert_eq!(archive.count, 4);
        let bytes = archive.finish();
        assert_eq!(bytes.len() % 4, 0);
        assert!(bytes.starts_with(b"07070100000001000041ED"));
        assert!(bytes.windows(10).any(|window| window == b"TRAILER!!!"));
    }

    #[test]
    fn libraries_are_those_that_have_a_place() {
        let text =
            "\tlinux-vdso.so.1 (0x1)\n\tlibc.so.6 => /lib/libc.so.6 (0x2)\n\t/lib64/ld.so (0x3)\n";
        let found: Vec<String> = libraries(text).into_iter().collect();
        assert_eq!(found, ["/lib/libc.so.6", "/lib64/ld.so"]);
    }
}
