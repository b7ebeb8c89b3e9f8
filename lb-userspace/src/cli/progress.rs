//! A line on the terminal for a command that takes longer than a moment, so that nobody takes it for
//! hung. It goes to standard error, and only where that is a terminal.

use std::{
    io::{self, IsTerminal as _, Write as _},
    sync::{
        Mutex, PoisonError,
        mpsc::{RecvTimeoutError, Sender, channel},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// What takes no longer says nothing.
const PATIENCE: Duration = Duration::from_secs(2);
const INTERVAL: Duration = Duration::from_secs(1);
/// Back to the start of the line, which is cleared (ECMA-48, EL).
const CLEAR: &str = "\r\x1b[K";

/// That of this process.
static CURRENT: Mutex<Option<Progress>> = Mutex::new(None);

/// Shows the time so far of a command, until [`end`].
pub(super) fn working() {
    set(Some(Progress::begin(|so_far| format!("working, {} s ...", so_far.as_secs()))));
}

/// The same for one that takes this time.
pub(super) fn lasting(duration: Duration) {
    set(Some(Progress::begin(move |so_far| {
        format!("{} of {} s ...", so_far.as_secs().min(duration.as_secs()), duration.as_secs())
    })));
}

/// Takes the line away: the command has something to say.
pub(super) fn end() {
    set(None);
}

fn set(progress: Option<Progress>) {
    let mut current = CURRENT.lock().unwrap_or_else(PoisonError::into_inner);
    // The line before it goes first.
    drop(current.take());
    *current = progress;
}

/// A command at work; the line goes away with it.
#[derive(Debug)]
struct Progress(Option<(Sender<()>, JoinHandle<()>)>);

impl Progress {
    /// Shows this text and the time so far, as soon as that is long.
    fn begin(text: impl Fn(Duration) -> String + Send + 'static) -> Self {
        if !io::stderr().is_terminal() {
            return Self(None);
        }
        let (ended, end) = channel();
        let thread = thread::Builder::new().name("progress".to_owned()).spawn(move || {
            let begun = Instant::now();
            let mut wait = PATIENCE;
            while end.recv_timeout(wait) == Err(RecvTimeoutError::Timeout) {
                // A closed standard error is ignored.
                let _written = write!(io::stderr(), "{CLEAR}{}", text(begun.elapsed()));
                wait = INTERVAL;
            }
            if begun.elapsed() >= PATIENCE {
                let _written = write!(io::stderr(), "{CLEAR}");
            }
        });
        // Without another thread there is no line, and the command works all the same.
        Self(thread.ok().map(|thread| (ended, thread)))
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some((ended, thread)) = self.0.take() {
            drop(ended);
            // It ends at once; a panic there is of no interest.
            let _ended = thread.join();
        }
    }
}
