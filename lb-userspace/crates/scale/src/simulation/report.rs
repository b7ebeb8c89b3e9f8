//! PURE: the results of all rules under all loads, as a table of Markdown.

use std::fmt;

use super::Load;
use crate::scorecard::Scorecard;

/// The result of one rule under one load.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The load.
    pub load: Load,
    /// The rule.
    pub rule: &'static str,
    /// The result.
    pub score: Scorecard,
}

/// The results of a comparison.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// By load, and then by rule.
    pub rows: Vec<Row>,
}

impl Report {
    /// The result of a rule under a load.
    #[must_use]
    pub fn score(&self, load: Load, rule: &str) -> Option<&Scorecard> {
        self.rows.iter().find(|row| row.load == load && row.rule == rule).map(|row| &row.score)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            formatter,
            "| load | rule | short of need, % of time | missing, % | superfluous, % | cost, % of peak \
             | actions a day | reversals a day |\n|---|---|---|---|---|---|---|---|"
        )?;
        for Row { load, rule, score } in &self.rows {
            writeln!(
                formatter,
                "| {} | {rule} | {:.2} | {:.2} | {:.0} | {:.0} | {:.0} | {:.1} |",
                load.name(),
                score.violation_share() * 100.0,
                score.under_provisioning() * 100.0,
                score.over_provisioning() * 100.0,
                score.cost_of_static_peak() * 100.0,
                score.actions_per_day(),
                score.reversals_per_day(),
            )?;
        }
        Ok(())
    }
}
