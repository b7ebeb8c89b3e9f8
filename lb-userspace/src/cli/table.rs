//! PURE: tables of aligned columns.

use std::fmt::Write as _;

use super::terminal;

/// Columns with headlines; numbers are aligned right.
pub(super) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(super) fn new(headlines: &[&str]) -> Self {
        Self { rows: vec![headlines.iter().map(|text| (*text).to_owned()).collect()] }
    }

    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        // No cell looks like another row.
        let cells = cells.into_iter().map(|cell| terminal::line(&cell).into_owned());
        self.rows.push(cells.collect());
    }

    /// The table; `nothing` when it has no row but the headline.
    pub(super) fn render(&self, nothing: &str) -> String {
        if self.rows.len() < 2 {
            return format!("{nothing}\n");
        }
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let cell = |row: &[String], column: usize| row.get(column).cloned().unwrap_or_default();
        let width = |column| {
            let widths = self.rows.iter().map(|row| cell(row, column).chars().count());
            widths.max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let right: Vec<bool> = (0..columns)
            .map(|column| self.rows.iter().skip(1).all(|row| numeric(&cell(row, column))))
            .collect();
        let mut text = String::new();
        for row in &self.rows {
            let mut line = String::new();
            for (column, (width, right)) in widths.iter().zip(&right).enumerate() {
                let cell = cell(row, column);
                // Writing to a string does not fail.
                let _written = if *right {
                    write!(line, "{cell:>width$}  ")
                } else {
                    write!(line, "{cell:<width$}  ")
                };
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
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
