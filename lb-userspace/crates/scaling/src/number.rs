//! PURE: from what a program prints, or a target reports, to a sample. Only one number is a value: nothing
//! is not zero, and everything else is an error with a reason.

use lb_scale::Sample;

/// Longest text of a number, in bytes.
const NUMBER_BYTES_MAX: usize = 60;

/// What a program has printed.
pub(crate) fn printed(output: &[u8]) -> Sample {
    let Ok(text) = std::str::from_utf8(output) else {
        return Sample::Error("the program prints no text".to_owned());
    };
    match text.trim() {
        "" => Sample::Empty,
        text => value(text).map_or_else(
            || Sample::Error(format!("the program prints `{}`, and no number", brief(text))),
            |value| Sample::Value(value).checked(),
        ),
    }
}

/// What a target has reported of itself: a share of what it can do.
pub(crate) fn reported(text: &str) -> Sample {
    match value(text) {
        Some(value) if (0.0..=1.0).contains(&value) => Sample::Value(value).checked(),
        _ => Sample::Error(format!("reports `{}`, and no number from 0 to 1", brief(text))),
    }
}

fn value(text: &str) -> Option<f64> {
    text.parse().ok().filter(|_| text.len() <= NUMBER_BYTES_MAX)
}

/// A text of somebody else, in one line.
fn brief(text: &str) -> String {
    text.chars().filter(|one| !one.is_control()).take(NUMBER_BYTES_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_programs_print() {
        for (output, expected) in [
            (&b"12.5\n"[..], "12.5"),
            (b" 0 ", "0"),
            (b"-0", "0"),
            (b"1e3\r\n", "1000"),
            (b"", "empty"),
            (b" \n\n", "empty"),
            (b"NaN\n", "error: NaN is not a load"),
            (b"-1\n", "error: -1 is not a load"),
            (b"inf\n", "error: inf is not a load"),
            (b"1e999\n", "error: inf is not a load"),
            (b"12 13\n", "error: the program prints `12 13`, and no number"),
            (b"1\n2\n", "error: the program prints `12`, and no number"),
            (b"0x10", "error: the program prints `0x10`, and no number"),
            (b"12 jobs", "error: the program prints `12 jobs`"),
            (b"\xff\xfe", "error: the program prints no text"),
        ] {
            let sample = printed(output).to_string();
            assert!(sample.starts_with(expected), "{output:?}: {sample}");
        }
        let long = printed(&vec![b'1'; 1 << 20]).to_string();
        assert!(long.starts_with("error: ") && long.len() < 200, "{long}");
    }

    #[test]
    fn what_targets_report() {
        for (text, expected) in [
            ("0.7", "0.7"),
            ("0", "0"),
            ("1", "1"),
            ("1.01", "error: reports `1.01`, and no number from 0 to 1"),
            ("-0.1", "error: reports `-0.1`"),
            ("NaN", "error: reports `NaN`"),
            ("70%", "error: reports `70%`"),
            ("", "error: reports ``"),
        ] {
            assert!(reported(text).to_string().starts_with(expected), "{text}");
        }
    }
}
