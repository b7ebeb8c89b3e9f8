//! How the log is written: text or JSON, and for the journal of systemd without times and with the
//! priority of each line. What is logged is decided elsewhere.

pub mod limit;
mod queue;

use std::{
    backtrace::{Backtrace, BacktraceStatus},
    env, fmt,
    io::{self, IsTerminal as _},
    os::fd::AsFd as _,
    panic,
    sync::{LazyLock, Mutex, OnceLock, PoisonError},
    thread,
    time::{Duration, Instant, SystemTime},
};

use clap::ValueEnum;
use tracing::{Event, Level, Subscriber, callsite::Identifier};
use tracing_subscriber::{
    EnvFilter,
    fmt::{
        FmtContext, FormatEvent, FormatFields,
        format::{self, Writer},
    },
    registry::LookupSpan,
};

use limit::{LineLimit, LineRate};
pub use queue::Loss;
use queue::Queue;

/// The lines of this process, from [`start`] on.
static QUEUE: OnceLock<Queue> = OnceLock::new();

/// Lines that one place in the code may write; debugging asks for all of them. Whatever makes it
/// write (a caller, a change of thousands of targets), the log stays readable, and others are heard.
const OF_ONE_PLACE: LineRate =
    LineRate { all: u32::MAX, one: 300, window: Duration::from_secs(10) };

static LINES: LazyLock<Mutex<LineLimit<Identifier>>> =
    LazyLock::new(|| Mutex::new(LineLimit::new(OF_ONE_PLACE)));

/// How long a panic waits for its words to be written.
const PANIC_PATIENCE: Duration = Duration::from_secs(1);

/// Syslog's priority of an error (sd-daemon(3)).
const ERROR: u8 = 3;

/// The form of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// A line for people.
    Text,
    /// An object a line, for programs.
    Json,
}

/// Logs to standard error from now on: what `XELB_LOG` says, in that format.
///
/// # Errors
///
/// The thread that writes the log cannot be started.
pub fn start(format: LogFormat) -> io::Result<()> {
    let queue = QUEUE.get_or_init(Queue::default);
    queue.start(io::stderr())?;
    let filter = env::var("XELB_LOG").ok().and_then(|text| filter(&text));
    let filter = filter.unwrap_or_else(|| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(|| queue.clone())
        // These would be written to standard error by a macro that panics if it is closed.
        .log_internal_errors(false)
        .with_ansi(io::stderr().is_terminal())
        .event_format(Lines { format, journal: stderr_is_journal() })
        .init();
    // The default hook blocks if standard error is not read.
    panic::set_hook(Box::new(move |panic| {
        let trace = Backtrace::capture();
        let traced = trace.status() == BacktraceStatus::Captured;
        let trace = if traced { format!("\n{trace}") } else { String::new() };
        let name = thread::current().name().unwrap_or("<unnamed>").to_owned();
        print_error(format, &format!("thread {name} {panic}{trace}"));
        finish(PANIC_PATIENCE);
    }));
    Ok(())
}

/// What the log calls the parts of xelb: which crate a line comes from is of no use to an operator.
const OWN_TARGET: &str = "xelb";

/// What the names of its crates begin with.
const OWN_CRATES: &str = "lb_";

/// Whether a line comes from xelb, not from a library.
fn is_own(target: &str) -> bool {
    target.starts_with(OWN_CRATES)
}

/// A filter as people write it, such as `info` or `warn,xelb=debug`; `None` for a wrong one.
fn filter(text: &str) -> Option<EnvFilter> {
    let directive = |directive: &str| match directive.trim().strip_prefix(OWN_TARGET) {
        Some(rest) if rest.is_empty() || rest.starts_with('=') => format!("{OWN_CRATES}{rest}"),
        _ => directive.to_owned(),
    };
    let directives: Vec<String> = text.split(',').map(directive).collect();
    EnvFilter::try_new(directives.join(",")).ok()
}

/// Prints an error to standard error in the form of the log, whatever the log leaves out.
pub fn print_error(format: LogFormat, error: &str) {
    let text =
        shown_error(Lines { format, journal: stderr_is_journal() }, error, SystemTime::now());
    if let Some(queue) = QUEUE.get() {
        queue.push(format!("{text}\n").as_bytes());
    }
}

/// Says how many lines were left out since this was last asked, if any; to be called now and then.
pub fn log_left_out() {
    let mut lines = LINES.lock().unwrap_or_else(PoisonError::into_inner);
    let left_out = lines.take_left_out(Instant::now());
    drop(lines);
    if let Some(count) = left_out {
        tracing::warn!(count, "more lines than one place of the code may log were left out");
    }
}

/// Whether an event may be written.
fn may_write(event: &Event<'_>) -> bool {
    let metadata = event.metadata();
    let asked_for = *metadata.level() > Level::INFO;
    let mut lines = LINES.lock().unwrap_or_else(PoisonError::into_inner);
    asked_for || lines.may(metadata.callsite(), Instant::now())
}

/// Waits until all lines are written, or lost; at most this long.
pub fn finish(patience: Duration) {
    if let Some(queue) = QUEUE.get() {
        queue.finish(patience);
    }
}

/// What the log has lost so far.
#[must_use]
pub fn loss() -> Loss {
    QUEUE.get().map(Queue::loss).unwrap_or_default()
}

fn shown_error(lines: Lines, error: &str, now: SystemTime) -> String {
    let text = match (lines.format, lines.journal) {
        (LogFormat::Text, _) => error.to_owned(),
        (LogFormat::Json, true) => {
            serde_json::json!({"level": "ERROR", "message": error}).to_string()
        }
        (LogFormat::Json, false) => {
            let timestamp = humantime::format_rfc3339_micros(now).to_string();
            let object = serde_json::json!({
                "timestamp": timestamp, "level": "ERROR", "message": error
            });
            object.to_string()
        }
    };
    if lines.journal { prefixed(ERROR, &text) } else { text }
}

/// Whether the error output goes to the journal: then its device and inode are in the environment
/// (systemd.exec(5)).
fn stderr_is_journal() -> bool {
    let Ok(stream) = env::var("JOURNAL_STREAM") else {
        return false;
    };
    nix::sys::stat::fstat(io::stderr().as_fd())
        .is_ok_and(|stat| is_stream(&stream, stat.st_dev, stat.st_ino))
}

fn is_stream(stream: &str, device: u64, inode: u64) -> bool {
    let numbers = stream.split_once(':');
    numbers.is_some_and(|(d, i)| d.parse() == Ok(device) && i.parse() == Ok(inode))
}

/// Syslog's priority of a level, as the journal filters by it.
const fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => ERROR,
        Level::WARN => 4,
        Level::INFO => 6,
        Level::DEBUG | Level::TRACE => 7,
    }
}

/// The journal takes each line for a separate entry, so that each needs its priority.
fn prefixed(priority: u8, text: &str) -> String {
    let lines: Vec<String> = text.lines().map(|line| format!("<{priority}>{line}")).collect();
    lines.join("\n")
}

/// Writes an event.
#[derive(Clone, Copy, Debug)]
struct Lines {
    format: LogFormat,
    journal: bool,
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        if !may_write(event) {
            return Ok(());
        }
        let json =
            || format::json().flatten_event(true).with_current_span(false).with_span_list(false);
        let target = event.metadata().target();
        let plain = || format::format().with_target(!is_own(target));
        let mut text = String::new();
        let into = Writer::new(&mut text);
        match (self.format, self.journal) {
            (LogFormat::Text, false) => return plain().format_event(context, writer, event),
            (LogFormat::Text, true) => {
                plain().without_time().with_level(false).format_event(context, into, event)?;
            }
            (LogFormat::Json, false) => json().format_event(context, into, event)?,
            (LogFormat::Json, true) => {
                json().without_time().format_event(context, into, event)?;
            }
        }
        if self.format == LogFormat::Json && is_own(target) {
            // The last one of the line: texts of others come before it.
            let (named, shown) = (format!("\"target\":\"{target}\""), "\"target\":\"xelb\"");
            if let Some(at) = text.rfind(&named) {
                text.replace_range(at..at + named.len(), shown);
            }
        }
        if self.journal {
            text = format!("{}\n", prefixed(priority(*event.metadata().level()), &text));
        }
        writer.write_str(&text)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::Write,
        sync::{Arc, Mutex, PoisonError},
    };

    use super::*;

    /// What was logged.
    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(lines: Lines, log: impl FnOnce()) -> String {
        let sink = Sink::default();
        let into = sink.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(Level::TRACE)
            .with_ansi(false)
            .with_writer(move || into.clone())
            .event_format(lines)
            .finish();
        tracing::subscriber::with_default(subscriber, log);
        String::from_utf8(sink.0.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn the_journal_gets_priorities_and_no_times() {
        let lines = Lines { format: LogFormat::Text, journal: true };
        let text = logged(lines, || {
            tracing::error!("refused:\nx.yaml:1: wrong\nx.yaml:2: wrong");
            tracing::warn!(device = "eth0", "generic");
            tracing::info!("started");
            tracing::debug!("one");
            tracing::trace!("two");
        });
        let expected = "<3>refused:\n<3>x.yaml:1: wrong\n<3>x.yaml:2: wrong\n<4>generic \
                        device=\"eth0\"\n<6>started\n<7>one\n<7>two\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn text_has_times_and_levels_elsewhere() {
        let lines = Lines { format: LogFormat::Text, journal: false };
        let text = logged(lines, || tracing::warn!("generic"));
        let (time, rest) = text.trim_start().split_once(' ').unwrap();
        assert!(humantime::parse_rfc3339(time).is_ok(), "{text}");
        assert_eq!(rest.trim_start(), "WARN generic\n");
    }

    #[test]
    fn lines_of_libraries_name_them() {
        let lines = Lines { format: LogFormat::Text, journal: true };
        let text = logged(lines, || tracing::warn!(target: "aya::bpf", "no such map"));
        assert_eq!(text, "<4>aya::bpf: no such map\n");
    }

    #[test]
    fn filters_name_xelb() {
        let shown = |text| filter(text).map(|filter| filter.to_string());
        assert_eq!(shown("info").as_deref(), Some("info"));
        assert_eq!(shown("xelb=debug").as_deref(), Some("lb_=debug"));
        assert_eq!(shown("warn,xelb=debug").as_deref(), Some("lb_=debug,warn"));
        assert_eq!(shown("warn,hyper=trace").as_deref(), Some("hyper=trace,warn"));
    }

    #[test]
    fn json_is_an_object_a_line() {
        for journal in [false, true] {
            let lines = Lines { format: LogFormat::Json, journal };
            let text = logged(lines, || {
                tracing::warn!(count = 3, "first\nsecond \"quoted\"");
                tracing::info!("third");
            });
            let objects: Vec<serde_json::Value> = text
                .lines()
                .map(|line| {
                    let line = if journal { &line[3..] } else { line };
                    serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"))
                })
                .collect();
            assert_eq!(objects.len(), 2, "{text}");
            assert_eq!(objects[0]["message"], "first\nsecond \"quoted\"");
            assert_eq!((&objects[0]["count"], &objects[0]["level"]), (&3.into(), &"WARN".into()));
            assert_eq!(objects[1]["target"], OWN_TARGET);
            assert_eq!(objects[1].get("timestamp").is_some(), !journal, "{text}");
            assert_eq!(text.starts_with("<4>{"), journal, "{text}");
        }
    }

    #[test]
    fn the_last_error_has_the_form_of_the_log() {
        let cases = [
            (LogFormat::Text, false, "a\nb"),
            (LogFormat::Text, true, "<3>a\n<3>b"),
            (LogFormat::Json, true, r#"<3>{"level":"ERROR","message":"a\nb"}"#),
            (
                LogFormat::Json,
                false,
                r#"{"level":"ERROR","message":"a\nb","timestamp":"1970-01-01T00:00:00.000000Z"}"#,
            ),
        ];
        for (format, journal, expected) in cases {
            let shown = shown_error(Lines { format, journal }, "a\nb", SystemTime::UNIX_EPOCH);
            assert_eq!(shown, expected);
        }
    }

    #[test]
    fn only_the_stream_itself_is_the_journal() {
        for (stream, expected) in [
            ("8:42", true),
            ("8:43", false),
            ("9:42", false),
            ("8", false),
            ("", false),
            ("8:x", false),
        ] {
            assert_eq!(is_stream(stream, 8, 42), expected, "{stream}");
        }
    }
}
