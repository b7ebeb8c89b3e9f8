//! The configuration file as it is read beside the loop: a task that may take long, or never end.

use std::{
    future::pending,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use lb_config::{Config, ConfigErrors, Document};
use lb_files::file_reader::{FileReader, FilesUnread};
use tokio::{task::JoinHandle, time::sleep};

use super::{
    config_file,
    source::{self, SETTLE, Source},
};

/// Longest time for the file and those that it names.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a file of a directory may be missing before it counts as removed: editors that replace a file
/// rename the old one first, and its listeners must not go meanwhile.
const REPLACED_WITHIN: Duration = Duration::from_secs(1);

/// What was read.
pub(super) type Read = Result<Result<(Document, Config), ConfigErrors>, FilesUnread>;

/// The file as it is being read.
#[derive(Debug)]
pub(super) struct FileReading {
    reader: FileReader,
    under_way: Option<JoinHandle<Read>>,
    /// It has changed since that began.
    pub(super) again: bool,
    /// The files of the directory when it was read last.
    files: Arc<Mutex<Vec<PathBuf>>>,
}

impl Default for FileReading {
    fn default() -> Self {
        Self {
            reader: FileReader::within(PATIENCE),
            under_way: None,
            again: false,
            files: Arc::default(),
        }
    }
}

impl FileReading {
    /// Reads a file after this time, or once more after the read in progress.
    pub(super) fn begin(&mut self, source: &Source, after: Duration) {
        let Source::File { path, limits, programs, .. } = source else {
            return;
        };
        if self.under_way.is_some() {
            self.again = true;
            return;
        }
        let (path, limits, programs) = (path.clone(), *limits, programs.clone());
        let reader = self.reader.clone();
        let files = Arc::clone(&self.files);
        self.under_way = Some(tokio::spawn(async move {
            sleep(after).await;
            let read = move || {
                let mut files = files.lock().unwrap_or_else(PoisonError::into_inner);
                await_replaced(&files);
                *files = config_file::files_of(&path);
                source::read_file(&path, &limits, &programs)
            };
            reader.run(read).await
        }));
    }

    /// Waits for the end of the read in progress.
    pub(super) async fn ended(&mut self) -> Read {
        let Some(under_way) = &mut self.under_way else {
            return pending().await;
        };
        let read = under_way.await;
        self.under_way = None;
        read.unwrap_or_else(|error| Err(FilesUnread::Failed(error.to_string())))
    }
}

/// Waits for files that are missing.
fn await_replaced(files: &[PathBuf]) {
    let missing_until = Instant::now() + REPLACED_WITHIN;
    while files.iter().any(|file| !file.exists()) && Instant::now() < missing_until {
        thread::sleep(SETTLE);
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use lb_config::Limits;
    use lb_health::Programs;

    use super::*;

    const TEXT: &str = "interfaces: [eth0]\ntarget_groups: []\nlisteners: []\n";

    /// A change that happens while a file is read is not lost, and the loop does not wait for the
    /// read.
    #[tokio::test]
    async fn a_file_that_changes_while_it_is_read_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("xelb.yaml");
        fs::write(&path, TEXT).unwrap();
        let (document, _) = source::read_file(&path, &Limits::MOST, &Programs::Off).unwrap();
        let source = Source::File {
            path,
            is_directory: false,
            limits: Limits::MOST,
            programs: Programs::Off,
            document: Box::new(document),
            runtime: None,
        };
        let mut reading = FileReading::default();
        reading.begin(&source, Duration::ZERO);
        assert!(!reading.again);
        reading.begin(&source, Duration::ZERO);
        assert!(reading.again);
        assert!(reading.ended().await.unwrap().is_ok() && reading.under_way.is_none());
    }

    /// An editor renames the old file before it writes the new one.
    #[test]
    fn a_missing_file_of_a_directory_is_awaited_for_a_moment() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("web.yaml");
        let begun = Instant::now();
        await_replaced(&[]);
        assert!(begun.elapsed() < REPLACED_WITHIN);
        await_replaced(std::slice::from_ref(&file));
        assert!(begun.elapsed() >= REPLACED_WITHIN);
        fs::write(&file, TEXT).unwrap();
        let begun = Instant::now();
        await_replaced(&[file]);
        assert!(begun.elapsed() < REPLACED_WITHIN);
    }

    #[tokio::test]
    async fn files_that_are_not_read_in_time_are_given_up() {
        let reader = FileReader::within(Duration::from_millis(50));
        let (answer, file_system) = std::sync::mpsc::channel::<()>();
        let hung = reader.run(move || file_system.recv()).await.map(drop);
        let says = "reading the configuration, or a file that it names, takes longer than 50ms: \
                    does its file system answer?";
        assert_eq!(hung.unwrap_err().to_string(), says);
        drop(answer);
    }
}
