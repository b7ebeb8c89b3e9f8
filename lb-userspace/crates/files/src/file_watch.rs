//! Says when something happened to a file. What it has then is read elsewhere.

use std::{ffi::OsStr, path::Path, time::Duration};

use notify::{RecursiveMode, Watcher as _};
use tokio::sync::mpsc;

/// Editors write a file in several steps; a change is read when nothing has happened for this long.
pub const SETTLE: Duration = Duration::from_millis(50);

/// Watches the folder of a file (editors replace files) and says when something happened to it.
/// Dropping the watcher ends it.
pub fn watch(path: &Path) -> notify::Result<(notify::RecommendedWatcher, mpsc::Receiver<()>)> {
    let (sender, changes) = mpsc::channel(1);
    let name = path.file_name().map(OsStr::to_os_string);
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        let concerned = event.is_ok_and(|event| {
            !event.kind.is_access()
                && event.paths.iter().any(|path| path.file_name() == name.as_deref())
        });
        if concerned {
            // Full means that a change is already waiting.
            let _waiting = sender.try_send(());
        }
    })?;
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    watcher.watch(folder, RecursiveMode::NonRecursive)?;
    Ok((watcher, changes))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tokio::time::timeout;

    use super::*;

    /// A busy machine is not slower than that.
    const LONG: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn a_file_that_is_replaced_is_reported_and_its_neighbours_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let (path, neighbour) = (folder.path().join("xelb.yaml"), folder.path().join("other"));
        fs::write(&path, "old").unwrap();
        let (_watcher, mut changes) = watch(&path).unwrap();
        fs::write(&neighbour, "new").unwrap();
        timeout(Duration::from_millis(100), changes.recv()).await.unwrap_err();
        fs::rename(&neighbour, &path).unwrap();
        timeout(LONG, changes.recv()).await.unwrap().unwrap();
    }
}
