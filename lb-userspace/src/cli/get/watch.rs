//! `xelb get --watch`: a list that is redrawn on a terminal; elsewhere the rows that have changed.

use std::{
    fmt::Write as _,
    io::{self, IsTerminal as _},
    time::Duration,
};

use lb_api::Client;
use tokio::time::timeout;

use super::{
    super::{list::Times, output, relative_time},
    Get,
};

/// A table on a terminal is redrawn after so long without a change, since it says how long ago things
/// happened.
const REDRAW: Duration = Duration::from_secs(5);

/// Prints it, and what changes, until the agent ends.
pub(super) async fn run(get: &Get, client: &Client) -> anyhow::Result<()> {
    let redraws = get.list.is_table() && io::stdout().is_terminal();
    let show = async || {
        // Where changed rows are printed, passing time is no change.
        let times = Times { now_ms: relative_time::now_ms(), are_absolute: !redraws };
        get.show(client, times).await
    };
    let mut shown = show().await?;
    output::print_escaped(&if redraws { screen(&shown.text) } else { shown.text.clone() })?;
    loop {
        // Whatever comes may have changed it; the stream ends when the agent does.
        let mut changes = client.watch().await?;
        loop {
            let next = if redraws {
                timeout(REDRAW, changes.next()).await.unwrap_or(Ok(true))
            } else {
                changes.next().await
            };
            if !next? {
                break;
            }
            let new = show().await?;
            if redraws {
                output::print_escaped(&screen(&new.text))?;
            } else {
                let rows = new.changes(&shown);
                if !rows.is_empty() {
                    let separator = if new.rows.is_none() { get.list.separator() } else { "" };
                    output::print_escaped(&format!("{separator}{rows}"))?;
                }
            }
            shown = new;
        }
    }
}

/// The text in place of what the screen shows.
fn screen(text: &str) -> String {
    let size = terminal_size::terminal_size_of(io::stdout());
    redrawn(text, size.map_or(usize::MAX, |(_, terminal_size::Height(rows))| rows.into()))
}

/// The text from the top of a screen of so many rows on, without flicker: lines are overwritten, and what
/// is right of and below them is erased (ECMA-48: CUP, EL, ED). What does not fit is counted.
fn redrawn(text: &str, rows: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    // The cursor needs a row.
    let room = rows.saturating_sub(1).max(1);
    let fits = if lines.len() <= room { lines.len() } else { room.saturating_sub(1) };
    let mut screen = "\x1b[H".to_owned();
    for line in lines.iter().take(fits) {
        // Writing to a string does not fail.
        let _written = writeln!(screen, "{line}\x1b[K");
    }
    if fits < lines.len() {
        let _written = writeln!(screen, "... {} more lines\x1b[K", lines.len() - fits);
    }
    screen.push_str("\x1b[J");
    screen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_screen_is_overwritten() {
        assert_eq!(redrawn("a\nb\n", 24), "\x1b[Ha\x1b[K\nb\x1b[K\n\x1b[J");
        assert_eq!(
            redrawn("a\nb\nc\nd\n", 4),
            "\x1b[Ha\x1b[K\nb\x1b[K\n... 2 more lines\x1b[K\n\x1b[J"
        );
        assert_eq!(redrawn("a\nb\nc\n", 4), "\x1b[Ha\x1b[K\nb\x1b[K\nc\x1b[K\n\x1b[J");
    }
}
