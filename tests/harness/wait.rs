//! Waiting for something to become true, with an end.

use std::{
    thread,
    time::{Duration, Instant},
};

use crate::error::{Error, Result};

/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(10);

/// Looks until `look` returns a value; `Err` of `look` says what was seen instead, and is part of
/// the error when `limit` has passed.
pub fn until<T>(
    what: &str,
    limit: Duration,
    mut look: impl FnMut() -> std::result::Result<T, String>,
) -> Result<T> {
    let started = Instant::now();
    loop {
        match look() {
            Ok(value) => return Ok(value),
            Err(seen) if started.elapsed() >= limit => {
                return Err(Error::Timeout { what: format!("{what}; instead: {seen}"), limit });
            }
            Err(_) => thread::sleep(PAUSE),
        }
    }
}
