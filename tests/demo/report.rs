//! What many requests amount to, in lines for the screen. Every number comes from the samples.

use std::time::{Duration, Instant};

use lb_tests::load::Samples;

use crate::screen::{Screen, time};

/// Prints how requests spread over the targets `1..=targets`, with those that got none.
pub(crate) fn spread(screen: &Screen, samples: &Samples, targets: u8) {
    let mut answers = samples.by_target();
    let mut rows: Vec<(String, usize)> = (1..=targets)
        .map(|number| format!("t{number}"))
        .map(|name| {
            let count = answers.remove(&name).unwrap_or(0);
            (name, count)
        })
        .collect();
    // Whoever else answered must not go unnoticed.
    rows.extend(answers);
    screen.bars(&rows);
}

/// Prints how many requests there were and how many of them failed, with the reasons.
pub(crate) fn failures(screen: &Screen, samples: &Samples) {
    let failed = samples.failures().len();
    let mut text = format!("{failed} of {}", samples.len());
    if failed > 0 {
        text = format!("{text} ({})", samples.failure_summary());
    }
    screen.fact("requests that failed", text);
}

/// Prints how long answered requests took.
pub(crate) fn latency(screen: &Screen, samples: &Samples) {
    let mut took: Vec<Duration> = samples
        .0
        .iter()
        .filter(|sample| sample.outcome.is_ok())
        .map(|sample| sample.took)
        .collect();
    took.sort();
    let at = |hundredths: usize| took.get(took.len() * hundredths / 100);
    if let (Some(median), Some(tail)) = (at(50), at(99)) {
        screen.fact(
            "time of a request (new connection)",
            format!("median {}, 99 % within {}", time(*median), time(*tail)),
        );
    }
}

/// How long after `since` the last request failed; `None` when none did.
pub(crate) fn last_failure(samples: &Samples, since: Instant) -> Option<Duration> {
    samples
        .failures()
        .iter()
        .map(|sample| sample.at + sample.took)
        .max()
        .map(|end| end.saturating_duration_since(since))
}
