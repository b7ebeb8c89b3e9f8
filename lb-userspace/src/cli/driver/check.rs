//! `xelb driver check`.

use std::{
    hash::{BuildHasher as _, RandomState},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use anyhow::bail;
use clap::Args;
use lb_drivers::{
    CheckOptions, Driver, Finding, Grade, Progress, Report, check_and_report, end_members_of_check,
};
use serde::Serialize;
use tokio::{
    signal::unix::{SignalKind, signal},
    time::{Instant, sleep},
};

use super::source::Source;
use crate::cli::{
    output::{Format, print_error},
    table::{Table, or_dash},
};

/// A check that is over by then shows no progress.
const PROGRESS_AFTER: Duration = Duration::from_secs(2);
/// How often it is looked whether there is progress.
const LOOK: Duration = Duration::from_millis(100);

/// Check whether a driver keeps the rules that scaled groups need
///
/// It creates members of a group of its own, calls each verb twice, kills calls in their middle,
/// makes them at the same time, gives the driver a wrong clock, and compares everything with
/// `list`. At the end, also on SIGINT, it ends the members that it has created. It never ends others.
/// It creates some 30 members one after the other, and two at a time at most. docs/drivers.md has
/// the rules.
///
/// Exit codes: 0 all rules are kept, 1 a rule is broken, 2 wrong usage.
///
/// Example: xelb driver check /usr/share/xelb/drivers/local-processes --parameters processes.yaml
///
/// Example: xelb driver check ./my-driver --set port=8080 --deadline 2m -o json -- --verbose
///
/// Example: xelb driver check --driver systemd.yaml
///
/// Example: xelb driver check --url https://hooks.example.net/xelb --secret-file secret
#[derive(Debug, Args)]
pub(crate) struct Check {
    #[command(flatten)]
    source: Source,
    /// Group that members are created in; it must have no members [default: check- and a random
    /// number]
    #[arg(long, value_name = "NAME", value_parser = group_name)]
    group: Option<String>,
    /// How long a call may take
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = humantime::parse_duration)]
    deadline: Duration,
    /// How long a member may take until it runs
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = humantime::parse_duration)]
    launch_timeout: Duration,
    /// How long it waits before it asks again
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = humantime::parse_duration)]
    poll_interval: Duration,
    #[command(flatten)]
    format: Format,
}

/// Names of groups, as in the configuration.
fn group_name(text: &str) -> Result<String, String> {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if (1..=64).contains(&text.len()) && text.bytes().all(is_allowed) {
        return Ok(text.to_owned());
    }
    Err("use up to 64 letters, digits and any of `-_.`".to_owned())
}

/// What programs read.
#[derive(Debug, Serialize)]
struct CheckView {
    passed: bool,
    group: String,
    rules: Vec<RuleView>,
}

#[derive(Debug, Serialize)]
struct RuleView {
    rule: &'static str,
    grade: Grade,
    seen: String,
    seconds: f64,
}

impl Check {
    /// Whether no rule is broken.
    pub(super) async fn run(self) -> anyhow::Result<bool> {
        let random = RandomState::new().hash_one(0);
        let driver = self.source.driver(random)?;
        let run = format!("{:04x}", random & 0xffff);
        let group =
            self.group.unwrap_or_else(|| format!("check-{:06x}", (random >> 16) & 0xff_ffff));
        let options = CheckOptions {
            parameters: self.source.parameters()?,
            deadline: self.deadline,
            launch_timeout: self.launch_timeout,
            poll_interval: self.poll_interval,
            ..CheckOptions::new(&group, &run)
        };
        let report = examine(&*driver, &options).await?;
        let view = CheckView {
            passed: report.is_passed(),
            group,
            rules: report.findings.iter().map(rule_view).collect(),
        };
        self.format.print(&view, |_| render(&report))?;
        Ok(view.passed)
    }
}

/// The check, with its progress on the error output. A signal breaks it off, and ends its members.
async fn examine(driver: &dyn Driver, options: &CheckOptions) -> anyhow::Result<Report> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let begin = Instant::now();
    let now: Mutex<Option<Progress>> = Mutex::new(None);
    let check = check_and_report(driver, options, |progress| {
        *now.lock().unwrap_or_else(PoisonError::into_inner) = Some(progress);
    });
    let mut shown = 0;
    {
        let mut check = std::pin::pin!(check);
        loop {
            tokio::select! {
                report = &mut check => return Ok(report),
                _ = interrupt.recv() => break,
                _ = terminate.recv() => break,
                () = sleep(LOOK) => {}
            }
            let progress = *now.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(Progress { rule, number, of }) = progress
                && number > shown
                && begin.elapsed() > PROGRESS_AFTER
            {
                print_error(&format!("{number} of {of}: {rule}"));
                shown = number;
            }
        }
    }
    print_error("interrupted: ending the members of the check");
    let left = end_members_of_check(driver, options).await;
    if left.is_empty() {
        bail!("the check was interrupted; its members have been ended");
    }
    bail!("the check was interrupted; end what it has left by hand: {}", left.join(", "))
}

fn rule_view(finding: &Finding) -> RuleView {
    let Finding { rule, grade, detail, took } = finding;
    RuleView { rule, grade: *grade, seen: detail.clone(), seconds: took.as_secs_f64() }
}

fn render(report: &Report) -> String {
    let mut table = Table::new(&["RULE", "RESULT", "SEEN"]);
    let count = |grade| report.findings.iter().filter(|one| one.grade == grade).count();
    for Finding { rule, grade, detail, .. } in &report.findings {
        table.row([(*rule).to_owned(), grade.to_string(), or_dash(detail)]);
    }
    let counts = [Grade::Passed, Grade::Failed, Grade::NotSupported, Grade::NotExamined]
        .map(|grade| (count(grade), grade))
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, grade)| format!("{count} {grade}"));
    format!("{}\n{}\n", table.render("no rules"), counts.collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(rule: &'static str, grade: Grade, detail: &str) -> Finding {
        Finding { rule, grade, detail: detail.to_owned(), took: Duration::from_millis(1500) }
    }

    #[test]
    fn a_report_is_a_table_with_a_sum() {
        let findings = vec![
            finding("`list` is empty", Grade::Passed, ""),
            finding("`end` twice", Grade::Failed, "fatal: no"),
            finding("`stop`", Grade::NotSupported, ""),
        ];
        let report = Report { findings };
        assert_eq!(
            render(&report),
            "RULE             RESULT         SEEN\n\
             `list` is empty  passed         -\n\
             `end` twice      FAILED         fatal: no\n\
             `stop`           not supported  -\n\
             \n\
             1 passed, 1 FAILED, 1 not supported\n"
        );
        let view = serde_json::to_value(rule_view(&report.findings[1])).unwrap();
        let expected = serde_json::json!({
            "rule": "`end` twice", "grade": "failed", "seen": "fatal: no", "seconds": 1.5
        });
        assert_eq!(view, expected);
    }
}
