//! What TLS clients of checks are made of: built once for all checks that are alike, and again when
//! a file of CA certificates has changed. Files are read outside of the probes: a file that does
//! not answer delays only probes that need it and have not read it before.

use std::{
    collections::HashMap,
    fs,
    path::PathBuf,
    sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use lb_config::Verify;
use rustls::ClientConfig;
use tokio::{
    sync::{Semaphore, watch},
    task::spawn_blocking,
    time::{Instant, timeout_at},
};

use super::client_builder;

/// How long a probe waits to learn whether a file that it has read before has changed.
const PATIENCE: Duration = Duration::from_millis(100);

/// Files that are read at a time; those that do not answer hold a thread each.
const READS_MAX: usize = 16;

static READS: Semaphore = Semaphore::const_new(READS_MAX);

/// Those of all probes.
pub(super) static CONFIGS: LazyLock<Configs> = LazyLock::new(|| Configs::new(check_file));

/// The key of a client.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    authorities: Authorities,
    http2: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Authorities {
    /// AnyCertificate's certificates are taken.
    AnyCertificate,
    System,
    File(PathBuf),
}

impl Key {
    pub(super) fn new(verify: &Verify, http2: bool) -> Self {
        let authorities = match verify {
            Verify::None => Authorities::AnyCertificate,
            Verify::System => Authorities::System,
            Verify::File(path) => Authorities::File(path.clone()),
        };
        Self { authorities, http2 }
    }
}

/// The result of the last check.
#[derive(Clone, Debug, Default)]
struct Seen {
    /// How many looks have ended.
    looks: u64,
    /// When the file was last changed.
    changed: Option<SystemTime>,
    config: Option<Result<Arc<ClientConfig>, String>>,
}

/// Looks at the files of a client, and builds it unless it is there and they have not changed.
type CheckFile = fn(&Key, &Seen) -> Seen;

#[derive(Debug)]
pub(super) struct Configs {
    check_file: CheckFile,
    known: Mutex<HashMap<Key, Arc<Entry>>>,
}

#[derive(Debug)]
struct Entry {
    key: Key,
    /// Start of the check in progress.
    looking: Mutex<Option<Instant>>,
    seen: watch::Sender<Seen>,
}

/// A check in progress, until it is dropped.
struct Looking(Arc<Entry>);

impl Drop for Looking {
    fn drop(&mut self) {
        *self.0.looking() = None;
    }
}

impl Entry {
    fn looking(&self) -> MutexGuard<'_, Option<Instant>> {
        self.looking.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Configs {
    fn new(check_file: CheckFile) -> Self {
        Self { check_file, known: Mutex::default() }
    }

    /// The client for a probe that ends at `deadline`; an error says what is wrong, for people.
    pub(super) async fn get(
        &self,
        key: Key,
        deadline: Instant,
    ) -> Result<Arc<ClientConfig>, String> {
        let entry = self.entry(key);
        let mut seen = entry.seen.subscribe();
        let (before, known) = {
            let seen = seen.borrow();
            (seen.looks, seen.config.clone())
        };
        // Only a file changes.
        if let (Some(Ok(config)), false) =
            (&known, matches!(entry.key.authorities, Authorities::File(_)))
        {
            return Ok(Arc::clone(config));
        }
        let began = self.begin(&entry);
        let until = if known.is_some() { deadline.min(began + PATIENCE) } else { deadline };
        let late = timeout_at(until, seen.wait_for(|seen| seen.looks > before)).await;
        drop(late);
        let now = entry.seen.borrow().config.clone();
        now.unwrap_or_else(|| {
            Err("reading the CA certificates of `verify` takes too long: does their file system \
                 answer?"
                .to_owned())
        })
    }

    fn entry(&self, key: Key) -> Arc<Entry> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = known.entry(key).or_insert_with_key(|key| {
            let (key, looking) = (key.clone(), Mutex::default());
            Arc::new(Entry { key, looking, seen: watch::Sender::default() })
        });
        Arc::clone(entry)
    }

    /// Begins a check unless one is in progress; returns its start.
    fn begin(&self, entry: &Arc<Entry>) -> Instant {
        let mut looking = entry.looking();
        if let Some(began) = *looking {
            return began;
        }
        let now = Instant::now();
        *looking = Some(now);
        let (check_file, under_way) = (self.check_file, Looking(Arc::clone(entry)));
        tokio::spawn(async move {
            let place = READS.acquire().await;
            spawn_blocking(move || {
                let entry = Arc::clone(&under_way.0);
                let mut seen = check_file(&entry.key, &entry.seen.borrow().clone());
                seen.looks += 1;
                // Whoever hears of this one may begin the next.
                drop(under_way);
                entry.seen.send_replace(seen);
                drop(place);
            });
        });
        now
    }
}

fn check_file(key: &Key, last: &Seen) -> Seen {
    let changed = match &key.authorities {
        Authorities::File(path) => fs::metadata(path).and_then(|data| data.modified()).ok(),
        _ => None,
    };
    let config = match &last.config {
        Some(Ok(config)) if last.changed == changed => Ok(Arc::clone(config)),
        _ => build(key).map(Arc::new),
    };
    Seen { looks: last.looks, changed, config: Some(config) }
}

fn build(key: &Key) -> Result<ClientConfig, String> {
    let builder = match &key.authorities {
        Authorities::AnyCertificate => client_builder(&Verify::None),
        Authorities::System => client_builder(&Verify::System),
        Authorities::File(path) => client_builder(&Verify::File(path.clone())),
    };
    let mut config = builder?.with_no_client_auth();
    config.alpn_protocols = vec![if key.http2 { b"h2".to_vec() } else { b"http/1.1".to_vec() }];
    // A probe is there to see a whole handshake.
    config.resumption = rustls::client::Resumption::disabled();
    Ok(config)
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicBool, Ordering::SeqCst},
        thread,
    };

    use super::*;

    /// Whether the file system of the test does not answer.
    static HANGS: AtomicBool = AtomicBool::new(false);

    fn slow(key: &Key, last: &Seen) -> Seen {
        while HANGS.load(SeqCst) {
            thread::sleep(Duration::from_millis(5));
        }
        let key = Key { authorities: Authorities::AnyCertificate, http2: key.http2 };
        check_file(&key, last)
    }

    #[tokio::test]
    async fn a_file_that_does_not_answer_delays_no_probe_that_has_read_it() {
        let configs = Configs::new(slow);
        let key = |path: &str| Key::new(&Verify::File(path.into()), false);
        let soon = |ms| Instant::now() + Duration::from_millis(ms);
        configs.get(key("/known.pem"), soon(20_000)).await.unwrap();
        HANGS.store(true, SeqCst);
        // One probe waits for a moment, those after it not at all.
        configs.get(key("/known.pem"), soon(20_000)).await.unwrap();
        let began = Instant::now();
        for _ in 0..50 {
            configs.get(key("/known.pem"), soon(20_000)).await.unwrap();
        }
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
        let error = configs.get(key("/new.pem"), soon(50)).await.unwrap_err();
        assert!(error.contains("takes too long"), "{error}");
        HANGS.store(false, SeqCst);
        configs.get(key("/new.pem"), soon(20_000)).await.unwrap();
    }
}
