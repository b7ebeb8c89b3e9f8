//! PURE: tables of aligned columns.

use std::fmt::Write as _;

use anstyle::Style;

use super::terminal;

/// Spaces between two columns.
const GAP: usize = 2;

/// A last column that would be narrower stands below its row.
pub(super) const LAST_MIN: usize = 20;

/// How far what stands below its row is indented.
const INDENT: usize = 4;

/// How a table is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Look {
    /// Columns of the terminal, to which the last column is wrapped; none where there is no terminal.
    pub(super) width: Option<usize>,
    /// Whether states have colours.
    pub(super) color: bool,
    /// Whether the headline is printed.
    pub(super) headers: bool,
}

impl Default for Look {
    fn default() -> Self {
        Self { width: None, color: false, headers: true }
    }
}

/// A cell: its text, and how that is painted where there are colours.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Cell {
    pub(super) text: String,
    pub(super) style: Option<Style>,
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self { text, style: None }
    }
}

/// Columns with headlines; numbers are aligned right.
pub(super) struct Table {
    rows: Vec<Vec<Cell>>,
}

impl Table {
    pub(super) fn new(headlines: &[&str]) -> Self {
        let headlines = headlines.iter().map(|text| Cell::from((*text).to_owned()));
        Self { rows: vec![headlines.collect()] }
    }

    pub(super) fn row<C: Into<Cell>>(&mut self, cells: impl IntoIterator<Item = C>) {
        // No cell looks like another row.
        let cells = cells.into_iter().map(|cell| {
            let Cell { text, style } = cell.into();
            Cell { text: terminal::line(&text).into_owned(), style }
        });
        self.rows.push(cells.collect());
    }

    /// The table, as wide as it is and without colours; `nothing` when it has no row but the headline.
    pub(super) fn render(&self, nothing: &str) -> String {
        self.shown(Look::default(), nothing)
    }

    /// The table as it looks there.
    pub(super) fn shown(&self, look: Look, nothing: &str) -> String {
        if self.rows.len() < 2 {
            return format!("{nothing}\n");
        }
        self.lines(look).concat()
    }

    /// The headline and each row, with the ends of their lines. Where the terminal is too narrow, a row
    /// has several lines.
    pub(super) fn lines(&self, look: Look) -> Vec<String> {
        let shown = || self.rows.iter().skip(usize::from(!look.headers));
        let columns = shown().map(Vec::len).max().unwrap_or(0);
        let width = |column| shown().map(|row| length(row, column)).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let is_right = |column| {
            let mut cells = self.rows.iter().skip(1).map(|row| text(row, column));
            self.rows.len() > 1 && cells.all(numeric)
        };
        let right: Vec<bool> = (0..columns).map(is_right).collect();
        let layout = Layout { look, widths, right };
        match layout.folded_from() {
            Some(first) => {
                let headlines = self.rows.first().map_or(&[][..], Vec::as_slice);
                let folded = |(number, row): (usize, &Vec<Cell>)| {
                    let is_headline = look.headers && number == 0;
                    layout.folded_line(row, first, if is_headline { &[] } else { headlines })
                };
                shown().enumerate().map(folded).collect()
            }
            None => shown().map(|row| layout.line(row)).collect(),
        }
    }
}

fn text(row: &[Cell], column: usize) -> &str {
    row.get(column).map_or("", |cell| cell.text.as_str())
}

fn length(row: &[Cell], column: usize) -> usize {
    text(row, column).chars().count()
}

/// Where columns are.
struct Layout {
    look: Look,
    widths: Vec<usize>,
    right: Vec<bool>,
}

impl Layout {
    /// The first column that stands below its row, since the columns before the last one are too many for
    /// the terminal.
    fn folded_from(&self) -> Option<usize> {
        let width = self.look.width?;
        let last = self.widths.len().checked_sub(1)?;
        let mut ends = self.widths.iter().take(last).scan(0, |end, width| {
            *end += width + GAP;
            Some(*end - GAP)
        });
        ends.position(|end| end > width).map(|first| first.max(1))
    }

    /// The columns before this one, and the others with their headlines below.
    fn folded_line(&self, row: &[Cell], first: usize, headlines: &[Cell]) -> String {
        let mut line = self.start(row, first);
        line.truncate(line.trim_end().len());
        line.push('\n');
        let width = self.look.width.unwrap_or(usize::MAX).saturating_sub(INDENT);
        for (cell, headline) in row.iter().zip(headlines).skip(first) {
            if matches!(cell.text.as_str(), "" | "-") {
                continue;
            }
            let label = format!("{}: ", headline.text.to_lowercase());
            let room = width.saturating_sub(label.chars().count());
            for (number, part) in wrapped(&cell.text, room).into_iter().enumerate() {
                let blank = " ".repeat(label.chars().count());
                let label = if number == 0 { &label } else { &blank };
                let part = painted(&part, cell.style, self.look);
                // Writing to a string does not fail.
                let _written = writeln!(line, "{:INDENT$}{label}{part}", "");
            }
        }
        line
    }

    /// The columns before this one, with the gap behind them.
    fn start(&self, row: &[Cell], end: usize) -> String {
        let mut line = String::new();
        for (column, (&width, &right)) in self.widths.iter().zip(&self.right).enumerate().take(end)
        {
            let padding = " ".repeat(width.saturating_sub(length(row, column)));
            let shown = self.painted(text(row, column), row.get(column));
            let _written = if right {
                write!(line, "{padding}{shown}  ")
            } else {
                write!(line, "{shown}{padding}  ")
            };
        }
        line
    }

    fn line(&self, row: &[Cell]) -> String {
        let last = self.widths.len().saturating_sub(1);
        let before: usize = self.widths.iter().take(last).map(|width| width + GAP).sum();
        let mut line = self.start(row, last);
        let cell = row.get(last);
        let tail = text(row, last);
        let long = tail.chars().count();
        let fits = self.look.width.is_none_or(|width| before + long <= width);
        let longest = tail.split(' ').map(|word| word.chars().count()).max().unwrap_or(0);
        let (indent, room) = match self.look.width {
            // Rather below than in the middle of a word.
            Some(width) if before + LAST_MIN.max(longest) > width => {
                (INDENT, width.saturating_sub(INDENT))
            }
            Some(width) => (before, width - before),
            None => (before, usize::MAX),
        };
        if fits {
            let last_width = self.widths.get(last).copied().unwrap_or(0);
            let right = self.right.get(last).copied().unwrap_or(false);
            if right {
                line.push_str(&" ".repeat(last_width.saturating_sub(long)));
            }
            line.push_str(&self.painted(tail, cell));
        } else {
            if indent < before {
                line.truncate(line.trim_end().len());
            }
            for (number, part) in wrapped(tail, room).into_iter().enumerate() {
                if number > 0 || indent < before {
                    line.push('\n');
                    line.push_str(&" ".repeat(indent));
                }
                line.push_str(&self.painted(&part, cell));
            }
        }
        line.truncate(line.trim_end().len());
        line.push('\n');
        line
    }

    fn painted(&self, text: &str, cell: Option<&Cell>) -> String {
        painted(text, cell.and_then(|cell| cell.style), self.look)
    }
}

/// A text in a style, where there are colours.
pub(super) fn painted(text: &str, style: Option<Style>, look: Look) -> String {
    match style {
        Some(style) if look.color && !text.is_empty() => format!("{style}{text}{style:#}"),
        _ => text.to_owned(),
    }
}

/// Lines of at most `room` characters, which end between two words where that is possible.
pub(super) fn wrapped(text: &str, room: usize) -> Vec<String> {
    let room = room.max(1);
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let characters: Vec<char> = word.chars().collect();
        for (number, part) in characters.chunks(room).enumerate() {
            let Some(line) = lines.last_mut() else { return lines };
            let begun = !line.is_empty();
            if number == 0 && line.chars().count() + usize::from(begun) + part.len() <= room {
                if begun {
                    line.push(' ');
                }
                line.extend(part);
            } else {
                lines.push(part.iter().collect());
            }
        }
    }
    lines
}

fn numeric(cell: &str) -> bool {
    cell.starts_with(|first: char| first.is_ascii_digit())
        && cell.ends_with(|last: char| last.is_ascii_digit() || last == '%' || last == 'B')
        && cell.parse::<std::net::IpAddr>().is_err()
        && cell.parse::<std::net::SocketAddr>().is_err()
        && cell.parse::<ipnet::IpNet>().is_err()
}

/// Bytes for people: `999 B`, `1.5 kB`, `2.0 MB`.
pub(super) fn bytes(number: u64) -> String {
    const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
    if number < 1000 {
        return format!("{number} B");
    }
    let mut tenths = u128::from(number) / 100;
    let mut unit = 0;
    while tenths >= 10_000 && unit + 1 < UNITS.len() {
        tenths /= 1000;
        unit += 1;
    }
    let name = UNITS.get(unit).copied().unwrap_or_default();
    format!("{}.{} {name}", tenths / 10, tenths % 10)
}

/// An address and port, or a dash for an agent that does not say.
pub(super) fn socket(address: Option<std::net::IpAddr>, port: u16) -> String {
    address.map_or_else(
        || "-".to_owned(),
        |address| std::net::SocketAddr::new(address, port).to_string(),
    )
}

/// A text, or a dash for an empty one.
pub(super) fn or_dash(text: &str) -> String {
    if text.is_empty() { "-" } else { text }.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_numbers_are_on_the_right() {
        let mut table = Table::new(&["NAME", "PACKETS", "STATE"]);
        table.row(["web".to_owned(), "7".to_owned(), "healthy".to_owned()]);
        table.row(["longer".to_owned(), "12345678".to_owned(), String::new()]);
        assert_eq!(
            table.render("none"),
            "NAME     PACKETS  STATE\n\
             web            7  healthy\n\
             longer  12345678\n"
        );
        let mut table = Table::new(&["NAME", "DETAIL"]);
        table.row(["web".to_owned(), "late\nweb healthy\u{1b}[2J".to_owned()]);
        let shown = table.render("none");
        assert_eq!(shown, "NAME  DETAIL\nweb   late\\u000aweb healthy\\u001b[2J\n");
        assert_eq!(Table::new(&["NAME"]).render("no listeners"), "no listeners\n");
    }

    #[test]
    fn columns_that_do_not_fit_stand_below_their_row() {
        let mut table = Table::new(&["TARGET", "STATE", "REASON", "DETAIL"]);
        table.row(["10.0.1.11:80", "healthy", "-", ""].map(str::to_owned));
        table.row(["10.0.1.12:80", "unhealthy", "Target.Timeout", "no answer"].map(str::to_owned));
        let lines = |width| table.lines(Look { width: Some(width), ..Look::default() }).concat();
        assert_eq!(
            lines(30),
            "TARGET        STATE\n10.0.1.11:80  healthy\n10.0.1.12:80  unhealthy\n    reason: \
             Target.Timeout\n    detail: no answer\n"
        );
        assert!(lines(50).contains("unhealthy  Target.Timeout  no answer\n"), "{}", lines(50));
    }

    fn states() -> Table {
        let mut table = Table::new(&["TARGET", "STATE", "DETAIL"]);
        let red = Some(anstyle::AnsiColor::Red.on_default());
        for (target, state, detail) in [
            ("10.0.1.11:80", "healthy", ""),
            ("10.0.1.12:80", "unhealthy", "no answer within 2s, for the third time in a row"),
        ] {
            let style = if state == "healthy" { None } else { red };
            table.row([
                Cell::from(target.to_owned()),
                Cell { text: state.to_owned(), style },
                Cell::from(detail.to_owned()),
            ]);
        }
        table
    }

    #[test]
    fn the_last_column_is_wrapped_to_the_terminal() {
        let at = |width| states().lines(Look { width: Some(width), ..Look::default() }).concat();
        let long = "TARGET        STATE      DETAIL\n\
                    10.0.1.11:80  healthy\n\
                    10.0.1.12:80  unhealthy  no answer within 2s, for the third time in a row\n";
        assert_eq!(at(80), long);
        assert_eq!(at(200), long);
        assert_eq!(
            at(50),
            "TARGET        STATE      DETAIL\n\
             10.0.1.11:80  healthy\n\
             10.0.1.12:80  unhealthy  no answer within 2s, for\n\
             \x20                        the third time in a row\n"
        );
        assert_eq!(
            at(30),
            "TARGET        STATE\n    DETAIL\n\
             10.0.1.11:80  healthy\n\
             10.0.1.12:80  unhealthy\n    no answer within 2s, for\n    the third time in a row\n"
        );
        assert_eq!(wrapped("a veryverylongword b", 8), ["a", "veryvery", "longword", "b"]);
    }

    #[test]
    fn colours_do_not_move_columns() {
        let look = Look { color: true, headers: false, width: None };
        assert_eq!(
            states().lines(look),
            [
                "10.0.1.11:80  healthy\n",
                "10.0.1.12:80  \u{1b}[31munhealthy\u{1b}[0m  no answer within 2s, for the third time in a \
                 row\n"
            ]
        );
    }

    #[test]
    fn bytes_are_readable() {
        for (number, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 kB"),
            (1_549, "1.5 kB"),
            (999_999, "999.9 kB"),
            (1_000_000, "1.0 MB"),
            (u64::MAX, "18.4 EB"),
        ] {
            assert_eq!(bytes(number), text);
        }
    }
}
