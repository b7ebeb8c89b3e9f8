//! The process: signals and changes of the file become [`Signal`]s of the service.

use std::{io, path::Path};

use lb_files::file_watch::{FileWatch, SETTLE};
use lb_proxy::StopReport;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc,
    time::sleep,
};

use crate::{
    service::{Service, ServiceError, ServiceOptions, Signal},
    source::Source,
    supervisor::Supervisor,
};

/// Signals that wait while the service is busy.
const WAITING_MAX: usize = 8;

/// Serves a configuration file, or what an agent says, until SIGTERM or SIGINT. Says what was cut.
pub async fn run(
    options: ServiceOptions,
    supervisor: &mut impl Supervisor,
) -> Result<StopReport, ServiceError> {
    raise_descriptor_limit();
    let file = match &options.source {
        Source::File { path, .. } => Some(path.clone()),
        Source::Agent { .. } => None,
    };
    // Before the file is read: what changes after that is seen for sure.
    let mut signals = signals(file.as_deref())?;
    let service = Service::start(options).await?;
    Ok(service.run(&mut signals, supervisor).await)
}

/// SIGTERM, SIGINT, SIGHUP, and changes of the file, if there is one.
fn signals(file: Option<&Path>) -> io::Result<mpsc::Receiver<Signal>> {
    let (sender, signals) = mpsc::channel(WAITING_MAX);
    for (kind, meaning) in [
        (SignalKind::terminate(), Signal::Terminate),
        (SignalKind::interrupt(), Signal::Terminate),
        (SignalKind::hangup(), Signal::Hangup),
    ] {
        let (mut received, sender) = (signal(kind)?, sender.clone());
        tokio::spawn(async move {
            while received.recv().await.is_some() && sender.send(meaning).await.is_ok() {}
        });
    }
    let Some(file) = file else { return Ok(signals) };
    match FileWatch::new(file) {
        Ok(mut watch) => {
            tokio::spawn(async move {
                while watch.changed().await.is_some() {
                    sleep(SETTLE).await;
                    watch.forget();
                    if sender.send(Signal::FileChanged).await.is_err() {
                        break;
                    }
                }
            });
        }
        Err(error) => tracing::warn!(
            "cannot follow changes of {}: {error}; SIGHUP reads it again",
            file.display()
        ),
    }
    Ok(signals)
}

/// Each connection of a client takes a descriptor, and one towards a target another.
fn raise_descriptor_limit() {
    let limits = getrlimit(Resource::RLIMIT_NOFILE);
    let raised = limits.and_then(|(_, hard)| setrlimit(Resource::RLIMIT_NOFILE, hard, hard));
    if let Err(error) = raised {
        tracing::warn!("cannot raise the limit of open files: {error}");
    }
}
