//! PURE: wildcard patterns: `*` for any number of bytes, `?` for exactly one. No regular
//! expressions.

/// Whether a backslash makes the next character literal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Escapes {
    /// It is a character as any other.
    No,
    /// `\*`, `\?` and `\\`.
    Yes,
}

/// Whether upper and lower case of ASCII letters differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Case {
    /// They differ.
    Counts,
    /// They are the same.
    Folded,
}

/// A wildcard pattern, cut at its `*` into pieces: the first piece stands at the beginning of a
/// text, the last one at its end, and the others between them in this order.
///
/// Each piece takes the first place where it fits; no earlier choice is ever taken back. So a match
/// costs at most length of text x length of the longest piece, whatever the pattern: linear in the
/// text where a piece has no `?` and case counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern {
    pieces: Vec<Piece>,
    case: Case,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Piece {
    units: Vec<Unit>,
    /// The same as bytes, if no unit is a wildcard.
    literal: Option<Vec<u8>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Byte(u8),
    AnyByte,
}

/// A backslash before something else than `*`, `?` or a backslash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BadEscape;

impl Pattern {
    pub(crate) fn new(text: &str, escapes: Escapes, case: Case) -> Result<Self, BadEscape> {
        let mut pieces = vec![Piece::default()];
        let mut bytes = text.bytes();
        while let Some(byte) = bytes.next() {
            let unit = match byte {
                b'*' => {
                    pieces.push(Piece::default());
                    continue;
                }
                b'?' => Unit::AnyByte,
                b'\\' if escapes == Escapes::Yes => match bytes.next() {
                    Some(literal @ (b'*' | b'?' | b'\\')) => Unit::Byte(literal),
                    _ => return Err(BadEscape),
                },
                byte if case == Case::Folded => Unit::Byte(byte.to_ascii_lowercase()),
                byte => Unit::Byte(byte),
            };
            if let Some(piece) = pieces.last_mut() {
                piece.units.push(unit);
            }
        }
        for piece in &mut pieces {
            piece.literal = piece.units.iter().map(|unit| unit.byte()).collect();
        }
        Ok(Self { pieces, case })
    }

    /// Number of `*` and `?`.
    pub(crate) fn wildcards(&self) -> usize {
        let units = self.pieces.iter().flat_map(|piece| &piece.units);
        self.pieces.len() - 1 + units.filter(|unit| **unit == Unit::AnyByte).count()
    }

    /// The whole text, if there is no wildcard.
    pub(crate) fn exact(&self) -> Option<&[u8]> {
        match self.pieces.as_slice() {
            [only] => only.literal.as_deref(),
            _ => None,
        }
    }

    /// What follows a `*` at the beginning, if that is the only wildcard.
    pub(crate) fn literal_suffix(&self) -> Option<&[u8]> {
        match self.pieces.as_slice() {
            [first, last] if first.units.is_empty() => last.literal.as_deref(),
            _ => None,
        }
    }

    /// What every matching text begins with: the bytes before the first wildcard.
    pub(crate) fn literal_prefix(&self) -> Vec<u8> {
        let first = self.pieces.first().map_or(&[][..], |piece| &piece.units);
        first.iter().map_while(|unit| unit.byte()).collect()
    }

    /// Whether the whole text matches.
    pub(crate) fn matches(&self, text: &[u8]) -> bool {
        let [first, rest @ ..] = self.pieces.as_slice() else { return false };
        let Some((last, middle)) = rest.split_last() else {
            return text.len() == first.units.len() && first.fits(text, self.case);
        };
        let mut left = text;
        if !first.fits(left, self.case) {
            return false;
        }
        left = &left[first.units.len()..];
        for piece in middle {
            let Some(place) = piece.find(left, self.case) else { return false };
            left = &left[place + piece.units.len()..];
        }
        let end = left.len().checked_sub(last.units.len());
        end.is_some_and(|end| last.fits(&left[end..], self.case))
    }

    /// Whether every text that `other` matches is matched, too. `false` may also mean "not known".
    ///
    /// The wildcards of `other` are treated as characters of their own, which only the wildcards of
    /// this pattern can stand for.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        if self.case == Case::Counts && other.case == Case::Folded {
            return false;
        }
        let (mine, theirs) = (self.symbols(), other.symbols());
        // `reach[j]`: what was read of this pattern covers the first `j` symbols of the other one.
        let mut reach = vec![false; theirs.len() + 1];
        reach[0] = true;
        for symbol in mine {
            let mut next = vec![false; theirs.len() + 1];
            for place in 0..=theirs.len() {
                next[place] = match (symbol, place.checked_sub(1).map(|before| theirs[before])) {
                    (Symbol::Star, None) => reach[0],
                    (Symbol::Star, Some(_)) => reach[place] || next[place - 1],
                    (Symbol::One(_), None | Some(Symbol::Star)) => false,
                    (Symbol::One(Unit::AnyByte), Some(Symbol::One(_))) => reach[place - 1],
                    (Symbol::One(unit), Some(Symbol::One(their))) => {
                        unit == their && reach[place - 1]
                    }
                };
            }
            reach = next;
        }
        reach.last().copied().unwrap_or(false)
    }

    fn symbols(&self) -> Vec<Symbol> {
        let mut symbols = Vec::new();
        for (place, piece) in self.pieces.iter().enumerate() {
            if place > 0 {
                symbols.push(Symbol::Star);
            }
            symbols.extend(piece.units.iter().map(|unit| Symbol::One(*unit)));
        }
        symbols
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Symbol {
    Star,
    One(Unit),
}

impl Unit {
    fn byte(self) -> Option<u8> {
        match self {
            Self::Byte(byte) => Some(byte),
            Self::AnyByte => None,
        }
    }
}

impl Piece {
    /// Whether the text begins with this piece.
    fn fits(&self, text: &[u8], case: Case) -> bool {
        if case == Case::Counts
            && let Some(literal) = &self.literal
        {
            return text.starts_with(literal);
        }
        let same = |(unit, byte): (&Unit, &u8)| match (unit, case) {
            (Unit::AnyByte, _) => true,
            (Unit::Byte(own), Case::Counts) => own == byte,
            (Unit::Byte(own), Case::Folded) => *own == byte.to_ascii_lowercase(),
        };
        text.len() >= self.units.len() && self.units.iter().zip(text).all(same)
    }

    /// The first place where it fits.
    fn find(&self, text: &[u8], case: Case) -> Option<usize> {
        if case == Case::Counts
            && let Some(literal) = &self.literal
        {
            return memchr::memmem::find(text, literal);
        }
        let last = text.len().checked_sub(self.units.len())?;
        (0..=last).find(|place| self.fits(&text[*place..], case))
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use proptest::prelude::*;

    use super::*;

    fn pattern(text: &str) -> Pattern {
        Pattern::new(text, Escapes::No, Case::Counts).unwrap()
    }

    #[test]
    fn wildcards_match_the_whole_text() {
        let cases = [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("*", "a/b.c", true),
            ("?", "", false),
            ("?", "a", true),
            ("?", "ab", false),
            ("/img/*", "/img/", true),
            ("/img/*", "/img", false),
            ("/img/*/pic?.png", "/img/a/b/pic1.png", true),
            ("/img/*/pic?.png", "/img/pic1.png", false),
            ("*ab", "aab", true),
            ("*ab*", "xxabxx", true),
            ("a*a", "a", false),
            ("a*b*c", "abc", true),
            ("a*bc*c", "abc", false),
            ("**", "", true),
            ("*?*", "", false),
            ("?*", "a", true),
            ("a**b", "ab", true),
            ("A", "a", false),
            ("a\\*", "a\\b", true),
        ];
        for (text, subject, expected) in cases {
            assert_eq!(pattern(text).matches(subject.as_bytes()), expected, "{text} on {subject}");
        }
    }

    #[test]
    fn escapes_and_case_are_as_asked_for() {
        let folded = Pattern::new("Ab\\*?\\\\*", Escapes::Yes, Case::Folded).unwrap();
        assert!(folded.matches(b"aB*x\\rest"));
        assert!(!folded.matches(b"abxx\\rest"));
        for text in ["a\\", "\\a", "a\\\\\\"] {
            assert_eq!(Pattern::new(text, Escapes::Yes, Case::Folded), Err(BadEscape), "{text}");
        }
    }

    #[test]
    fn a_pattern_covers_those_that_match_less() {
        let cases = [
            ("*", "a?b*", true),
            ("*", "", true),
            ("/a/*", "/a/b/*", true),
            ("/a/b/*", "/a/*", false),
            ("a?c", "abc", true),
            ("abc", "a?c", false),
            ("a?c", "a*c", false),
            ("*.com", "*.example.com", true),
            ("*?", "*", false),
            ("**", "*", true),
            ("a*c", "abc*c", true),
        ];
        for (general, special, expected) in cases {
            assert_eq!(pattern(general).covers(&pattern(special)), expected, "{general} {special}");
        }
    }

    #[test]
    fn many_stars_on_a_long_text_take_no_exponential_time() {
        let hostile = format!("{}b", "*a".repeat(128));
        let text = "a".repeat(16 * 1024);
        let subjects = [pattern(&hostile), pattern(&format!("*{}b*", "a?".repeat(60)))];
        let start = Instant::now();
        for subject in &subjects {
            assert!(!subject.matches(text.as_bytes()));
        }
        assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    }

    /// Tries every split: exponential, and easy to see through.
    fn naive(pattern: &[u8], text: &[u8]) -> bool {
        match pattern {
            [] => text.is_empty(),
            [b'*', rest @ ..] => (0..=text.len()).any(|skipped| naive(rest, &text[skipped..])),
            [b'?', rest @ ..] => !text.is_empty() && naive(rest, &text[1..]),
            [byte, rest @ ..] => text.first() == Some(byte) && naive(rest, &text[1..]),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(8192))]

        #[test]
        fn matching_agrees_with_trying_every_split(text in "[ab*?]{0,9}", subject in "[ab]{0,10}") {
            let expected = naive(text.as_bytes(), subject.as_bytes());
            prop_assert_eq!(pattern(&text).matches(subject.as_bytes()), expected);
        }

        #[test]
        fn covering_is_sound(
            general in "[ab*?]{0,6}", special in "[ab*?]{0,6}", subject in "[ab]{0,7}",
        ) {
            let covers = pattern(&general).covers(&pattern(&special));
            let special = pattern(&special).matches(subject.as_bytes());
            let general = pattern(&general).matches(subject.as_bytes());
            prop_assert!(!(covers && special) || general);
        }
    }
}
