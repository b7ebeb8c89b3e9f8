//! What systemd says of units: calls of `systemctl`, and its output.

use std::path::{Path, PathBuf};

use lb_members::{CallError, ErrorClass, MemberState};

use crate::{answer::printable, exec::process::Program};

/// What is asked of a unit.
const PROPERTIES: &str = "--property=Id,LoadState,ActiveState,Result,Job,LoadError";

/// The program.
#[derive(Debug)]
pub(super) struct Systemctl {
    program: PathBuf,
}

/// A unit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Unit {
    pub(super) id: String,
    load: String,
    load_error: String,
    active: String,
    result: String,
    has_job: bool,
}

impl Unit {
    /// Whether something of it runs, will run, or has failed.
    pub(super) fn is_there(&self) -> bool {
        self.active != "inactive" || self.has_job
    }

    pub(super) fn state(&self) -> MemberState {
        match self.active.as_str() {
            "active" | "reloading" | "refreshing" | "deactivating" => MemberState::Running,
            "failed" => MemberState::Failed,
            "activating" => MemberState::Launching,
            _ if self.has_job => MemberState::Launching,
            _ => MemberState::Ended,
        }
    }

    /// Why its file cannot be used.
    pub(super) fn load_failure(&self) -> Option<CallError> {
        let why = match self.load.as_str() {
            "not-found" => "there is no such template unit; install its file and run `systemctl \
                 daemon-reload`"
                .to_owned(),
            "bad-setting" | "error" | "masked" => {
                let error = printable(&self.load_error);
                format!("its file cannot be used ({}) {error}", self.load)
            }
            _ => return None,
        };
        Some(CallError::new(ErrorClass::Template, format!("{}: {why}", self.id)))
    }

    /// Why it has failed.
    pub(super) fn error(&self) -> CallError {
        let message = format!(
            "{} has failed ({}); `journalctl -u {}` says why",
            self.id, self.result, self.id
        );
        CallError::new(ErrorClass::Template, message)
    }
}

impl Systemctl {
    pub(super) fn new(program: &Path) -> Self {
        Self { program: program.to_owned() }
    }

    /// Runs it, and gives its output. Dropping the future kills it.
    pub(super) async fn run(&self, arguments: &[&str]) -> Result<String, CallError> {
        let mut all = vec!["--no-pager".to_owned(), "--no-ask-password".to_owned()];
        all.extend(arguments.iter().map(|&argument| argument.to_owned()));
        let program = Program { arguments: all, ..Program::new(self.program.clone()) };
        let ended = program.run(b"").await.map_err(|error| {
            CallError::new(error.class(), format!("{}: {error}", self.program.display()))
        })?;
        if ended.status.success() {
            return Ok(String::from_utf8_lossy(&ended.stdout).into_owned());
        }
        let errors = String::from_utf8_lossy(&ended.stderr);
        let line = errors.lines().find(|line| !line.trim().is_empty()).unwrap_or("no reason given");
        let message = format!("systemctl {}: {}", arguments.join(" "), printable(line.trim()));
        Err(CallError::new(class(line), message))
    }

    /// Units of this name or pattern. A name is also answered if there is no such unit.
    pub(super) async fn show(&self, unit: &str) -> Result<Vec<Unit>, CallError> {
        Ok(units(&self.run(&["show", PROPERTIES, unit]).await?))
    }
}

/// The kind of a failure, from the message of systemctl, which has no code for it.
fn class(line: &str) -> ErrorClass {
    let has = |words: &[&str]| words.iter().any(|word| line.contains(word));
    if has(&["not found", "bad unit file", "is masked", "has a bad", "Invalid"]) {
        ErrorClass::Template
    } else if has(&["Access denied", "authentication required", "Operation not permitted"]) {
        ErrorClass::Fatal
    } else {
        ErrorClass::Transient
    }
}

/// The output of `systemctl show`: lines `KEY=VALUE`, an empty line between units.
fn units(text: &str) -> Vec<Unit> {
    let mut units = Vec::new();
    let mut unit = Unit::default();
    for line in text.lines().chain([""]) {
        let Some((key, value)) = line.split_once('=') else {
            if !unit.id.is_empty() {
                units.push(std::mem::take(&mut unit));
            }
            continue;
        };
        let value = value.to_owned();
        match key {
            "Id" => unit.id = value,
            "LoadState" => unit.load = value,
            "LoadError" => unit.load_error = value,
            "ActiveState" => unit.active = value,
            "Result" => unit.result = value,
            "Job" => unit.has_job = !value.is_empty() && value != "0",
            _ => {}
        }
    }
    units
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What systemd 252 prints.
    const SHOWN: &str = "Result=success\nId=app@web-1-1.service\nLoadState=loaded\n\
        ActiveState=active\nSubState=running\n\nResult=exit-code\nId=app@web-1-2.service\n\
        LoadState=loaded\nActiveState=failed\nSubState=failed\n\nResult=success\n\
        Id=app@web-1-3.service\nLoadState=loaded\nActiveState=inactive\nSubState=dead\nJob=77\n";

    #[test]
    fn what_systemctl_shows_is_read() {
        let units = units(SHOWN);
        let states: Vec<_> = units.iter().map(|unit| (unit.id.as_str(), unit.state())).collect();
        assert_eq!(
            states,
            [
                ("app@web-1-1.service", MemberState::Running),
                ("app@web-1-2.service", MemberState::Failed),
                ("app@web-1-3.service", MemberState::Launching),
            ]
        );
        assert!(units[1].error().message.contains("failed (exit-code)"));
    }

    #[test]
    fn states_of_units() {
        // (active, has a job, state)
        let cases = [
            ("inactive", false, MemberState::Ended),
            ("inactive", true, MemberState::Launching),
            ("activating", true, MemberState::Launching),
            ("active", false, MemberState::Running),
            ("deactivating", true, MemberState::Running),
            ("failed", false, MemberState::Failed),
        ];
        for (active, has_job, state) in cases {
            let unit = Unit { active: active.to_owned(), has_job, ..Unit::default() };
            assert_eq!(unit.state(), state, "{active} {has_job}");
        }
    }

    #[test]
    fn failures_of_systemctl_have_classes() {
        let cases = [
            ("Failed to start app@x.service: Unit app@x.service not found.", ErrorClass::Template),
            ("Failed to start app@x.service: Unit app@x.service is masked.", ErrorClass::Template),
            ("Failed to start app@x.service: Access denied", ErrorClass::Fatal),
            ("Failed to connect to bus: No such file or directory", ErrorClass::Transient),
        ];
        for (line, expected) in cases {
            assert_eq!(class(line), expected, "{line}");
        }
    }
}
