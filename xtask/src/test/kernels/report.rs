//! PURE: what a machine has said, as programs and what the verifier has walked in each.

use anyhow::{Result, bail, ensure};

/// A program that the kernel has loaded.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Program {
    pub(super) name: String,
    /// Instructions that the verifier has walked.
    pub(super) walked: u32,
    /// Its size, as the kernel has translated it.
    pub(super) bytes: u32,
}

/// All of them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Report {
    pub(super) programs: Vec<Program>,
}

impl Report {
    /// Reads what a machine has said: an error if its test has failed, or has not run.
    pub(super) fn read(console: &str) -> Result<Self> {
        let lines = || console.lines().map(str::trim);
        if !lines().any(|line| line.starts_with("kernels: booted")) {
            bail!("it does not boot; {}", last(console));
        }
        let code = lines().find_map(|line| line.strip_prefix("kernels: ended "));
        ensure!(code == Some("0"), "the test failed; {}", refused(console));
        let programs: Vec<Program> = lines().filter_map(program).collect();
        ensure!(!programs.is_empty(), "no program was loaded; {}", last(console));
        Ok(Self { programs })
    }
}

/// A line as the test `budget` prints it.
fn program(line: &str) -> Option<Program> {
    let (name, rest) = line.strip_prefix("loaded ")?.split_once(": ")?;
    let (walked, rest) = rest.split_once(" instructions walked, ")?;
    let bytes = rest.strip_suffix(" bytes")?;
    Some(Program {
        name: name.to_owned(),
        walked: walked.parse().ok()?,
        bytes: bytes.parse().ok()?,
    })
}

/// What the test says of a program that is refused: one line.
fn refused(console: &str) -> String {
    let line = console.lines().map(str::trim).find(|line| line.starts_with("refused "));
    line.map_or_else(|| last(console), str::to_owned)
}

fn last(console: &str) -> String {
    // Those of the kernel begin with the time.
    let line = console.lines().map(str::trim).rfind(|line| {
        !line.is_empty() && !line.starts_with('[') && !line.starts_with("kernels: ended")
    });
    format!("its last words: {}", line.unwrap_or("none"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOOTED: &str = "kernels: booted 6.1.0\r\n";

    #[test]
    fn programs_are_read() {
        let text = format!(
            "{BOOTED}loaded xelb_rest: 619803 instructions walked, 133240 bytes\r\nok\r\nkernels: ended 0\r\n"
        );
        let program = Program { name: "xelb_rest".to_owned(), walked: 619_803, bytes: 133_240 };
        assert_eq!(Report::read(&text).unwrap(), Report { programs: vec![program] });
    }

    #[test]
    fn failed_stages_are_reported() {
        let refused = "refused xelb_rest: math between map_value pointer";
        for (text, said) in [
            ("Kernel panic\n".to_owned(), "Kernel panic"),
            (format!("{BOOTED}{refused}\nkernels: ended 101\n"), "math between"),
            (format!("{BOOTED}killed\n"), "killed"),
            (format!("{BOOTED}0 passed\nkernels: ended 0\n"), "no program was loaded"),
        ] {
            let message = Report::read(&text).unwrap_err().to_string();
            assert!(message.contains(said), "{message}");
        }
    }
}
