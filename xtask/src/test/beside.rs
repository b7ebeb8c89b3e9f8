//! Work that needs nothing but the processor, done while later stages mostly wait for time to pass.
//!
//! It runs on a thread of its own with a low priority. It is not the lowest: a process that is stopped while it
//! holds a lock of the file system or keeps a grace period of RCU open would stop all others, too. One work
//! follows the other. What it prints goes to a file, and is shown as a whole when it is done.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, ensure};

use super::programs::TimedTest;
use crate::workspace::{Workspace, output};

/// The nice value: a tenth of what others get (sched(7)).
const NICE: &str = "10";

/// What a stage has left to do when all is built. It prints where it is told, and adds its tests to the list.
pub(super) type Work =
    Box<dyn FnOnce(&mut (dyn Write + Send), &mut Vec<TimedTest>) -> Result<()> + Send>;

/// Work of a stage on its way to the thread.
struct Order {
    /// Its row in the closing table.
    row: usize,
    log: PathBuf,
    work: Work,
}

/// Work that is done.
pub(super) struct Done {
    /// The row of its stage in the closing table.
    pub(super) row: usize,
    pub(super) outcome: Result<()>,
    pub(super) timed: Vec<TimedTest>,
    /// From its own start, not from its order.
    pub(super) duration: Duration,
    /// What it has printed.
    pub(super) log: PathBuf,
}

/// The thread, and what it has been given.
pub(super) struct Beside {
    workspace: Workspace,
    orders: Sender<Order>,
    done: Receiver<Done>,
    /// Orders that are not done yet.
    pub(super) open: usize,
}

impl Beside {
    pub(super) fn new(workspace: &Workspace) -> Self {
        let (orders, incoming) = mpsc::channel::<Order>();
        let (outgoing, done) = mpsc::channel();
        thread::spawn(move || {
            let idle = give_way();
            for order in incoming {
                let refused = idle.as_ref().err().map(|error| anyhow!("{error:#}"));
                if outgoing.send(perform(order, refused)).is_err() {
                    return;
                }
            }
        });
        Self { workspace: workspace.clone(), orders, done, open: 0 }
    }

    /// Leaves this work to the thread; gives the file that it prints to.
    pub(super) fn start(&mut self, row: usize, name: &str, work: Work) -> Result<PathBuf> {
        let folder = self.workspace.target_dir.join("test");
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let log = folder.join(format!("{name}.log"));
        let order = Order { row, log: log.clone(), work };
        self.orders.send(order).map_err(|_| anyhow!("the thread for {name} has ended"))?;
        self.open += 1;
        Ok(log)
    }

    /// What has been done since the last call; with `wait`, all that has been ordered.
    pub(super) fn collect(&mut self, wait: bool) -> Result<Vec<Done>> {
        let mut all = Vec::new();
        while self.open > 0 {
            let next = if wait { self.done.recv().ok() } else { self.done.try_recv().ok() };
            match next {
                Some(one) => all.push(one),
                None if wait => {
                    return Err(anyhow!("the thread for stages beside others has ended"));
                }
                None => break,
            }
            self.open -= 1;
        }
        Ok(all)
    }
}

fn perform(order: Order, refused: Option<anyhow::Error>) -> Done {
    let Order { row, log, work } = order;
    let (start, mut timed) = (Instant::now(), Vec::new());
    let outcome = refused.map_or(Ok(()), Err).and_then(|()| {
        let file = File::create(&log).with_context(|| format!("cannot make {}", log.display()))?;
        let mut file = BufWriter::new(file);
        let outcome = work(&mut file, &mut timed);
        file.flush().with_context(|| format!("cannot write {}", log.display()))?;
        outcome
    });
    Done { row, outcome, timed, duration: start.elapsed(), log }
}

/// Puts this thread, and all that it starts, behind every other.
fn give_way() -> Result<()> {
    let own = fs::read_link("/proc/thread-self").context("/proc/thread-self")?;
    let thread = own.file_name().context("/proc/thread-self names no thread")?;
    let mut command = std::process::Command::new("renice");
    output(command.args(["--priority", NICE, "--pid"]).arg(thread))?;
    let status = fs::read_to_string("/proc/thread-self/stat").context("/proc/thread-self/stat")?;
    // The field after the name, which ends with the last parenthesis, is the third; nice is the 19th (proc_pid_stat(5)).
    let fields = status.rsplit_once(')').map_or("", |(_, rest)| rest);
    let nice = fields.split_whitespace().nth(19 - 3);
    ensure!(nice == Some(NICE), "the nice value of this thread is {nice:?}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_done_in_order_and_gives_way() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().to_owned();
        let workspace = Workspace { root: root.clone(), target_dir: root };
        let mut beside = Beside::new(&workspace);
        let work = |text: &'static str| -> Work {
            Box::new(move |out, timed| {
                // What it starts gives way as well.
                let shown = std::process::Command::new("nice").output()?;
                out.write_all(&shown.stdout)?;
                timed.push(TimedTest { name: text.to_owned(), duration: Duration::ZERO });
                ensure!(text != "bad", "it is {text}");
                Ok(())
            })
        };
        let log = beside.start(3, "first", work("good")).unwrap();
        beside.start(4, "second", work("bad")).unwrap();
        let done = beside.collect(true).unwrap();
        assert_eq!(beside.open, 0);
        let rows: Vec<(usize, bool)> =
            done.iter().map(|one| (one.row, one.outcome.is_ok())).collect();
        assert_eq!(rows, [(3, true), (4, false)]);
        assert_eq!(done[1].outcome.as_ref().unwrap_err().to_string(), "it is bad");
        assert_eq!(done[0].timed[0].name, "good");
        assert_eq!(fs::read_to_string(log).unwrap().trim(), NICE);
        assert!(beside.collect(true).unwrap().is_empty(), "nothing is left to wait for");
    }
}
