//! PURE: columns of a list, and moments in them: how long ago for people, in UTC with `-o wide`.

use anstyle::{AnsiColor, Style};

use super::super::{relative_time, table::Cell};

/// How moments are written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    /// The present moment, in milliseconds since 1970.
    pub(crate) now_ms: u64,
    /// Whether they are written in UTC.
    pub(crate) are_absolute: bool,
}

impl Times {
    /// The same moments in UTC.
    pub(super) const fn absolute(self) -> Self {
        Self { are_absolute: true, ..self }
    }

    /// A moment in milliseconds since 1970.
    pub(crate) fn moment(self, at_ms: u64) -> String {
        if self.are_absolute {
            relative_time::moment(at_ms)
        } else {
            relative_time::ago(at_ms, self.now_ms)
        }
    }

    /// A moment as an agent writes it (RFC 3339); what is none stays as it is.
    pub(crate) fn written(self, moment: &str) -> String {
        let parsed = humantime::parse_rfc3339(moment).ok();
        let elapsed = parsed.and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
        let at_ms = elapsed.and_then(|elapsed| u64::try_from(elapsed.as_millis()).ok());
        match at_ms {
            Some(at_ms) if !self.are_absolute => self.moment(at_ms),
            _ => moment.to_owned(),
        }
    }
}

/// A column.
pub(crate) struct Column<T> {
    /// Its headline, by which it is named for `--sort-by`, too.
    pub(super) headline: &'static str,
    /// The field in JSON that it is sorted by.
    pub(super) field: &'static str,
    /// Whether only `-o wide` shows it.
    pub(super) wide: bool,
    cell: fn(&T, Times) -> String,
    style: Option<fn(&T) -> Option<Style>>,
}

impl<T> Column<T> {
    pub(crate) const fn new(
        headline: &'static str,
        field: &'static str,
        cell: fn(&T, Times) -> String,
    ) -> Self {
        Self { headline, field, wide: false, cell, style: None }
    }

    /// The same for `-o wide` only.
    pub(crate) const fn wide(mut self) -> Self {
        self.wide = true;
        self
    }

    /// The same with a colour that depends on the object.
    pub(crate) const fn painted(mut self, style: fn(&T) -> Option<Style>) -> Self {
        self.style = Some(style);
        self
    }

    /// The field in JSON that it is sorted by.
    #[cfg(test)]
    pub(crate) const fn field(&self) -> &'static str {
        self.field
    }

    pub(super) fn cell(&self, item: &T, times: Times) -> Cell {
        Cell { text: (self.cell)(item, times), style: self.style.and_then(|style| style(item)) }
    }
}

/// The colour of a state of a target, a member or a proxy. The word says the same.
pub(crate) fn state_style(state: &str) -> Option<Style> {
    let color = match state {
        "healthy" | "in-service" | "current" => AnsiColor::Green,
        "unhealthy" | "disconnected" => AnsiColor::Red,
        "initial" | "draining" | "outdated" | "pending" | "terminating" => AnsiColor::Yellow,
        _ => return None,
    };
    Some(color.on_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_relative_or_absolute() {
        let relative = Times { now_ms: 1_795_953_900_000, are_absolute: false };
        assert_eq!(relative.moment(1_795_953_600_000), "5m ago");
        assert_eq!(relative.written("2026-11-29T12:00:00Z"), "5m ago");
        assert_eq!(relative.written("never"), "never");
        let absolute = relative.absolute();
        assert_eq!(absolute.moment(1_795_953_600_000), "2026-11-29T12:00:00Z");
        assert_eq!(absolute.written("2026-11-29T12:00:00Z"), "2026-11-29T12:00:00Z");
    }
}
