//! Warnings in the log: each once when it becomes true and once when that ends, a few at a time.

use std::collections::BTreeSet;

/// Lines of one kind that are logged at once; `xelb status` has them all.
const LINES_MAX: usize = 20;

/// What has been logged and still holds.
#[derive(Debug, Default)]
pub(super) struct Told(BTreeSet<String>);

impl Told {
    /// Logs what is new, and what has ended.
    pub(super) fn tell(&mut self, warnings: &[String]) {
        let now: BTreeSet<String> = warnings.iter().cloned().collect();
        let more = limited(now.difference(&self.0), |line| tracing::warn!("{line}"));
        if more > 0 {
            tracing::warn!("and {more} more warnings; `xelb status` shows all");
        }
        let more =
            limited(self.0.difference(&now), |line| tracing::info!("no longer true: {line}"));
        if more > 0 {
            tracing::info!("and {more} more warnings are no longer true");
        }
        self.0 = now;
    }
}

/// Does this with the first lines; gives the number of the others.
fn limited<'text>(
    mut lines: impl Iterator<Item = &'text String>,
    log: impl FnMut(&'text String),
) -> usize {
    lines.by_ref().take(LINES_MAX).for_each(log);
    lines.count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beyond_a_few_lines_there_is_a_number() {
        for (count, left) in [(0, 0), (LINES_MAX, 0), (LINES_MAX + 7, 7)] {
            let all: Vec<String> = (0..count).map(|number| number.to_string()).collect();
            let mut logged = Vec::new();
            assert_eq!(limited(all.iter(), |line| logged.push(line)), left);
            assert_eq!(logged, all.iter().take(LINES_MAX).collect::<Vec<_>>());
        }
    }

    #[test]
    fn what_holds_is_kept_in_mind() {
        let mut told = Told::default();
        told.tell(&["a".to_owned(), "b".to_owned()]);
        told.tell(&["b".to_owned(), "c".to_owned()]);
        assert_eq!(told.0, BTreeSet::from(["b".to_owned(), "c".to_owned()]));
    }
}
