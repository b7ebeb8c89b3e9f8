//! Archives whose bytes depend on nothing but names, modes and contents of files: not on owners, not on
//! times, not on the order in which a file system lists them.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::workspace::run;

/// An archive of a file or folder `name` in `folder`, in which every file is as old as `epoch` (seconds since
/// 1970) and belongs to root.
pub(super) fn tar(folder: &Path, name: &str, to: &Path, epoch: &str) -> Result<PathBuf> {
    let mut tar = Command::new("tar");
    // The format of GNU has one time for each file; that of POSIX would add when it was read.
    tar.args(["--create", "--format=gnu", "--sort=name"]);
    tar.args(["--owner=0", "--group=0", "--numeric-owner", "--mode=u=rwX,go=rX,o-w"]);
    tar.arg(format!("--mtime=@{epoch}")).arg("--file").arg(to);
    run(tar.arg("--directory").arg(folder).arg("--").arg(name))?;
    Ok(to.to_owned())
}

/// Compresses a file, and gives the path of `FILE.gz`, which takes its place.
pub(super) fn gzip(file: &Path) -> Result<PathBuf> {
    run(Command::new("gzip").args(["-9", "--no-name", "--force"]).arg(file))?;
    let name = file.file_name().context("a file without a name")?.to_string_lossy();
    Ok(file.with_file_name(format!("{name}.gz")))
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File, Permissions};
    use std::os::unix::fs::PermissionsExt as _;
    use std::time::{Duration, SystemTime};

    use super::*;
    use crate::workspace::output;

    /// A tree whose files are made in that order, so many seconds ago.
    fn tree(root: &Path, order: &[&str], age: u64) {
        for name in order {
            let path = root.join("xelb").join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, name).unwrap();
            let mode = if name.contains("bin") { 0o755 } else { 0o644 };
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            let file = File::options().write(true).open(&path).unwrap();
            file.set_modified(SystemTime::now() - Duration::from_secs(age)).unwrap();
        }
    }

    #[test]
    fn the_same_files_give_the_same_bytes() {
        let names = ["usr/bin/xelb", "etc/a", "usr/share/b"];
        let mut archives = Vec::new();
        for (order, age) in [([0, 1, 2], 10), ([2, 1, 0], 100_000)] {
            let folder = tempfile::tempdir().unwrap();
            tree(folder.path(), &order.map(|index| names[index]), age);
            let file =
                tar(folder.path(), "xelb", &folder.path().join("x.tar"), "1700000000").unwrap();
            let listed = output(Command::new("tar").args(["--utc", "-tvf"]).arg(&file)).unwrap();
            let places: Vec<&str> =
                listed.lines().filter_map(|line| line.split_whitespace().last()).collect();
            assert!(places.is_sorted(), "{listed}");
            assert!(listed.lines().all(|line| line.contains(" 0/0 ")), "{listed}");
            assert!(listed.lines().all(|line| line.contains("2023-11-14 22:13")), "{listed}");
            assert!(listed.contains("-rwxr-xr-x 0/0"), "{listed}");
            let file = gzip(&file).unwrap();
            assert!(file.ends_with("x.tar.gz"));
            archives.push(fs::read(file).unwrap());
        }
        assert_eq!(archives[0], archives[1]);
    }
}
