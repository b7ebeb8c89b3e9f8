//! Says when something happened to a file, or to a directory of files. What they have then is read
//! elsewhere.

use std::{
    ffi::OsStr,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
    sync::mpsc as sync_mpsc,
    thread,
    time::Duration,
};

use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc;

use crate::yaml_directory;

/// Editors write a file in several steps; a change is read when nothing has happened for this long.
pub const SETTLE: Duration = Duration::from_millis(50);

/// What the thread of a watch waits for.
enum Message {
    Changed,
    Stop,
}

/// Watches a file by its folder (editors replace files), or the `*.yaml` files of a directory. Dropping
/// it ends the watch.
#[derive(Debug)]
pub struct FileWatch {
    changes: mpsc::Receiver<()>,
    messages: sync_mpsc::SyncSender<Message>,
}

impl FileWatch {
    /// Starts to watch what is at a path now, and what replaces it.
    pub fn new(path: &Path) -> notify::Result<Self> {
        let (messages, received) = sync_mpsc::sync_channel(1);
        let (sender, changes) = mpsc::channel(1);
        let mut watcher = watcher(path, messages.clone())?;
        let (path, to_thread) = (path.to_path_buf(), messages.clone());
        // A path on a file system that does not answer blocks this thread, and nobody else.
        thread::Builder::new().name("file-watch".to_owned()).spawn(move || {
            while let Ok(Message::Changed) = received.recv() {
                // What is watched is a directory, not its name: another one may have taken its place.
                if let Ok(renewed) = self::watcher(&path, to_thread.clone()) {
                    watcher = renewed;
                }
                // Full means that a change is already waiting.
                if sender.try_send(()).is_err_and(is_closed) {
                    return;
                }
            }
            drop(watcher);
        })?;
        Ok(Self { changes, messages })
    }

    /// Waits for the next change; `None` when there will be none.
    pub async fn changed(&mut self) -> Option<()> {
        self.changes.recv().await
    }

    /// Forgets a change that is waiting.
    pub fn forget(&mut self) {
        while self.changes.try_recv().is_ok() {}
    }
}

impl Drop for FileWatch {
    fn drop(&mut self) {
        // A full channel wakes the thread, too, which then finds that nobody listens.
        let _woken = self.messages.try_send(Message::Stop);
    }
}

const fn is_closed(error: mpsc::error::TrySendError<()>) -> bool {
    matches!(error, mpsc::error::TrySendError::Closed(()))
}

/// Sends a message for each change.
fn watcher(
    path: &Path,
    messages: sync_mpsc::SyncSender<Message>,
) -> notify::Result<RecommendedWatcher> {
    let name = path.file_name().map(OsStr::to_os_string);
    let directory = path.is_dir().then(|| path.to_path_buf());
    let inside = directory.clone();
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        let concerned = event.is_ok_and(|event| {
            let is_concerned = |path: &PathBuf| {
                path.file_name() == name.as_deref() || is_inside(inside.as_deref(), path)
            };
            !event.kind.is_access() && event.paths.iter().any(is_concerned)
        });
        if concerned {
            // Full means that a change is already waiting.
            let _waiting = messages.try_send(Message::Changed);
        }
    })?;
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    watcher.watch(folder, RecursiveMode::NonRecursive)?;
    if let Some(directory) = &directory {
        watcher.watch(directory, RecursiveMode::NonRecursive)?;
    }
    Ok(watcher)
}

/// Whether a path is one of the files that are read in a directory. Kubernetes replaces all of them by
/// renaming `..data`, which their links lead through.
fn is_inside(directory: Option<&Path>, path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default();
    directory.is_some_and(|directory| path.parent() == Some(directory))
        && (yaml_directory::is_part(name) || name.as_bytes().starts_with(b".."))
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use tokio::time::{sleep, timeout};

    use super::*;

    /// A busy machine is not slower than that.
    const LONG: Duration = Duration::from_secs(20);
    const SHORT: Duration = Duration::from_millis(100);

    async fn noticed(watch: &mut FileWatch) {
        timeout(LONG, watch.changed()).await.unwrap().unwrap();
        // Whatever belongs to the same change.
        sleep(SHORT).await;
        watch.forget();
    }

    async fn unnoticed(watch: &mut FileWatch) {
        timeout(SHORT, watch.changed()).await.unwrap_err();
    }

    #[tokio::test]
    async fn a_file_that_is_replaced_is_reported_and_its_neighbours_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let (path, neighbour) = (folder.path().join("xelb.yaml"), folder.path().join("other"));
        fs::write(&path, "old").unwrap();
        let mut watch = FileWatch::new(&path).unwrap();
        fs::write(&neighbour, "new").unwrap();
        unnoticed(&mut watch).await;
        fs::rename(&neighbour, &path).unwrap();
        noticed(&mut watch).await;
    }

    #[tokio::test]
    async fn new_changed_and_removed_files_of_a_directory_are_reported() {
        let folder = tempfile::tempdir().unwrap();
        let directory = folder.path().join("conf.d");
        fs::create_dir(&directory).unwrap();
        let path = |name: &str| directory.join(name);
        fs::write(path("a.yaml"), "old").unwrap();
        let mut watch = FileWatch::new(&directory).unwrap();
        for name in [".a.yaml.swp", "a.yaml~", "README"] {
            fs::write(path(name), "new").unwrap();
        }
        unnoticed(&mut watch).await;
        fs::write(path("a.yaml"), "new").unwrap();
        noticed(&mut watch).await;
        fs::write(path("b.yaml"), "new").unwrap();
        noticed(&mut watch).await;
        fs::remove_file(path("b.yaml")).unwrap();
        noticed(&mut watch).await;
        // The way of a ConfigMap.
        fs::write(path("..data_tmp"), "").unwrap();
        fs::rename(path("..data_tmp"), path("..data")).unwrap();
        noticed(&mut watch).await;
    }

    #[tokio::test]
    async fn a_directory_that_is_replaced_is_watched_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for name in ["one", "two", "three"] {
            fs::create_dir(path(name)).unwrap();
        }
        symlink(path("one"), path("conf.d")).unwrap();
        let mut watch = FileWatch::new(&path("conf.d")).unwrap();
        symlink(path("two"), path("next")).unwrap();
        fs::rename(path("next"), path("conf.d")).unwrap();
        noticed(&mut watch).await;
        fs::write(path("two").join("a.yaml"), "").unwrap();
        noticed(&mut watch).await;
        // A directory in place of the link; for a moment there is none.
        fs::remove_file(path("conf.d")).unwrap();
        noticed(&mut watch).await;
        fs::rename(path("three"), path("conf.d")).unwrap();
        noticed(&mut watch).await;
        fs::write(path("conf.d").join("a.yaml"), "").unwrap();
        noticed(&mut watch).await;
    }
}
