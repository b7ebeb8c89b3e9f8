//! PURE: the work of a group, a record a minute: what `replay` runs through other settings. Only the
//! last hours are kept, and of each minute the largest work.

use std::collections::VecDeque;

use lb_scale::{Moment, Reading, Sample, Samples};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::samples::{BYTES, PACKETS, REQUESTS};

/// Minutes that are kept: six hours. They are stored with the group, in some 25 bytes each.
pub(crate) const MINUTES_MAX: usize = 360;

/// Minutes that are stored together: the chunk of this minute is written, and all others stay.
const CHUNK_MINUTES: i64 = 20;

/// Chunks that minutes are spread over. With the oldest and the newest one in part, they hold six hours.
pub(crate) const CHUNKS: usize = 19;

/// The work of one minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MinuteOfLoad {
    /// The minute, in minutes since 1970-01-01 00:00 UTC.
    pub minute: i64,
    /// The desired capacity at its end.
    pub desired: u32,
    /// The most packets a second, of all targets; not set if that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packets: Option<u64>,
    /// The most bytes a second, of all targets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// The most requests a second, of all targets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests: Option<u64>,
}

/// A stored minute: `minute`, `desired`, `packets`, `bytes`, `requests`. Versions before had no requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Row(i64, u32, Option<u64>, Option<u64>, #[serde(default)] Option<u64>);

/// The last minutes, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Loads(VecDeque<Row>);

impl Loads {
    /// All minutes, oldest first.
    pub(crate) fn minutes(&self) -> impl Iterator<Item = MinuteOfLoad> + '_ {
        let older = self.0.len().saturating_sub(MINUTES_MAX);
        self.0.iter().skip(older).map(|&Row(minute, desired, packets, bytes, requests)| {
            MinuteOfLoad { minute, desired, packets, bytes, requests }
        })
    }

    /// Adds samples. While the wall clock is before the last minute, they belong to that.
    pub(crate) fn note(&mut self, samples: &Samples, desired: u32, now: Moment) {
        let minute = now.wall.as_second().div_euclid(60);
        if self.0.back().is_none_or(|last| last.0 < minute) {
            self.0.push_back(Row(minute, desired, None, None, None));
            self.forget();
        }
        let Some(last) = self.0.back_mut() else { return };
        last.1 = desired;
        last.2 = last.2.max(work(samples, PACKETS));
        last.3 = last.3.max(work(samples, BYTES));
        last.4 = last.4.max(work(samples, REQUESTS));
    }

    /// Forgets the oldest chunk once the others are enough: a chunk that loses its minutes one by one
    /// would be written with each.
    fn forget(&mut self) {
        while let Some(oldest) = self.0.front().map(Row::period) {
            let of_chunk = self.0.iter().take_while(|row| row.period() == oldest).count();
            if self.0.len() - of_chunk < MINUTES_MAX {
                return;
            }
            self.0.drain(..of_chunk);
        }
    }

    /// The minutes, spread over chunks by their time.
    pub(crate) fn chunks(&self) -> [Self; CHUNKS] {
        let mut chunks = [const { Self(VecDeque::new()) }; CHUNKS];
        for row in &self.0 {
            let period = usize::try_from(row.period()).unwrap_or_default();
            let chunk = period % CHUNKS;
            chunks[chunk].0.push_back(*row);
        }
        chunks
    }

    /// Chunks made one again.
    pub(crate) fn joined(chunks: impl Iterator<Item = Self>) -> Self {
        let mut rows: Vec<Row> = chunks.flat_map(|chunk| chunk.0).collect();
        rows.sort_by_key(|row| row.0);
        Self(rows.into())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Row {
    /// Minutes of one period are stored together.
    const fn period(&self) -> i64 {
        self.0.div_euclid(CHUNK_MINUTES)
    }
}

fn work(samples: &Samples, metric: &str) -> Option<u64> {
    let Reading::Total { sample, .. } = samples.get(metric)? else { return None };
    let Sample::Value(value) = sample.checked() else { return None };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked samples are not negative, and a cast saturates"
    )]
    let work = value.round() as u64;
    Some(work)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(second: i64) -> Moment {
        let wall = jiff::Timestamp::from_second(second).unwrap();
        Moment { boot_id: 1, boot: Duration::ZERO, wall }
    }

    fn samples(packets: Sample) -> Samples {
        let reading = |sample| Reading::Total { sample, saturated: false };
        [(PACKETS.to_owned(), reading(packets)), (BYTES.to_owned(), reading(Sample::Empty))].into()
    }

    #[test]
    fn the_largest_work_of_a_minute_is_kept() {
        let mut loads = Loads::default();
        for (second, value) in [(0, 10.0), (15, 30.4), (30, 20.0), (60, 5.0)] {
            loads.note(&samples(Sample::Value(value)), 2, at(second));
        }
        loads.note(&samples(Sample::Error("no map".to_owned())), 3, at(120));
        // The clock was set back.
        loads.note(&samples(Sample::Value(9.0)), 4, at(30));
        let rows: Vec<_> =
            loads.minutes().map(|one| (one.minute, one.desired, one.packets)).collect();
        assert_eq!(rows, [(0, 2, Some(30)), (1, 2, Some(5)), (2, 4, Some(9))]);
        assert!(loads.minutes().all(|one| one.bytes.is_none()));
    }

    #[test]
    fn minutes_that_were_stored_before_there_were_requests_are_read() {
        let loads: Loads = serde_json::from_str("[[5,2,100,null],[6,2,null,null,7]]").unwrap();
        let rows: Vec<_> =
            loads.minutes().map(|one| (one.minute, one.packets, one.requests)).collect();
        assert_eq!(rows, [(5, Some(100), None), (6, None, Some(7))]);
    }

    #[test]
    fn it_is_bounded_and_small_when_stored() {
        let mut loads = Loads::default();
        for minute in 0..1000 {
            loads.note(&samples(Sample::Value(123_456.0)), 20, at(minute * 60));
        }
        assert_eq!(loads.minutes().count(), MINUTES_MAX);
        assert_eq!(loads.minutes().next().unwrap().minute, 640);
        assert!(loads.0.len() < MINUTES_MAX + 20, "{}", loads.0.len());
        assert_eq!(Loads::joined(loads.chunks().into_iter()), loads);
        let text = serde_json::to_string(&loads).unwrap();
        assert!(text.len() < (MINUTES_MAX + 20) * 40, "{}", text.len());
        assert_eq!(serde_json::from_str::<Loads>(&text).unwrap(), loads);
    }
}
