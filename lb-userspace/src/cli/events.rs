//! `xelb events`.

use std::time::Duration;

use clap::Args;
use lb_agent::Event;

use super::{Socket, complete, output::Format, table, terminal};

/// Seconds that one request waits for an event.
const WAIT: u64 = 5;

/// Show the history of targets: each change of a state, with time and reason
///
/// The agent keeps the last 20,000 events since it started. With --follow, the command prints new
/// events until it is interrupted.
///
/// Example: xelb events --follow
#[derive(Debug, Args)]
pub(super) struct EventsCommand {
    /// Continue, and print new events
    #[arg(long, short)]
    follow: bool,
    /// Only events of this target group
    #[arg(long, value_name = "NAME", add = complete::groups())]
    group: Option<String>,
    #[command(flatten)]
    format: Format,
    #[command(flatten)]
    socket: Socket,
}

impl EventsCommand {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let client = self.socket.client()?;
        let mut next = 0;
        loop {
            let wait = if self.follow && next > 0 { WAIT } else { 0 };
            let mut seen = client.events(next, wait).await?;
            let progress = seen.next > next && !seen.events.is_empty();
            next = seen.next;
            seen.events.retain(|event| self.group.as_ref().is_none_or(|name| *name == event.group));
            self.format.print_each(&seen.events, line)?;
            if !self.follow && !progress {
                return Ok(());
            }
        }
    }
}

/// One event, such as `2026-11-23T16:48:05.120Z web 10.0.1.11:80 healthy -> unhealthy Target.Timeout (late)`.
fn line(event: &Event) -> String {
    let Event { at_ms, group, port, from, to, reason, detail, who, message, .. } = event;
    let target = table::socket(event.address, *port);
    if from.is_empty() && to.is_empty() {
        // Of a scaled group: it has no states of a target.
        let line = format!("{} {group} {target} {detail}", time(*at_ms));
        return terminal::line(&line).into_owned();
    }
    let from = if from.is_empty() { "new" } else { from };
    let to = if to.is_empty() { "gone" } else { to };
    let mut line = format!("{} {group} {target} {from} -> {to}", time(*at_ms));
    if !reason.is_empty() {
        line = format!("{line} {reason}");
    }
    if !detail.is_empty() {
        line = format!("{line} ({detail})");
    }
    if !who.is_empty() {
        line = format!("{line} by {who}");
    }
    if !message.is_empty() {
        line = format!("{line}: {message}");
    }
    terminal::line(&line).into_owned()
}

/// A moment in UTC (RFC 3339).
fn time(at_ms: u64) -> String {
    let moment = std::time::UNIX_EPOCH + Duration::from_millis(at_ms);
    humantime::format_rfc3339_millis(moment).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_a_line() {
        let event = Event {
            number: 7,
            at_ms: 1_795_452_485_120,
            group: "web".to_owned(),
            address: Some([10, 0, 1, 11].into()),
            port: 80,
            from: "healthy".to_owned(),
            to: "unhealthy".to_owned(),
            reason: "Target.Timeout".to_owned(),
            detail: "no answer within 2s".to_owned(),
            ..Event::default()
        };
        assert_eq!(
            line(&event),
            "2026-11-23T16:48:05.120Z web 10.0.1.11:80 healthy -> unhealthy Target.Timeout (no answer \
             within 2s)"
        );
        let none = String::new();
        let (who, message) = ("ann".to_owned(), "disk".to_owned());
        let (reason, detail) = (none.clone(), none.clone());
        let new = Event { from: none.clone(), reason, detail, who, message, ..event };
        assert_eq!(
            line(&new),
            "2026-11-23T16:48:05.120Z web 10.0.1.11:80 new -> unhealthy by ann: disk"
        );
        let new = Event { who: none.clone(), message: none, ..new };
        let scaled = Event {
            to: String::new(),
            reason: "Scaling".to_owned(),
            detail: "web-3f2a-7 takes traffic".to_owned(),
            ..new
        };
        assert_eq!(
            line(&scaled),
            "2026-11-23T16:48:05.120Z web 10.0.1.11:80 web-3f2a-7 takes traffic"
        );
    }
}
