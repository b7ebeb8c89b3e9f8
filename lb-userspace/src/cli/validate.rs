//! `xelb validate`: whether a file is a configuration. It asks no agent.

use std::{path::PathBuf, process::ExitCode};

use clap::Args;
use lb_config::{Config, ConfigError, ConfigErrors, Limits, Warning, alike, plural::counted};
use lb_health::Programs;
use lb_log::LogFormat;
use serde::{Deserialize, Serialize};

use super::{
    end,
    exec_checks::ExecChecks,
    input,
    limits::LimitArguments,
    output::{self, Format},
    this_host,
};

/// Check a configuration, without an agent and without changing anything
///
/// A directory is checked as one configuration. It prints all errors with file, line and column, and exits with 2 if there are any. Problems of this
/// host are warnings, since it need not be the balancer: see --strict. If the agent is started with
/// options for limits or `exec` checks, give the same options here.
///
/// Example: xelb validate -f xelb.yaml
///
/// Example: xelb validate /etc/xelb/conf.d
///
/// Example: xelb validate -f xelb.yaml -o json
///
/// Example: xelb validate -f xelb.yaml --not-this-host
#[derive(Debug, Args)]
pub(super) struct Validate {
    /// Configuration file, YAML or JSON, or a directory of *.yaml files; - is the standard input
    #[arg(value_name = "PATH", required_unless_present = "file")]
    path: Option<PathBuf>,
    /// The same
    #[arg(short, long, value_name = "PATH", conflicts_with = "path")]
    file: Option<PathBuf>,
    /// Also exit with 2 if there are warnings, about the file or about this host (missing
    /// interfaces, and missing routes and addresses for modes nat and fullnat)
    #[arg(long)]
    strict: bool,
    /// Do not look at this host: neither at the files that the configuration names, nor at interfaces and
    /// addresses; for tests elsewhere, such as CI
    #[arg(long)]
    not_this_host: bool,
    #[command(flatten)]
    limits: LimitArguments,
    #[command(flatten)]
    exec: ExecChecks,
    #[command(flatten)]
    format: Format,
}

/// The answer in JSON.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Verdict {
    file: String,
    valid: bool,
    listeners: usize,
    target_groups: usize,
    targets: usize,
    errors: Vec<Remark>,
    warnings: Vec<Remark>,
}

/// One error or warning.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Remark {
    /// The file of a directory, or the only file; `null` when it belongs to none of a directory's.
    file: Option<String>,
    /// From 1; `null` when it belongs to the file as a whole.
    line: Option<u32>,
    column: Option<u32>,
    path: String,
    message: String,
}

impl Validate {
    /// 0 when the file is valid, 2 when it is not; with --strict, 2 when there are warnings.
    pub(super) fn run(self) -> ExitCode {
        let path = self.file.or(self.path).unwrap_or_default();
        let file = input::shown(&path);
        let programs = Programs::from(self.exec);
        let exec_checks = programs != Programs::Off;
        let limits = Limits { exec_checks, ..self.limits.into() };
        let checked = if self.not_this_host {
            input::configuration_of_elsewhere_within(&path, &limits)
                .map(|(_, config, warnings)| (config, warnings))
        } else {
            input::configuration_within(&path, &limits, &programs).map(
                |(_, config, mut warnings)| {
                    warnings.extend(this_host::warnings(&config));
                    (config, warnings)
                },
            )
        };
        let verdict = verdict(&file, path.is_dir(), checked.as_ref());
        let refused = !verdict.valid || self.strict && !verdict.warnings.is_empty();
        if self.format.is_for_programs() {
            let printed = self.format.print(&verdict, |_| String::new());
            return match printed {
                Ok(()) if refused => ExitCode::from(2),
                printed => end(LogFormat::Text, printed.map(|()| true)),
            };
        }
        let printed = match checked {
            Err(errors) => Err(errors.into()),
            Ok((_, warnings)) => {
                for (warning, more) in alike(&warnings) {
                    output::print_error(&warned(&file, warning, more));
                }
                match self.format.print(&verdict, summary) {
                    Ok(()) if refused => return ExitCode::from(2),
                    printed => printed.map(|()| true),
                }
            }
        };
        end(LogFormat::Text, printed)
    }
}

fn verdict(
    file: &str,
    is_directory: bool,
    checked: Result<&(Config, Vec<Warning>), &ConfigErrors>,
) -> Verdict {
    let only = (!is_directory).then_some(file);
    let remark = |error: &ConfigError| remark(error, only);
    let config = checked.ok().map(|(config, _)| config);
    let warnings = checked.map_or(&[][..], |(_, warnings)| warnings.as_slice());
    let (listeners, target_groups, targets) = config.map_or((0, 0, 0), |config| {
        let used = Limits::use_of(config);
        (used.listeners, used.target_groups, used.targets)
    });
    Verdict {
        file: file.to_owned(),
        valid: checked.is_ok(),
        listeners,
        target_groups,
        targets,
        errors: checked.err().map_or(&[][..], ConfigErrors::errors).iter().map(remark).collect(),
        warnings: warnings.iter().map(|warning| remark(warning.remark())).collect(),
    }
}

fn remark(error: &ConfigError, only: Option<&str>) -> Remark {
    Remark {
        file: error.file().or(only).map(str::to_owned),
        line: error.line(),
        column: error.column(),
        path: error.path().to_owned(),
        message: error.message().to_owned(),
    }
}

/// A warning, and how many more there are like it.
pub(super) fn warned(file: &str, warning: &Warning, more: usize) -> String {
    let remark = warning.remark();
    let more = if more > 0 { format!(" (and {more} more like it)") } else { String::new() };
    format!("{} warning: {remark}{more}", remark.place(file))
}

fn summary(verdict: &Verdict) -> String {
    let Verdict { file, listeners, target_groups, targets, .. } = verdict;
    format!(
        "{file} is valid: {}, {}, {}\n",
        counted(*listeners, "listener"),
        counted(*target_groups, "target group"),
        counted(*targets, "target")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of docs/cli.md has all fields, and no others.
    #[test]
    fn json_is_as_documented() {
        let manual = include_str!("../../../docs/cli.md");
        let (_, block) = manual.split_once("<!-- checked: validate -->\n```json\n").unwrap();
        let block = block.split("```").next().unwrap();
        let read: Verdict = serde_json::from_str(block).unwrap();
        let written: serde_json::Value = serde_json::from_str(block).unwrap();
        assert_eq!(serde_json::to_value(&read).unwrap(), written);
        assert_eq!((read.errors.len(), read.valid), (1, false));
    }
}
