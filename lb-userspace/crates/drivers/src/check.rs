//! Grades a driver: it is called twice, killed in a call, raced, and asked what it has. It creates
//! members of the group that the request names, and ends them again.

mod options;
mod rules;

use std::fmt;

use super::driver::{Driver, Request};
pub use options::CheckOptions;
use rules::{Examination, RULES};

/// How a driver did in one rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grade {
    /// It keeps the rule.
    Passed,
    /// It breaks the rule.
    Failed,
    /// The rule is about a verb that is optional, and that the driver does not have.
    NotSupported,
}

/// What was found out about one rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The rule.
    pub rule: &'static str,
    /// The grade.
    pub grade: Grade,
    /// What happened, if the rule is broken.
    pub detail: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let grade = match self.grade {
            Grade::Passed => "passed",
            Grade::Failed => "FAILED",
            Grade::NotSupported => "not supported",
        };
        write!(formatter, "{grade:13} {}", self.rule)?;
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

/// Grades a driver. It ends all members that it has created, as far as the driver does that.
pub async fn check(driver: &dyn Driver, options: &CheckOptions) -> Report {
    let request = Request {
        verb: lb_members::Verb::List,
        group: options.group.clone(),
        name: String::new(),
        template: options.template.clone(),
        parameters: options.parameters.clone(),
    };
    let examination = Examination { driver, options, request };
    let mut findings = Vec::new();
    for &(rule, examine) in RULES {
        let (grade, detail) = match examine(&examination).await {
            Ok(()) => (Grade::Passed, String::new()),
            Err(rules::Broken::Rule(detail)) => (Grade::Failed, detail),
            Err(rules::Broken::NotSupported) => (Grade::NotSupported, String::new()),
        };
        findings.push(Finding { rule, grade, detail });
        examination.clean_up().await;
    }
    Report { findings }
}
