//! PURE: schedules in the five fields of cron, evaluated in an IANA time zone. What a schedule sets
//! is in `policy`.
//!
//! The fields are those of crontab(5) and of EC2 Auto Scaling's `Recurrence`: minute, hour, day of
//! month, month, day of week. If both days are restricted, either one is enough.
//!
//! Daylight saving time follows crontab(5) of Debian, too. A job with fixed hours that falls into
//! the hour that is skipped runs right after it; in the hour that comes twice it runs once. A job
//! whose hour is `*` runs by elapsed time.

use jiff::{SignedDuration, Timestamp, civil, tz::TimeZone};

const MINUTE: SignedDuration = SignedDuration::from_mins(1);

/// The longest time that [`Cron::latest`] looks back, in minutes. No gap of a time zone is longer
/// than this, except where a date was skipped.
pub(crate) const LOOK_BACK_MINUTES_MAX: i64 = 60;

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// A parsed cron expression: a set of allowed values for each field, as bits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cron {
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    any_hour: bool,
    any_day: bool,
    any_weekday: bool,
}

/// Why a text is no cron expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CronError {
    /// Not five fields.
    #[error("a cron expression has 5 fields (minute hour day month weekday), and this has {0}")]
    Fields(usize),
    /// A field that cannot be read.
    #[error(
        "`{text}` is no {field}: write *, a number from {first} to {last}, a-b, */n, or a list of them"
    )]
    Field {
        /// Which field.
        field: &'static str,
        /// What stands in it.
        text: String,
        /// Its smallest value.
        first: u32,
        /// Its largest value.
        last: u32,
    },
    /// For example, 30 February.
    #[error("it never happens: none of its months has such a day")]
    Never,
}

/// The name and the range of a field, and the words that stand for numbers.
struct Field {
    name: &'static str,
    first: u32,
    last: u32,
    words: &'static [&'static str],
}

const FIELDS: [Field; 5] = [
    Field { name: "minute", first: 0, last: 59, words: &[] },
    Field { name: "hour", first: 0, last: 23, words: &[] },
    Field { name: "day of month", first: 1, last: 31, words: &[] },
    Field { name: "month", first: 1, last: 12, words: &MONTHS },
    // 7 is Sunday, too.
    Field { name: "day of week", first: 0, last: 7, words: &WEEKDAYS },
];

impl Field {
    fn parse(&self, text: &str) -> Result<u64, CronError> {
        let error = || CronError::Field {
            field: self.name,
            text: text.to_owned(),
            first: self.first,
            last: self.last,
        };
        text.split(',').try_fold(0, |set, part| Some(set | self.part(part)?)).ok_or_else(error)
    }

    /// One element of a list: `*`, `a`, `a-b`, and each of them with `/n` (but not `a/n`).
    fn part(&self, part: &str) -> Option<u64> {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, number(step).filter(|step| *step > 0)?),
            None => (part, 1),
        };
        let (from, to) = match range.split_once('-') {
            Some((from, to)) => (self.value(from)?, self.value(to)?),
            None if range == "*" => (self.first, self.last),
            None if range == part => (self.value(range)?, self.value(range)?),
            None => return None,
        };
        (from <= to).then(|| {
            let step = usize::try_from(step).unwrap_or(usize::MAX);
            (from..=to).step_by(step).fold(0, |set, value| set | 1 << value)
        })
    }

    fn value(&self, text: &str) -> Option<u32> {
        let word = self.words.iter().position(|word| text.eq_ignore_ascii_case(word));
        let value = match word {
            Some(index) => u32::try_from(index).ok()? + self.first,
            None => number(text)?,
        };
        (self.first..=self.last).contains(&value).then_some(value)
    }
}

/// Digits only: `+5` is no number here.
fn number(text: &str) -> Option<u32> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

impl Cron {
    /// Reads five fields that are separated by white space.
    pub fn parse(text: &str) -> Result<Self, CronError> {
        let texts: Vec<&str> = text.split_whitespace().collect();
        let count = texts.len();
        let texts: [&str; 5] = texts.try_into().map_err(|_| CronError::Fields(count))?;
        let mut sets = [0; 5];
        for ((set, field), text) in sets.iter_mut().zip(&FIELDS).zip(texts) {
            *set = field.parse(text)?;
        }
        let [minutes, hours, days, months, weekdays] = sets;
        let cron = Self {
            minutes,
            hours,
            days,
            months,
            weekdays: (weekdays | weekdays >> 7) & 0x7f,
            // As in crontab(5): a field that begins with `*` does not restrict.
            any_hour: texts[1].starts_with('*'),
            any_day: texts[2].starts_with('*'),
            any_weekday: texts[4].starts_with('*'),
        };
        if cron.happens() { Ok(cron) } else { Err(CronError::Never) }
    }

    /// Whether any month has one of the days.
    fn happens(&self) -> bool {
        const DAYS_MAX: [u32; 12] = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
        let fits = |(month, last): (u32, u32)| {
            has(self.months, month) && (1..=last).any(|day| has(self.days, day))
        };
        (self.any_day || !self.any_weekday) || (1..).zip(DAYS_MAX).any(fits)
    }

    fn matches(&self, civil: civil::DateTime) -> bool {
        let day = has_signed(self.days, civil.day());
        let weekday = has_signed(self.weekdays, civil.date().weekday().to_sunday_zero_offset());
        let day_matches =
            if self.any_day || self.any_weekday { day && weekday } else { day || weekday };
        day_matches
            && has_signed(self.months, civil.month())
            && has_signed(self.hours, civil.hour())
            && has_signed(self.minutes, civil.minute())
    }

    /// The latest instant in `(after, until]` at which the schedule is due. It looks back for one
    /// hour at most, whatever `after` says.
    #[must_use]
    pub fn latest(&self, zone: &TimeZone, after: Timestamp, until: Timestamp) -> Option<Timestamp> {
        let seconds = until.as_second();
        let mut instant = Timestamp::from_second(seconds - seconds.rem_euclid(60)).ok()?;
        for _ in 0..=LOOK_BACK_MINUTES_MAX {
            if instant <= after {
                return None;
            }
            if self.is_due(zone, instant) {
                return Some(instant);
            }
            instant = instant.checked_sub(MINUTE).ok()?;
        }
        None
    }

    /// Whether it is due in the minute that begins at `instant`.
    fn is_due(&self, zone: &TimeZone, instant: Timestamp) -> bool {
        let civil = zone.to_datetime(instant);
        if self.any_hour {
            return self.matches(civil);
        }
        if self.matches(civil) {
            // The first of two occurrences of this time of day, or the only one.
            return zone
                .to_ambiguous_timestamp(civil)
                .earlier()
                .is_ok_and(|first| first == instant);
        }
        self.is_due_in_gap_before(zone, instant, civil)
    }

    /// Whether it is due at a time of day that the time zone skips right before `instant`.
    fn is_due_in_gap_before(
        &self,
        zone: &TimeZone,
        instant: Timestamp,
        civil: civil::DateTime,
    ) -> bool {
        let Ok(before) = instant.checked_sub(MINUTE) else { return false };
        let Ok(mut skipped) = zone.to_datetime(before).checked_add(MINUTE) else { return false };
        for _ in 0..LOOK_BACK_MINUTES_MAX {
            if skipped >= civil {
                return false;
            }
            if self.matches(skipped) {
                return true;
            }
            let Ok(next) = skipped.checked_add(MINUTE) else { return false };
            skipped = next;
        }
        false
    }
}

const fn has(set: u64, value: u32) -> bool {
    set >> value & 1 == 1
}

fn has_signed(set: u64, value: i8) -> bool {
    u32::try_from(value).is_ok_and(|value| has(set, value))
}

#[cfg(test)]
mod tests;
