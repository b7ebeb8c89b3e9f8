//! PURE: weights as people type them: `50`, or relative to the present one: `+50`, `-20`, `50%`.

use std::fmt;

/// Most of a weight.
const WEIGHT_MAX: u32 = 1000;

/// A weight, or a change of the present one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Weight {
    To(u32),
    More(u32),
    Less(u32),
    Percent(u32),
}

/// As it is typed.
impl fmt::Display for Weight {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::To(number) => write!(formatter, "{number}"),
            Self::More(number) => write!(formatter, "+{number}"),
            Self::Less(number) => write!(formatter, "-{number}"),
            Self::Percent(number) => write!(formatter, "{number}%"),
        }
    }
}

/// Reads it.
pub(super) fn parse(text: &str) -> Result<Weight, String> {
    let number = |text: &str| -> Result<u32, String> {
        let digits = text.chars().all(|one| one.is_ascii_digit());
        text.parse().ok().filter(|_| digits).ok_or_else(|| {
            "use a weight from 0 to 1000, or +N, -N or N% of the present one".to_owned()
        })
    };
    if let Some(rest) = text.strip_prefix('+') {
        number(rest).map(Weight::More)
    } else if let Some(rest) = text.strip_prefix('-') {
        number(rest).map(Weight::Less)
    } else if let Some(rest) = text.strip_suffix('%') {
        number(rest).map(Weight::Percent)
    } else {
        number(text).map(Weight::To)
    }
}

impl Weight {
    /// Whether it depends on the present weight.
    pub(super) const fn is_relative(self) -> bool {
        !matches!(self, Self::To(_))
    }

    /// The new weight; percents are rounded to the nearest number.
    pub(super) fn of(self, present: u32) -> Result<u32, String> {
        let (present, said) = (i64::from(present), self.said(present));
        let new = match self {
            Self::To(number) => i64::from(number),
            Self::More(number) => present + i64::from(number),
            Self::Less(number) => present - i64::from(number),
            Self::Percent(number) => (present * i64::from(number) + 50) / 100,
        };
        let fits = u32::try_from(new).ok().filter(|new| *new <= WEIGHT_MAX);
        fits.ok_or_else(|| format!("{said} is {new}: a weight is 0 to {WEIGHT_MAX}"))
    }

    fn said(self, present: u32) -> String {
        match self {
            Self::To(_) => "the weight".to_owned(),
            Self::More(number) => format!("the present weight {present} + {number}"),
            Self::Less(number) => format!("the present weight {present} - {number}"),
            Self::Percent(number) => format!("{number}% of the present weight {present}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_relative_to_the_present_one() {
        for (text, present, new) in [
            ("50", 100, 50),
            ("+50", 100, 150),
            ("-20", 100, 80),
            ("-100", 100, 0),
            ("50%", 100, 50),
            ("50%", 5, 3),
            ("150%", 100, 150),
            ("0%", 7, 0),
        ] {
            assert_eq!(parse(text).unwrap().of(present), Ok(new), "{text} of {present}");
        }
        for (text, present, why) in [
            ("-20", 10, "the present weight 10 - 20 is -10: a weight is 0 to 1000"),
            ("+1", 1000, "the present weight 1000 + 1 is 1001"),
            ("300%", 400, "300% of the present weight 400 is 1200"),
            ("1001", 0, "the weight is 1001"),
        ] {
            assert!(parse(text).unwrap().of(present).unwrap_err().starts_with(why), "{text}");
        }
        for text in ["", "many", "+", "-", "%", "+-5", "++5", "5%%", "-5%", "1.5"] {
            assert!(parse(text).unwrap_err().starts_with("use a weight"), "{text}");
        }
    }
}
