//! Tools of providers that tests stand in for (`stubs/tool`), each in a folder with its state.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use lb_drivers::CheckOptions;

/// Installs a stub under the name of a tool. A rename keeps it from being open for writing in a
/// fork of another test.
pub(crate) fn install(folder: &Path, tool: &str) -> PathBuf {
    let stub = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/drivers/stubs/tool");
    let (new, path) = (folder.join("new"), folder.join(tool));
    fs::copy(stub, &new).unwrap();
    fs::set_permissions(&new, fs::Permissions::from_mode(0o755)).unwrap();
    fs::rename(&new, &path).unwrap();
    path
}

/// Kills calls at two points, and lets one go to its end: each call runs two programs.
pub(crate) fn options() -> CheckOptions {
    let kill_after = [15, 60, 10_000].map(Duration::from_millis).into();
    let poll_interval = Duration::from_millis(20);
    CheckOptions { kill_after, poll_interval, ..CheckOptions::new("web", "c0de") }
}
