//! Grades a driver: it is called twice, killed in a call, raced, asked what it has, and given a
//! wrong clock. It creates members of a group of its own, and ends them again: names that it has not
//! chosen itself are never ended.

mod examination;
mod options;
mod rules;

use std::{fmt, time::Duration};

use serde::Serialize;
use tokio::time::Instant;

use super::driver::Driver;
use examination::{Broken, Examination};
pub use options::CheckOptions;
use rules::RULES;

/// How a driver did in one rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Grade {
    /// It keeps the rule.
    Passed,
    /// It breaks the rule.
    Failed,
    /// The rule is about a verb that is optional, and that the driver does not have.
    NotSupported,
    /// The rule could not be examined, or does not concern this kind of driver.
    NotExamined,
}

impl fmt::Display for Grade {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Passed => "passed",
            Self::Failed => "FAILED",
            Self::NotSupported => "not supported",
            Self::NotExamined => "not examined",
        })
    }
}

/// What was found out about one rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The rule.
    pub rule: &'static str,
    /// The grade.
    pub grade: Grade,
    /// What was seen.
    pub detail: String,
    /// How long it took.
    pub took: Duration,
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:13} {}", self.grade, self.rule)?;
        if self.detail.is_empty() { Ok(()) } else { write!(formatter, ": {}", self.detail) }
    }
}

/// The grades of a driver.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Report {
    /// One for each rule, in the order in which they were examined.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Whether it keeps all rules that apply to it.
    #[must_use]
    pub fn is_passed(&self) -> bool {
        self.findings.iter().all(|finding| finding.grade != Grade::Failed)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.findings {
            writeln!(formatter, "{finding}")?;
        }
        Ok(())
    }
}

/// Where a check stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The rule that is examined next.
    pub rule: &'static str,
    /// Its number, from 1.
    pub number: usize,
    /// How many rules there are.
    pub of: usize,
}

/// Grades a driver. It ends all members that it has created, as far as the driver does that.
pub async fn check(driver: &dyn Driver, options: &CheckOptions) -> Report {
    check_and_report(driver, options, |_| {}).await
}

/// The same, and says when the examination of a rule begins.
pub async fn check_and_report(
    driver: &dyn Driver,
    options: &CheckOptions,
    mut progress: impl FnMut(Progress) + Send,
) -> Report {
    let examination = Examination::new(driver, options);
    let mut findings: Vec<Finding> = Vec::new();
    for (number, &(rule, examine)) in (1..).zip(RULES) {
        let begin = Instant::now();
        // What is in the group from the beginning would be taken for what a call has done.
        let result = if number > 1 && findings.first().is_none_or(|f| f.grade != Grade::Passed) {
            Err(Broken::NotExamined("the first rule is not kept".to_owned()))
        } else {
            progress(Progress { rule, number, of: RULES.len() });
            let result = examine(&examination).await;
            examination.clean_up().await;
            result
        };
        let (grade, detail) = match result {
            Ok(detail) => (Grade::Passed, detail),
            Err(Broken::Rule(detail)) => (Grade::Failed, detail),
            Err(Broken::NotSupported) => (Grade::NotSupported, String::new()),
            Err(Broken::NotExamined(why)) => (Grade::NotExamined, why),
        };
        findings.push(Finding { rule, grade, detail, took: begin.elapsed() });
    }
    Report { findings }
}

/// Ends what a check with these options has created, after it was broken off. Names of members that
/// are left, or that it cannot be known of.
pub async fn end_members_of_check(driver: &dyn Driver, options: &CheckOptions) -> Vec<String> {
    let examination = Examination::new(driver, options);
    examination.clean_up().await;
    match examination.own_members().await {
        Ok(left) => left,
        Err(_) => vec![format!("{}-*", examination.prefix())],
    }
}
