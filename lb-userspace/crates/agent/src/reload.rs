//! The configuration file is read beside the loop: it, and the files that it names, may lie on a file
//! system that does not answer, and targets are judged all the same.

use std::time::Duration;

use lb_config::{Config, Document};

use super::{
    file_reading::Read,
    run::Agent,
    source::{SETTLE, Source},
};

/// When files that were not read in time are tried again.
const RETRY: Duration = Duration::from_secs(5);

impl Agent {
    /// Begins to read the file, when nothing has happened to it for this time.
    pub(super) fn reload(&mut self, after: Duration) {
        self.restore();
        if matches!(self.source, Source::Store(..)) {
            tracing::info!("SIGHUP: nothing to read again, the state directory is the source");
        }
        self.reading.begin(&self.source, after);
    }

    /// Takes over what was read.
    pub(super) fn reloaded(&mut self, read: Read) {
        match read {
            Ok(Ok((document, config))) => self.take_over(document, config),
            Ok(Err(errors)) => self.keep_old(&errors.to_string()),
            Err(unread) => {
                let error = unread.to_string();
                if self.last_error != error {
                    self.keep_old(&error);
                }
                self.reading.begin(&self.source, RETRY);
            }
        }
        if std::mem::take(&mut self.reading.again) {
            self.reading.begin(&self.source, SETTLE);
        }
    }

    fn take_over(&mut self, document: Document, config: Config) {
        if self.balancer.as_ref().is_some_and(|now| now.config == config) {
            // The file is as before a change that was refused; a failed write is not healed.
            if self.retry.is_none() {
                self.last_error.clear();
            }
        } else if let Err(refusal) =
            self.refuse_own_address(&config).and_then(|()| self.adopt(config))
        {
            return self.keep_old(&refusal.to_string());
        } else {
            tracing::info!("configuration applied");
        }
        self.source.read_again(document);
    }

    fn keep_old(&mut self, error: &str) {
        tracing::error!("the new configuration is refused, the old one stays:\n{error}");
        error.clone_into(&mut self.last_error);
    }
}
