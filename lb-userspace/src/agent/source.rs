//! Where the desired state comes from: a file that is watched, or the state directory. Never both.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Result;
use notify::{RecursiveMode, Watcher as _};
use tokio::sync::mpsc;

use super::{AgentOptions, Refusal};
use crate::{
    config::{self, Config, Document},
    store::Store,
};

/// Editors write a file in several steps; a change is read when nothing has happened for this long.
pub(super) const SETTLE: Duration = Duration::from_millis(50);

/// The source of truth.
#[derive(Debug)]
pub(super) enum Source {
    /// A configuration file.
    File(PathBuf),
    /// The state directory.
    Store(Store),
}

impl Source {
    /// For `status`.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::File(path) => format!("file {}", path.display()),
            Self::Store(store) => match store.current() {
                Some(revision) => {
                    format!(
                        "state directory {}, revision {}",
                        store.dir().display(),
                        revision.number
                    )
                }
                None => format!("state directory {}, empty", store.dir().display()),
            },
        }
    }

    /// The desired state, to be changed by a request.
    pub(super) fn editable(&self) -> std::result::Result<Document, Refusal> {
        match self {
            Self::File(path) => Err(Refusal::Invalid(format!(
                "this agent takes its configuration from {0}; change that file instead, the agent \
                 follows it",
                path.display()
            ))),
            Self::Store(store) => {
                Ok(store.current().map(|revision| revision.document.clone()).unwrap_or_default())
            }
        }
    }

    /// Keeps a new desired state.
    pub(super) fn commit(
        &mut self,
        document: &Document,
        what: &str,
    ) -> std::result::Result<String, Refusal> {
        match self {
            Self::File(_) => Err(Refusal::Invalid("the configuration is a file".to_owned())),
            Self::Store(store) => store
                .commit(document, what)
                .map(|number| format!("revision {number}: {what}"))
                .map_err(|error| Refusal::Failed(error.to_string())),
        }
    }
}

/// The source of truth and what it says now.
pub(super) fn open(options: &AgentOptions) -> Result<(Source, Option<Config>)> {
    if let Some(path) = &options.config {
        return Ok((Source::File(path.clone()), Some(read_file(path)?)));
    }
    let store = Store::open(&options.state_dir)?;
    let config = match store.current() {
        Some(revision) => Some(config::validate(&revision.document)?.0),
        None => None,
    };
    Ok((Source::Store(store), config))
}

pub(super) fn read_file(path: &Path) -> std::result::Result<Config, config::ConfigErrors> {
    let (_, config, warnings) = config::load(path)?;
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    Ok(config)
}

/// Watches the folder of a file (editors replace files) and says when something happened to it.
pub(super) fn watch(
    path: &Path,
) -> notify::Result<(notify::RecommendedWatcher, mpsc::Receiver<()>)> {
    let (sender, changes) = mpsc::channel(1);
    let name = path.file_name().map(std::ffi::OsStr::to_os_string);
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        let concerned = event.is_ok_and(|event| {
            !event.kind.is_access()
                && event.paths.iter().any(|path| path.file_name() == name.as_deref())
        });
        if concerned {
            // Full means that a change is already waiting to be looked at.
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
