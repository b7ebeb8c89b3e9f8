//! Load and capacity as bars that move: on a terminal they are drawn over again at the bottom, and
//! elsewhere there is a line for each moment.

use std::{
    fmt::Write as _,
    io::{self, IsTerminal as _, Write as _},
    time::Duration,
};

/// Width of the longest bar.
const WIDTH: usize = 40;

/// What is drawn at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Moment {
    /// Requests in the last second.
    pub(crate) requests: usize,
    /// How many members there should be.
    pub(crate) desired: usize,
    /// How many take requests.
    pub(crate) in_service: usize,
    /// How many boot.
    pub(crate) starting: usize,
    /// How many get no new flows.
    pub(crate) draining: usize,
}

/// The chart.
#[derive(Debug)]
pub(crate) struct Chart {
    is_terminal: bool,
    requests_max: usize,
    members_max: usize,
    lines: usize,
}

impl Chart {
    /// A chart with scales up to these numbers.
    pub(crate) fn new(requests_max: usize, members_max: usize) -> Self {
        let is_terminal = io::stdout().is_terminal();
        Self { is_terminal, requests_max, members_max, lines: 0 }
    }

    /// Draws a moment, below what has happened since the one before.
    pub(crate) fn draw(&mut self, at: Duration, moment: Moment, news: &[String]) {
        let mut text = String::new();
        if self.is_terminal && self.lines > 0 {
            // Cursor up, and clear to the end of the screen.
            let _written = write!(text, "\x1b[{}A\x1b[J", self.lines);
        }
        for line in news {
            let _written = writeln!(text, "   {:>4.1} s  {line}", at.as_secs_f64());
        }
        let lines = if self.is_terminal { self.bars(moment) } else { vec![line(at, moment)] };
        self.lines = lines.len();
        for line in lines {
            let _written = writeln!(text, "   {line}");
        }
        print!("{text}");
        let _shown = io::stdout().flush();
    }

    fn bars(&self, moment: Moment) -> Vec<String> {
        let Moment { requests, desired, in_service, starting, draining } = moment;
        let row = |name: &str, bar: &str, text: &str| format!("{name:<11}{bar:<WIDTH$}  {text}");
        let cells = |count: usize| count * WIDTH / self.members_max.max(1);
        let members = [("=", in_service), ("+", starting), ("-", draining)]
            .map(|(sign, count)| sign.repeat(cells(count)))
            .concat();
        let load = (requests * WIDTH / self.requests_max.max(1)).min(WIDTH);
        vec![
            String::new(),
            row("load", &"#".repeat(load), &format!("{requests} requests/s")),
            row("desired", &"=".repeat(cells(desired)), &desired.to_string()),
            row(
                "members",
                &members,
                &format!(
                    "{in_service} in service, {starting} starting (+), {draining} draining (-)"
                ),
            ),
        ]
    }
}

fn line(at: Duration, moment: Moment) -> String {
    let Moment { requests, desired, in_service, starting, draining } = moment;
    format!(
        "{:>4.1} s  load {requests:>4}/s  desired {desired}  in service {in_service}  starting \
         {starting}  draining {draining}",
        at.as_secs_f64()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_as_long_as_the_numbers() {
        let chart = Chart { is_terminal: true, requests_max: 200, members_max: 4, lines: 0 };
        let moment = Moment { requests: 100, desired: 3, in_service: 2, starting: 1, draining: 1 };
        let bars = chart.bars(moment);
        let count = |row: &str, sign| row.chars().filter(|one| *one == sign).count();
        assert_eq!(count(&bars[1], '#'), WIDTH / 2);
        assert_eq!(count(&bars[2], '='), 30);
        let members = &bars[3][..11 + WIDTH];
        assert_eq!((count(members, '='), count(members, '+'), count(members, '-')), (20, 10, 10));
        // More than the scale does not break the picture.
        let much = chart.bars(Moment { requests: 900, ..moment });
        assert_eq!(count(&much[1], '#'), WIDTH);
        let text = line(Duration::from_millis(1500), moment);
        assert!(text.starts_with(" 1.5 s  load  100/s  desired 3"), "{text}");
    }
}
