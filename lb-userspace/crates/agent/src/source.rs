//! Where the desired state comes from: a file that is watched, or the state directory. Never both.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use lb_config::{self as config, Checked, Checker, Config, ConfigErrors, Document, Limits};
pub(super) use lb_files::file_watch::{FileWatch, SETTLE};
use lb_health::Programs;
use lb_store::{Commit, Embedded, Runtime, Store, StoreError};

use super::{AgentOptions, Done, Refusal, config_file};

/// Warnings of a file that are logged at a time.
const WARNINGS_MAX: usize = 20;

/// The source of truth.
#[derive(Debug)]
pub(super) enum Source {
    /// A configuration file, or a directory of them.
    File {
        /// It.
        path: PathBuf,
        /// Which of both it was at the start, for messages.
        is_directory: bool,
        /// How much it may have.
        limits: Limits,
        /// Where programs of its checks may be.
        programs: Programs,
        /// The last applied content. Questions are answered from here: a reader of the API must not
        /// make the agent read files.
        document: Box<Document>,
        /// Where drains and the seed are kept over a reboot, if anywhere.
        runtime: Option<Box<dyn Store>>,
    },
    /// The state directory, and what is known of the last document that was checked.
    Store(Box<dyn Store>, Box<Checker>),
}

impl Source {
    /// For `status`.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::File { path, is_directory: true, .. } => format!("directory {}", path.display()),
            Self::File { path, .. } => format!("file {}", path.display()),
            Self::Store(store, _) => match store.current() {
                Some(revision) => format!("{}, revision {}", store.place(), revision.head.number),
                None => format!("{}, empty", store.place()),
            },
        }
    }

    /// Number of the current revision; `None` when a file is the source, 0 when nothing is kept yet.
    pub(super) fn revision(&self) -> Option<u64> {
        match self {
            Self::File { .. } => None,
            Self::Store(store, _) => Some(store.current().map_or(0, |current| current.head.number)),
        }
    }

    /// The store, where requests may change the desired state.
    pub(super) fn editable(&mut self) -> Result<&mut dyn Store, Refusal> {
        match self {
            Self::File { path, is_directory, .. } => {
                let changed = if *is_directory { "the files there" } else { "that file" };
                let reloaded = if *is_directory { "them" } else { "it" };
                Err(Refusal::Invalid(format!(
                    "this agent takes its configuration from {0}; change {changed}, and the agent \
                     reloads {reloaded}",
                    path.display()
                )))
            }
            Self::Store(store, _) => Ok(store.as_mut()),
        }
    }

    /// The desired state as it is written.
    pub(super) fn document(&self) -> Document {
        match self {
            Self::File { document, .. } => (**document).clone(),
            Self::Store(store, _) => {
                store.current().map(|current| current.document.clone()).unwrap_or_default()
            }
        }
    }

    /// Keeps what the file says, once it is taken over.
    pub(super) fn read_again(&mut self, read: Document) {
        if let Self::File { document, .. } = self {
            **document = read;
        }
    }

    /// Checks a document that may become the desired state.
    pub(super) fn check(&mut self, document: &Document) -> Result<Checked, ConfigErrors> {
        match self {
            Self::File { limits, .. } => config::validate_within(document, limits),
            Self::Store(_, checker) => checker.check(document),
        }
    }

    /// Keeps a new desired state; says which revision it is.
    pub(super) fn commit(&mut self, commit: Commit) -> Result<Done, Refusal> {
        let head = &self.editable()?.commit(commit)?.head;
        let said = format!("revision {}: {}", head.number, head.what);
        Ok(Done { said, revision: Some(head.number) })
    }

    /// Where state is kept; `None` if there is no such place.
    pub(super) fn store(&mut self) -> Option<&mut dyn Store> {
        match self {
            Self::File { runtime, .. } => {
                runtime.as_deref_mut().map(|store| store as &mut dyn Store)
            }
            Self::Store(store, _) => Some(store.as_mut()),
        }
    }

    /// The state of before the reboot; `None` if there is none.
    pub(super) fn runtime(&self) -> Option<&Runtime> {
        let store = match self {
            Self::File { runtime, .. } => runtime.as_ref()?,
            Self::Store(store, _) => store,
        };
        Some(store.runtime()).filter(|runtime| runtime.hash_seed.is_some())
    }

    /// Keeps it, where there is a place for it.
    pub(super) fn keep_runtime(&mut self, runtime: Runtime) -> Result<(), StoreError> {
        let store = match self {
            Self::File { runtime: None, .. } => return Ok(()),
            Self::File { runtime: Some(store), .. } | Self::Store(store, _) => store,
        };
        if *store.runtime() == runtime { Ok(()) } else { store.keep_runtime(runtime) }
    }
}

/// The source of truth and what it says now.
pub(super) fn open(options: &AgentOptions) -> Result<(Source, Option<Config>)> {
    if let Some(path) = &options.config {
        let (limits, programs) = (options.limits, options.exec.programs.clone());
        let (document, config) = read_file(path, &limits, &programs)?;
        let runtime = options.state_dir.as_deref().map(runtime_store).transpose()?;
        let (path, document) = (path.clone(), Box::new(document));
        let is_directory = path.is_dir();
        let source = Source::File { path, is_directory, limits, programs, document, runtime };
        return Ok((source, Some(config)));
    }
    let dir = options.state_dir.as_deref().unwrap_or(Path::new(super::options::STATE_DIR));
    let store = Embedded::open(dir)?;
    let mut checker = Checker::within(options.limits);
    let config = match store.current() {
        Some(revision) => Some(checker.check(&revision.document)?.0),
        None => None,
    };
    Ok((Source::Store(Box::new(store), Box::new(checker)), config))
}

/// A store in addition to a configuration file. One that holds a configuration as well would be a
/// second source of truth.
fn runtime_store(dir: &Path) -> Result<Box<dyn Store>> {
    let store = Embedded::open(dir)?;
    if let Some(current) = store.current() {
        bail!(
            "the state directory {} holds a configuration (revision {}), and --config gives \
             another one: run the agent without --config, or with another --state-dir",
            dir.display(),
            current.head.number
        );
    }
    Ok(Box::new(store))
}

pub(super) fn read_file(
    path: &Path,
    limits: &Limits,
    programs: &Programs,
) -> Result<(Document, Config), ConfigErrors> {
    let (document, config, warnings) = config_file::load_within(path, limits, programs)?;
    let warnings = config::alike(&warnings);
    for (warning, more) in warnings.iter().take(WARNINGS_MAX) {
        match more {
            0 => tracing::warn!("{warning}"),
            more => tracing::warn!("{warning} (and {more} more like it)"),
        }
    }
    if warnings.len() > WARNINGS_MAX {
        let more = warnings.len() - WARNINGS_MAX;
        tracing::warn!("{more} more warnings about the configuration; `xelb validate` shows all");
    }
    Ok((document, config))
}
