//! Remarks as they are found, and the account of lines: none may be left without a word.

use std::collections::{BTreeSet, HashMap};

use crate::{
    format::Format,
    remark::{Fate, Kind, Remark},
};

/// What is said of a line that nobody has mentioned.
const LOST: &str = "nothing in the result comes from this: what it belongs to is not imported, or \
                    makes no use of it";

/// What is known of the lines so far.
#[derive(Debug)]
pub(crate) struct Ledger {
    /// Whether each line says something; the first is line 1.
    speaks: Vec<bool>,
    remarks: Vec<Remark>,
    /// Where the remark with this text is: equal ones are one, about several lines.
    known: HashMap<(Kind, String), usize>,
}

impl Ledger {
    pub(crate) fn new(text: &str, format: Format) -> Self {
        let comments: &[char] = match format {
            Format::Keepalived => &['#', '!'],
            Format::Ipvs | Format::Haproxy => &['#'],
        };
        let speaks = |line: &str| !line.trim().is_empty() && !line.trim().starts_with(comments);
        Self {
            speaks: text.lines().map(speaks).collect(),
            remarks: Vec::new(),
            known: HashMap::new(),
        }
    }

    pub(crate) fn dropped(&mut self, line: usize, message: impl Into<String>) {
        self.remark(Kind::Dropped, [line], message);
    }

    pub(crate) fn changed(&mut self, line: usize, message: impl Into<String>) {
        self.remark(Kind::Changed, [line], message);
    }

    pub(crate) fn hand(&mut self, line: usize, message: impl Into<String>) {
        self.remark(Kind::Hand, [line], message);
    }

    /// Adds a remark about lines. Blank lines and comments among them do not count.
    pub(crate) fn remark(
        &mut self,
        kind: Kind,
        lines: impl IntoIterator<Item = usize>,
        message: impl Into<String>,
    ) {
        let message = message.into();
        let lines: Vec<usize> = lines.into_iter().filter(|line| self.says(*line)).collect();
        let index = *self.known.entry((kind, message.clone())).or_insert_with(|| {
            self.remarks.push(Remark { kind, lines: Vec::new(), message });
            self.remarks.len() - 1
        });
        if let Some(remark) = self.remarks.get_mut(index) {
            remark.lines.extend(lines);
        }
    }

    fn says(&self, line: usize) -> bool {
        line.checked_sub(1).and_then(|index| self.speaks.get(index)).copied().unwrap_or(false)
    }

    /// Closes the account: what came of each line, when the result comes from `used` lines. A line that
    /// nobody has mentioned is mentioned now.
    pub(crate) fn settle(mut self, used: &BTreeSet<usize>) -> (Vec<Remark>, Vec<Fate>) {
        let mut remarked: BTreeSet<usize> =
            self.remarks.iter().flat_map(|remark| &remark.lines).copied().collect();
        let lost: Vec<usize> = (1..=self.speaks.len())
            .filter(|line| self.says(*line) && !used.contains(line) && !remarked.contains(line))
            .collect();
        if !lost.is_empty() {
            remarked.extend(&lost);
            self.remark(Kind::Dropped, lost, LOST);
        }
        for remark in &mut self.remarks {
            remark.lines.sort_unstable();
            remark.lines.dedup();
        }
        self.remarks.sort_by(|one, other| one.lines.first().cmp(&other.lines.first()));
        let fate = |(index, speaks): (usize, &bool)| match speaks {
            false => Fate::Empty,
            true if remarked.contains(&(index + 1)) => Fate::Remarked,
            true => Fate::Mapped,
        };
        let fates = self.speaks.iter().enumerate().map(fate).collect();
        (self.remarks, fates)
    }
}
