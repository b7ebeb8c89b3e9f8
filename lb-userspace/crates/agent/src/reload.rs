//! The configuration file is read outside of the loop: it, and the files that it names, may be on a
//! file system that does not answer, and health checks must go on.

use std::time::Duration;

use lb_config::{Config, Document, EventName};

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
            tracing::info!(
                "SIGHUP: nothing to reload, the configuration is in the state \
                            directory"
            );
        }
        self.reading.begin(&self.source, after);
    }

    /// Takes over what was read.
    pub(super) fn reloaded(&mut self, read: Read) {
        match read {
            Ok(Ok((document, config))) => self.take_over(document, config),
            Ok(Err(errors)) => self.keep_previous(&errors.to_string()),
            Err(unread) => {
                let error = unread.to_string();
                if self.last_error != error {
                    self.keep_previous(&error);
                }
                self.reading.begin(&self.source, RETRY);
            }
        }
        if std::mem::take(&mut self.reading.again) {
            self.reading.begin(&self.source, SETTLE);
        }
    }

    fn take_over(&mut self, document: Document, config: Config) {
        let effective = self.expanded(config.clone()).config;
        if self.balancer.as_ref().is_some_and(|now| now.config == effective) {
            // The file is as before a change that was refused; a failed write is not healed.
            if self.retry.is_none() {
                self.last_error.clear();
            }
        } else if let Err(refusal) =
            self.refuse_own_address(&config).and_then(|()| self.adopt(config))
        {
            return self.keep_previous(&refusal.to_string());
        } else {
            tracing::info!("configuration applied");
        }
        self.source.read_again(document);
    }

    fn keep_previous(&mut self, error: &str) {
        tracing::error!("the new configuration is refused, the old one stays in use:\n{error}");
        // A file that is written in steps is read several times.
        if self.last_error != error {
            self.event_hooks.say(EventName::ConfigurationRefused, error);
        }
        error.clone_into(&mut self.last_error);
    }
}
