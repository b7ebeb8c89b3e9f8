//! How the demo looks: headings, lines, bars. Colours on a terminal, or where `CLICOLOR_FORCE` asks for
//! them; no measuring.

use std::{cell::Cell, env, fmt, io::IsTerminal as _, time::Duration};

/// Width of the longest bar.
const BAR_WIDTH: usize = 40;

/// Standard output.
#[derive(Debug)]
pub(crate) struct Screen {
    colours: bool,
    step: Cell<u8>,
}

impl Screen {
    pub(crate) fn new() -> Self {
        let set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
        let colours =
            !set("NO_COLOR") && (set("CLICOLOR_FORCE") || std::io::stdout().is_terminal());
        Self { colours, step: Cell::new(0) }
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.colours { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// The title of it all.
    pub(crate) fn title(&self, text: &str) {
        println!("\n{}\n", self.paint("1;36", text));
    }

    /// The heading of the next step.
    pub(crate) fn step(&self, text: &str) {
        self.step.set(self.step.get() + 1);
        println!(
            "\n{} {}",
            self.paint("1;36", &format!("{}.", self.step.get())),
            self.paint("1", text)
        );
    }

    /// A line below a heading.
    #[expect(
        clippy::unused_self,
        reason = "one day it may depend on the terminal; callers should not care"
    )]
    pub(crate) fn line(&self, text: impl fmt::Display) {
        println!("   {text}");
    }

    /// What was measured, or done.
    pub(crate) fn fact(&self, label: &str, value: impl fmt::Display) {
        println!("   {label:<38}{}", self.paint("1", &value.to_string()));
    }

    /// A command and what it printed.
    pub(crate) fn command(&self, command: &str, output: &str) {
        println!("   {}", self.paint("2", &format!("$ {command}")));
        for line in output.trim_end().lines() {
            println!("   {line}");
        }
        println!();
    }

    /// A bar for each row: name, and how many of the total.
    pub(crate) fn bars(&self, rows: &[(String, usize)]) {
        let total: usize = rows.iter().map(|(_, count)| count).sum();
        let most = rows.iter().map(|(_, count)| *count).max().unwrap_or(0);
        println!();
        for (name, count) in rows {
            let length = (count * BAR_WIDTH).checked_div(most).unwrap_or(0);
            let bar = format!("{:<BAR_WIDTH$}", "#".repeat(length));
            println!(
                "   {name:<4} {}  {count:>6}  {}",
                self.paint("32", &bar),
                share(*count, total)
            );
        }
        println!();
    }
}

/// A share in per cent, rounded to a tenth.
pub(crate) fn share(part: usize, whole: usize) -> String {
    match (part * 2000 + whole).checked_div(whole * 2) {
        Some(thousandths) => format!("{:>3}.{} %", thousandths / 10, thousandths % 10),
        None => "  -".to_owned(),
    }
}

/// A time for people.
pub(crate) fn time(duration: Duration) -> String {
    match duration {
        short if short < Duration::from_millis(10) => {
            format!("{:.1} ms", short.as_secs_f64() * 1e3)
        }
        middle if middle < Duration::from_secs(1) => format!("{} ms", middle.as_millis()),
        long => format!("{:.1} s", long.as_secs_f64()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_and_times_are_rounded_for_people() {
        for (part, whole, text) in
            [(0, 0, "  -"), (1, 3, " 33.3 %"), (2, 3, " 66.7 %"), (7, 7, "100.0 %")]
        {
            assert_eq!(share(part, whole), text);
        }
        for (micros, text) in [(1_250, "1.2 ms"), (312_700, "312 ms"), (2_040_000, "2.0 s")] {
            assert_eq!(time(Duration::from_micros(micros)), text);
        }
    }
}
