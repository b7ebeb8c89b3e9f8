//! One health check for a target group, where servers had their own.

use crate::{ledger::Ledger, remark::Kind, service::Check};

/// The check of the first server that has one. Others are told.
pub(crate) fn common_check(checks: Vec<Check>, ledger: &mut Ledger) -> Option<Check> {
    let mut checks = checks.into_iter();
    let mut common = checks.next()?;
    for check in checks {
        if check.is_same(&common) {
            common.lines.extend(check.lines);
        } else {
            let first = common.lines.first().copied().unwrap_or_default();
            let message = format!(
                "another check than that of line {first}: a target group has one; put these servers \
                 into a group of their own, or let all have one check"
            );
            let own = check.lines.into_iter().filter(|line| !common.lines.contains(line));
            ledger.remark(Kind::Hand, own.collect::<Vec<_>>(), message);
        }
    }
    Some(common)
}
