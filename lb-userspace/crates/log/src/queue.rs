//! Where lines of the log go: a bounded queue, which a separate thread writes to standard error. A
//! slow or missing reader loses lines, which are counted, and blocks no thread. The form of the
//! lines is not decided here.

use std::{
    collections::VecDeque,
    io::{self, Write},
    os::fd::{AsFd, BorrowedFd},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use nix::{errno::Errno, unistd};

/// Bytes of lines that wait. A longer line is taken when nothing else waits.
const WAITING_BYTES_MAX: usize = 1 << 20;

/// How long a non-blocking writer waits for space.
const FULL_WAIT: Duration = Duration::from_millis(20);

/// The loss of lines is shown for so long after the last one.
const SHOWN: Duration = Duration::from_mins(10);

/// Lines that wait for being written. Clones are the same queue.
#[derive(Clone, Default)]
pub(super) struct Queue(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// A line came.
    filled: Condvar,
    /// The last one was written, or lost.
    emptied: Condvar,
}

#[derive(Default)]
struct State {
    lines: VecDeque<Vec<u8>>,
    bytes: usize,
    /// Whether the thread holds a line that is in neither of the two.
    writing: bool,
    lost: u64,
    last_loss: Option<Instant>,
    /// Why the latest line could not be written; `None` when it could.
    error: Option<Errno>,
}

/// What the log has lost since the process started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Loss {
    /// Lines.
    pub lines: u64,
    /// Whether some were lost in the last ten minutes.
    pub recent: bool,
    /// Whether lines are written again: nothing waits, and the last one was written.
    pub over: bool,
    /// Why the last line could not be written; `None` when the reader does not keep up.
    error: Option<Errno>,
}

impl Queue {
    /// Starts the thread that writes.
    pub(super) fn start(&self, to: impl AsFd + Send + 'static) -> io::Result<()> {
        let shared = Arc::clone(&self.0);
        let write = move || shared.write_for_ever(&to);
        thread::Builder::new().name("log".to_owned()).spawn(write).map(drop)
    }

    /// Takes a line to be written, or loses it.
    pub(super) fn push(&self, line: &[u8]) {
        if line.is_empty() {
            return;
        }
        let mut state = self.0.lock();
        if state.bytes + line.len() > WAITING_BYTES_MAX && !state.lines.is_empty() {
            state.lose();
            return;
        }
        state.bytes += line.len();
        state.lines.push_back(line.to_vec());
        drop(state);
        self.0.filled.notify_one();
    }

    /// Waits until everything is written, or lost; at most this long.
    pub(super) fn finish(&self, patience: Duration) {
        let state = self.0.lock();
        let busy = |state: &mut State| state.writing || !state.lines.is_empty();
        // Whoever is late finds the rest lost.
        let _rest = self.0.emptied.wait_timeout_while(state, patience, busy);
    }

    pub(super) fn loss(&self) -> Loss {
        let state = self.0.lock();
        Loss {
            lines: state.lost,
            recent: state.last_loss.is_some_and(|last| last.elapsed() < SHOWN),
            over: state.error.is_none() && !state.writing && state.lines.is_empty(),
            error: state.error,
        }
    }
}

impl Loss {
    /// The warning while lines are being lost.
    #[must_use]
    pub fn warning(&self) -> Option<String> {
        self.recent.then(|| {
            let lines = match self.lines {
                1 => "1 line was".to_owned(),
                many => format!("{many} lines were"),
            };
            match self.error {
                Some(error) => format!(
                    "the log cannot be written to standard error ({}), and {lines} lost: connect \
                     the agent's standard error to a reader, and restart the agent; traffic \
                     continues",
                    error.desc()
                ),
                None => format!(
                    "{lines} lost from the log, since standard error was not read in time: check \
                     the program that reads it"
                ),
            }
        })
    }
}

impl Shared {
    /// A panic elsewhere leaves the state whole.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_for_ever(&self, to: &impl AsFd) {
        loop {
            let line = self.next();
            let result = write_all(to.as_fd(), &line);
            let mut state = self.lock();
            state.writing = false;
            state.error = result.err();
            if state.error.is_some() {
                state.lose();
            }
            if state.lines.is_empty() {
                self.emptied.notify_all();
            }
        }
    }

    fn next(&self) -> Vec<u8> {
        let mut state = self.lock();
        loop {
            if let Some(line) = state.lines.pop_front() {
                state.bytes -= line.len();
                state.writing = true;
                return line;
            }
            state = self.filled.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl State {
    fn lose(&mut self) {
        self.lost += 1;
        self.last_loss = Some(Instant::now());
    }
}

/// Writes a line, however long its reader takes; it may have been opened without blocking.
fn write_all(to: BorrowedFd<'_>, mut bytes: &[u8]) -> Result<(), Errno> {
    while !bytes.is_empty() {
        match unistd::write(to, bytes) {
            Ok(length) => bytes = bytes.get(length..).unwrap_or_default(),
            Err(Errno::EINTR) => {}
            Err(Errno::EAGAIN) => thread::sleep(FULL_WAIT),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Takes each event as one piece.
impl Write for Queue {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.push(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader, PipeReader, pipe};

    use nix::fcntl::{FcntlArg, OFlag, fcntl};

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    fn queue_to_pipe() -> (Queue, PipeReader) {
        let (reader, writer) = pipe().unwrap();
        let queue = Queue::default();
        queue.start(writer).unwrap();
        (queue, reader)
    }

    #[test]
    fn lines_are_written_in_their_order() {
        for nonblocking in [false, true] {
            let (reader, writer) = pipe().unwrap();
            if nonblocking {
                fcntl(&writer, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
            }
            let queue = Queue::default();
            queue.start(writer).unwrap();
            // More than a pipe holds.
            let lines: Vec<String> = (0..3000).map(|n| format!("{n:0100}")).collect();
            for line in &lines {
                queue.push(format!("{line}\n").as_bytes());
            }
            let read = BufReader::new(reader).lines().take(lines.len()).map(Result::unwrap);
            assert_eq!(read.collect::<Vec<_>>(), lines);
            queue.finish(PATIENCE);
            assert_eq!(queue.loss(), Loss { over: true, ..Loss::default() });
        }
    }

    #[test]
    fn without_a_reader_lines_are_lost_and_counted() {
        let (queue, reader) = queue_to_pipe();
        drop(reader);
        for _ in 0..3 {
            queue.push(b"gone\n");
        }
        queue.finish(PATIENCE);
        let loss = queue.loss();
        assert_eq!((loss.lines, loss.recent, loss.over), (3, true, false));
        let warning = loss.warning().unwrap();
        assert!(warning.contains("(Broken pipe), and 3 lines were lost"), "{warning}");
    }

    #[test]
    fn a_full_pipe_blocks_no_thread_and_logging_resumes_when_it_is_read() {
        let (queue, mut reader) = queue_to_pipe();
        let line = [b'x'; 1000];
        let begun = Instant::now();
        for _ in 0..5000 {
            queue.push(&line);
        }
        queue.finish(Duration::from_millis(10));
        assert!(begun.elapsed() < PATIENCE, "it was waited for the reader");
        let loss = queue.loss();
        assert!((3800..4000).contains(&loss.lines), "{loss:?}");
        assert!(loss.warning().unwrap().contains("standard error was not read in time"));
        thread::spawn(move || io::copy(&mut reader, &mut io::sink()));
        queue.finish(PATIENCE);
        queue.push(b"read again\n");
        queue.finish(PATIENCE);
        let now = queue.loss();
        assert_eq!((now.lines, now.over), (loss.lines, true));
    }

    #[test]
    fn a_line_longer_than_the_queue_is_written() {
        let (queue, reader) = queue_to_pipe();
        let mut line = vec![b'x'; 2 * WAITING_BYTES_MAX];
        line.push(b'\n');
        queue.push(&line);
        let mut read = String::new();
        BufReader::new(reader).read_line(&mut read).unwrap();
        assert_eq!(read.len(), line.len());
    }
}
