//! PURE: a script as a list of steps.

/// One step, or lines between two.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Step {
    /// Number of its line, from 1.
    pub(super) line: usize,
    /// Its words; none for a comment.
    pub(super) words: Vec<String>,
    /// What is indented below it, without the indent.
    pub(super) body: String,
    /// All of it as it is written, with blank lines behind it.
    pub(super) text: String,
    /// The blank lines behind it.
    pub(super) blank: String,
}

/// The steps of a script; together their texts are the script.
pub(super) fn steps(script: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for (number, line) in (1..).zip(script.lines()) {
        let begins = !line.is_empty() && !line.starts_with(' ');
        if begins || steps.is_empty() {
            let comment = line.starts_with('#');
            let words = line.split_whitespace().map(str::to_owned);
            let words = if comment { Vec::new() } else { words.collect() };
            steps.push(Step { line: number, words, ..Step::default() });
        }
        let Some(step) = steps.last_mut() else { continue };
        step.text.push_str(line);
        step.text.push('\n');
        if line.trim().is_empty() {
            step.blank.push('\n');
        } else if !begins {
            step.body.push_str(&step.blank);
            step.blank.clear();
            step.body.push_str(line.strip_prefix("  ").unwrap_or(line));
            step.body.push('\n');
        }
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_its_steps() {
        let script = "# why\n\napply\n  a: 1\n\n  b:\n    - 2\n\nadvance 3s\nexpect\n  x\n";
        let steps = steps(script);
        let words: Vec<String> = steps.iter().map(|step| step.words.join(" ")).collect();
        assert_eq!(words, ["", "apply", "advance 3s", "expect"]);
        assert_eq!(steps[1].body, "a: 1\n\nb:\n  - 2\n");
        assert_eq!((steps[1].line, &*steps[1].blank), (3, "\n"));
        assert_eq!(steps.iter().map(|step| &*step.text).collect::<String>(), script);
    }
}
