//! Reads files whose names come from elsewhere away from those who must not wait: one job at a
//! time, each within a time. A file system that does not answer then blocks only this thread.

use std::{sync::Arc, time::Duration};

use thiserror::Error;
use tokio::{sync::Semaphore, task::spawn_blocking, time::timeout};

/// Maximum duration of a job, and of its wait for the previous one: less than the timeout of
/// clients of the API.
const PATIENCE: Duration = Duration::from_secs(5);

/// The files were not read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FilesUnread {
    /// It takes too long.
    #[error(
        "reading the configuration, or a file that it names, takes longer than {0:?}: does its \
         file system answer?"
    )]
    Slow(Duration),
    /// The job has panicked.
    #[error("reading the files has failed: {0}; please report this")]
    Failed(String),
}

/// Who reads files.
#[derive(Clone, Debug)]
pub struct FileReader {
    turn: Arc<Semaphore>,
    patience: Duration,
}

impl Default for FileReader {
    fn default() -> Self {
        Self::within(PATIENCE)
    }
}

impl FileReader {
    /// One whose jobs may take so long.
    #[must_use]
    pub fn within(patience: Duration) -> Self {
        Self { turn: Arc::new(Semaphore::new(1)), patience }
    }

    /// Runs a job that reads files, after the previous one. A job that does not end in time
    /// continues without a waiting caller, and blocks the next ones.
    pub async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, FilesUnread> {
        let turn = Arc::clone(&self.turn);
        let work = async {
            let turn = turn.acquire_owned().await;
            spawn_blocking(move || {
                let done = job();
                drop(turn);
                done
            })
            .await
        };
        match timeout(self.patience, work).await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(error)) => Err(FilesUnread::Failed(error.to_string())),
            Err(_elapsed) => Err(FilesUnread::Slow(self.patience)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn a_hanging_job_blocks_one_thread_and_no_caller() {
        let patience = Duration::from_millis(100);
        let reader = FileReader::within(patience);
        assert_eq!(reader.run(|| 1).await, Ok(1));
        let (answer, file_system) = mpsc::channel::<()>();
        let hung = reader.run(move || file_system.recv()).await.map(|_answer| ());
        assert_eq!(hung, Err(FilesUnread::Slow(patience)));
        let (tell, message_of) = mpsc::channel::<()>();
        let next = reader.run(move || tell.send(()).unwrap()).await;
        assert_eq!(next, Err(FilesUnread::Slow(patience)));
        assert!(message_of.try_recv().is_err(), "the next one has begun all the same");
        answer.send(()).unwrap();
        let reader = FileReader { patience: Duration::from_secs(20), ..reader };
        assert_eq!(reader.run(|| 2).await, Ok(2));
    }
}
