//! The thread that serves the API and Prometheus. It has its own runtime, so that requests do not
//! wait for ten thousand probes.

use std::{io, thread};

use tokio::runtime::{Builder, EnterGuard, Handle, Runtime};

/// The runtime of that thread, before it runs.
pub(super) struct ApiThread {
    runtime: Option<Runtime>,
    handle: Handle,
}

impl ApiThread {
    /// Makes one.
    pub(super) fn new() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        Ok(Self { runtime: Some(runtime), handle })
    }

    /// While it lives, listeners that are made belong to that thread.
    pub(super) fn enter(&self) -> EnterGuard<'_> {
        self.handle.enter()
    }

    /// Starts the thread, which ends with the process.
    pub(super) fn open(
        mut self,
        answers: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<()> {
        let thread = thread::Builder::new().name("xelb-api".to_owned());
        match self.runtime.take() {
            Some(runtime) => thread.spawn(move || runtime.block_on(answers)).map(drop),
            None => Ok(()),
        }
    }
}

/// Where an agent does not start after all: within a runtime, another one must not be waited for.
impl Drop for ApiThread {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_can_be_given_up_within_a_runtime() {
        let api_thread = ApiThread::new().unwrap();
        drop(api_thread.enter());
        drop(api_thread);
    }

    #[tokio::test]
    async fn its_thread_answers() {
        let (asked, answer) = tokio::sync::oneshot::channel();
        let answers = async { asked.send(thread::current().name().map(str::to_owned)).unwrap() };
        ApiThread::new().unwrap().open(answers).unwrap();
        assert_eq!(answer.await.unwrap().as_deref(), Some("xelb-api"));
    }
}
