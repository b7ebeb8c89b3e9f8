//! PURE: generated load, in units of work a second, one number a tick.

use std::f64::consts::TAU;

use super::TICK;
use crate::random::Random;

/// The shapes of load. All of them have noise on top.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Load {
    /// A wave of 24 hours between 2,000 and 12,000, with 3 % of noise.
    Daily,
    /// Levels between 2,000 and 12,000 that change at once every 1 to 4 hours, with 2 % of noise.
    Steps,
    /// The daily wave, and 8 times a day the double for 10 minutes, within 60 s.
    Bursts,
    /// Around 6,000 with 15 % of noise that lasts for minutes.
    Noise,
}

impl Load {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Daily, Self::Steps, Self::Bursts, Self::Noise];

    /// Its name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Daily => "daily",
            Self::Steps => "steps",
            Self::Bursts => "bursts",
            Self::Noise => "noise",
        }
    }

    /// The work of each tick.
    #[must_use]
    pub fn generate(self, days: u32, seed: u64) -> Vec<f64> {
        let mut random = Random::new(seed);
        let ticks = u64::from(days) * 86_400 / TICK.as_secs();
        let mut shape = Shape::new(self);
        let noise = match self {
            Self::Daily | Self::Bursts => Noise { deviation: 0.03, memory: 0.9 },
            Self::Steps => Noise { deviation: 0.02, memory: 0.9 },
            // The correlation halves in a minute or so.
            Self::Noise => Noise { deviation: 0.15, memory: 0.95 },
        };
        let mut wander = 0.0;
        let mut tick = |number: u64| {
            wander = noise.next(wander, &mut random);
            (shape.at(seconds(number), &mut random) * (1.0 + wander)).max(0.0)
        };
        (0..ticks).map(&mut tick).collect()
    }
}

#[expect(clippy::cast_precision_loss, reason = "some weeks of seconds fit the mantissa")]
fn seconds(tick: u64) -> f64 {
    (tick * TICK.as_secs()) as f64
}

/// Autoregressive noise of first order: each value is near the last one.
struct Noise {
    deviation: f64,
    memory: f64,
}

impl Noise {
    fn next(&self, last: f64, random: &mut Random) -> f64 {
        // With this factor, the deviation of the sum stays the same.
        let fresh = (1.0 - self.memory * self.memory).sqrt() * self.deviation;
        self.memory * last + fresh * random.normal()
    }
}

/// The load without noise.
struct Shape {
    load: Load,
    level: f64,
    /// The second at which the level or burst changes next.
    next: f64,
}

impl Shape {
    const BURST_SECONDS: f64 = 600.0;
    const RAMP_SECONDS: f64 = 60.0;

    const fn new(load: Load) -> Self {
        Self { load, level: 6000.0, next: 0.0 }
    }

    fn at(&mut self, second: f64, random: &mut Random) -> f64 {
        match self.load {
            Load::Daily => daily(second),
            Load::Noise => self.level,
            Load::Steps => {
                if second >= self.next {
                    self.level = 2000.0 + 10_000.0 * random.share();
                    self.next = second + 3600.0 * (1.0 + 3.0 * random.share());
                }
                self.level
            }
            Load::Bursts => {
                // Each of the 8 parts of a day has one burst at a random time.
                const PART: f64 = 86_400.0 / 8.0;
                if second >= self.next {
                    self.next += PART;
                    self.level = self.next - PART * (0.2 + 0.8 * random.share());
                }
                let since = second - self.level;
                let left = self.level + Self::BURST_SECONDS - second;
                let height = (since.min(left) / Self::RAMP_SECONDS).clamp(0.0, 1.0);
                daily(second) * (1.0 + height)
            }
        }
    }
}

/// Lowest at midnight, highest at noon.
fn daily(second: f64) -> f64 {
    7000.0 - 5000.0 * (TAU * second / 86_400.0).cos()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loads_are_as_described_and_repeatable() {
        // (load, least and largest average, least ratio of a tick's work to that 2 minutes before)
        let cases = [
            (Load::Daily, 6500.0, 7500.0),
            (Load::Steps, 4000.0, 10_000.0),
            (Load::Bursts, 6800.0, 8500.0),
            (Load::Noise, 5500.0, 6500.0),
        ];
        for (load, least, most) in cases {
            let work = load.generate(7, 1);
            assert_eq!(work.len(), 7 * 17_280);
            #[expect(clippy::cast_precision_loss, reason = "small numbers")]
            let average = work.iter().sum::<f64>() / work.len() as f64;
            assert!((least..most).contains(&average), "{load:?}: {average}");
            assert!(work.iter().all(|work| work.is_finite() && *work >= 0.0));
            assert_eq!(work, load.generate(7, 1));
            assert_ne!(work, load.generate(7, 2));
        }
    }

    #[test]
    fn bursts_come_eight_times_a_day() {
        let bursts = Load::Bursts.generate(7, 1);
        let is_high: Vec<bool> =
            (0..).zip(&bursts).map(|(tick, work)| *work > 1.5 * daily(seconds(tick))).collect();
        let begins = is_high.windows(2).filter(|pair| !pair[0] && pair[1]).count();
        // Noise at the middle of a ramp may count one twice.
        assert!((50..=70).contains(&begins), "{begins}");
        let high = is_high.iter().filter(|high| **high).count();
        let minutes = high * 5 / 60;
        assert!((7 * 8 * 8..=7 * 8 * 10).contains(&minutes), "{minutes} minutes");
    }
}
