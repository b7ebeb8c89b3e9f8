//! PURE: what a program has printed on a terminal, line by line with times, as pieces in styles.

use std::time::Duration;

/// A line, and when it was there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) at: Duration,
    pub(super) pieces: Vec<Piece>,
}

/// Text in one style.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) style: Style,
    pub(super) text: String,
}

/// What the escape sequences of the demo can say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Style {
    pub(super) bold: bool,
    pub(super) dim: bool,
    pub(super) colour: Option<Colour>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Colour {
    Red,
    Green,
    Yellow,
    Cyan,
}

/// A line as it was printed, with its escape sequences (ECMA-48, SGR); others are left out.
pub(super) fn line(at: Duration, printed: &str) -> Line {
    let mut pieces = Vec::new();
    let mut style = Style::default();
    for (index, part) in printed.split("\x1b[").enumerate() {
        let text = if index == 0 {
            part
        } else {
            let end = part.find(|one: char| one.is_ascii_alphabetic()).unwrap_or(part.len());
            let (codes, rest) = part.split_at(end);
            if rest.starts_with('m') {
                codes.split(';').for_each(|code| style.apply(code));
            }
            rest.get(1..).unwrap_or_default()
        };
        if !text.is_empty() {
            pieces.push(Piece { style, text: text.to_owned() });
        }
    }
    Line { at, pieces }
}

impl Style {
    fn apply(&mut self, code: &str) {
        match code {
            "" | "0" => *self = Self::default(),
            "1" => self.bold = true,
            "2" => self.dim = true,
            "31" => self.colour = Some(Colour::Red),
            "32" => self.colour = Some(Colour::Green),
            "33" => self.colour = Some(Colour::Yellow),
            "36" => self.colour = Some(Colour::Cyan),
            _ => {}
        }
    }
}

/// How long what is printed at first may take.
const AT_FIRST: Duration = Duration::from_millis(50);

/// The lines with pauses that a reader has time for: none is longer than `longest`, and lines come at
/// least `shortest` one after the other. What is printed at first is there from the beginning.
pub(super) fn paced(lines: Vec<Line>, shortest: Duration, longest: Duration) -> Vec<Line> {
    let (mut before, mut now) = (Duration::ZERO, Duration::ZERO);
    let first = lines.first().map_or(Duration::ZERO, |line| line.at) + AT_FIRST;
    let pace = |mut line: Line| {
        if line.at <= first {
            before = line.at;
            line.at = Duration::ZERO;
            return line;
        }
        now += line.at.saturating_sub(before).clamp(shortest, longest);
        before = line.at;
        line.at = now;
        line
    };
    lines.into_iter().map(pace).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_become_styles() {
        let read = line(Duration::ZERO, "a \x1b[1;36m1.\x1b[0m b\x1b[2K \x1b[32mc");
        let plain = Style::default();
        let heading = Style { bold: true, colour: Some(Colour::Cyan), ..plain };
        let green = Style { colour: Some(Colour::Green), ..plain };
        let expected = [(plain, "a "), (heading, "1."), (plain, " b"), (plain, " "), (green, "c")];
        let expected =
            expected.map(|(style, text)| Piece { style, text: text.to_owned() }).to_vec();
        assert_eq!(read.pieces, expected);
        assert_eq!(line(Duration::ZERO, "").pieces, []);
    }

    #[test]
    fn pauses_are_neither_too_short_nor_too_long() {
        let at = |millis| line(Duration::from_millis(millis), "");
        let lines = paced(
            [at(10), at(20), at(9_000), at(9_500), at(9_501)].to_vec(),
            Duration::from_millis(50),
            Duration::from_secs(1),
        );
        let times: Vec<u128> = lines.iter().map(|line| line.at.as_millis()).collect();
        assert_eq!(times, [0, 0, 1_000, 1_500, 1_550]);
    }
}
