//! PURE: what lookups make of a name: its addresses, whether it fails, and when it is asked for again.
//!
//! Only an answer with addresses changes them. All else keeps the last ones for as long as it lasts: a server
//! that fails, but also one that knows no such name, or no address of it. To empty a group is never what
//! such an answer is meant for, and a zone that is broken for a minute looks the same.

use std::{
    net::IpAddr,
    time::{Duration, Instant},
};

use lb_config::NamedTarget;

/// A time to live is taken for at least this long, and at most for that.
pub const TTL_MIN: Duration = Duration::from_secs(1);
/// The longest time.
pub const TTL_MAX: Duration = Duration::from_mins(5);
/// Waits after failures: from this, doubling, up to [`RETRY_MAX`].
const RETRY_MIN: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_secs(30);

/// What a lookup of one address family gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Addresses, and how long they hold.
    Addresses(Vec<IpAddr>, Duration),
    /// There are none, and why, such as `the name does not exist (NXDOMAIN)`.
    None(String),
    /// Nobody could say.
    Failed(String),
}

/// A name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NameLife {
    /// Its last addresses, IPv4 and IPv6: sorted, none twice.
    families: [Vec<IpAddr>; 2],
    /// Addresses beyond the bound that its last answers had.
    surplus: usize,
    /// Why the last lookup failed; empty if it did not.
    pub error: String,
    /// When it began to fail.
    pub failing_since: Option<Instant>,
    /// Failures in a row.
    failures: u32,
    /// Lookups that ended.
    pub lookups: u64,
    /// Those that failed.
    pub lookups_failed: u64,
    /// When it is asked for again; `None` before the first lookup has ended.
    pub next_at: Option<Instant>,
}

impl NameLife {
    /// A name whose last addresses are known from before.
    #[must_use]
    pub fn known(addresses: &[IpAddr]) -> Self {
        let mut life = Self::default();
        let of = |ipv6: bool| addresses.iter().copied().filter(move |one| one.is_ipv6() == ipv6);
        for (family, ipv6) in life.families.iter_mut().zip([false, true]) {
            *family = sorted(of(ipv6).collect());
        }
        life.bound();
        life
    }

    /// Its addresses, IPv4 first.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> + '_ {
        self.families.iter().flatten().copied()
    }

    /// Whether it has addresses.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.families.iter().any(|family| !family.is_empty())
    }

    /// How many addresses of its last answers are left out.
    #[must_use]
    pub const fn surplus(&self) -> usize {
        self.surplus
    }

    /// Takes in what a lookup gave for IPv4 and IPv6. `spread` is a random number from 0 to 1.
    pub fn take(&mut self, answers: [Answer; 2], spread: f64, now: Instant) {
        self.lookups += 1;
        let found =
            answers.iter().any(|one| matches!(one, Answer::Addresses(all, _) if !all.is_empty()));
        let mut time: Option<Duration> = None;
        let mut error = String::new();
        for (family, answer) in self.families.iter_mut().zip(answers) {
            match answer {
                Answer::Addresses(all, holds) if !all.is_empty() => {
                    *family = sorted(all);
                    time = Some(time.map_or(holds, |time| time.min(holds)));
                }
                // The other family has some: that there are none of this one is what the name says.
                Answer::None(_) if found => family.clear(),
                // A server that never answers for one family is none to warn of.
                Answer::Failed(_) if found && family.is_empty() => {}
                Answer::None(why) | Answer::Failed(why) => error = joined(error, &why),
                Answer::Addresses(..) => error = joined(error, "an answer without addresses"),
            }
        }
        if found {
            self.surplus = 0;
            self.bound();
        }
        let wait = if error.is_empty() {
            (self.failures, self.failing_since) = (0, None);
            time.unwrap_or(TTL_MAX).clamp(TTL_MIN, TTL_MAX)
        } else {
            self.lookups_failed += 1;
            let wait = RETRY_MIN * 2_u32.saturating_pow(self.failures.min(10));
            self.failures = self.failures.saturating_add(1);
            self.failing_since.get_or_insert(now);
            wait.min(RETRY_MAX)
        };
        self.error = error;
        // Names that are asked for together, and balancers of a fleet, spread. A record that is over is asked
        // for late rather than early: a cache would answer with the rest of its time.
        self.next_at = Some(now + wait + wait.mul_f64(spread.clamp(0.0, 1.0) / 10.0));
    }

    /// Leaves out what is beyond the bound: the highest addresses.
    fn bound(&mut self) {
        let mut left = NamedTarget::ADDRESSES_MAX;
        for family in &mut self.families {
            self.surplus += family.len().saturating_sub(left);
            family.truncate(left);
            left -= family.len();
        }
    }
}

fn sorted(mut addresses: Vec<IpAddr>) -> Vec<IpAddr> {
    addresses.sort_unstable();
    addresses.dedup();
    addresses
}

/// Both families mostly fail for one reason, which is said once.
fn joined(error: String, why: &str) -> String {
    match error.as_str() {
        "" => why.to_owned(),
        same if same == why => error,
        other => format!("{other}; {why}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some(addresses: &[&str], seconds: u64) -> Answer {
        let addresses = addresses.iter().map(|one| one.parse().unwrap()).collect();
        Answer::Addresses(addresses, Duration::from_secs(seconds))
    }

    fn none() -> Answer {
        Answer::None("NXDOMAIN".to_owned())
    }

    fn failed() -> Answer {
        Answer::Failed("SERVFAIL".to_owned())
    }

    fn shown(life: &NameLife, now: Instant) -> String {
        let addresses: Vec<String> = life.addresses().map(|one| one.to_string()).collect();
        let wait = life.next_at.unwrap() - now;
        format!("{} | {} | {wait:?}", addresses.join(","), life.error)
    }

    #[test]
    fn only_addresses_change_addresses() {
        let now = Instant::now();
        let mut life = NameLife::default();
        for (answers, expected) in [
            ([failed(), failed()], " | SERVFAIL | 1s"),
            (
                [some(&["10.0.0.2", "10.0.0.1", "10.0.0.2"], 60), none()],
                "10.0.0.1,10.0.0.2 |  | 60s",
            ),
            ([none(), none()], "10.0.0.1,10.0.0.2 | NXDOMAIN | 1s"),
            ([failed(), none()], "10.0.0.1,10.0.0.2 | SERVFAIL; NXDOMAIN | 2s"),
            ([failed(), failed()], "10.0.0.1,10.0.0.2 | SERVFAIL | 4s"),
            // IPv6 comes, then its server does not answer any more, then it says that there is none.
            ([some(&["10.0.0.3"], 60), some(&["2001:db8::1"], 9)], "10.0.0.3,2001:db8::1 |  | 9s"),
            ([some(&["10.0.0.3"], 60), failed()], "10.0.0.3,2001:db8::1 | SERVFAIL | 1s"),
            ([some(&["10.0.0.3"], 60), none()], "10.0.0.3 |  | 60s"),
            ([some(&["10.0.0.4"], 60), failed()], "10.0.0.4 |  | 60s"),
            ([some(&[], 60), none()], "10.0.0.4 | an answer without addresses; NXDOMAIN | 1s"),
        ] {
            let text = format!("{answers:?}");
            life.take(answers, 0.0, now);
            assert_eq!(shown(&life, now), expected, "{text}");
        }
        assert_eq!((life.lookups, life.lookups_failed), (10, 6));
    }

    #[test]
    fn times_are_bounded_and_spread() {
        let now = Instant::now();
        for (seconds, spread, expected_ms) in
            [(0, 0.0, 1_000), (30, 0.0, 30_000), (30, 1.0, 33_000), (86_400, 0.5, 315_000)]
        {
            let mut life = NameLife::default();
            life.take([some(&["10.0.0.1"], seconds), none()], spread, now);
            let wait = life.next_at.unwrap() - now;
            assert_eq!(wait, Duration::from_millis(expected_ms), "{seconds} {spread}");
        }
        let mut life = NameLife::default();
        for _ in 0..40 {
            life.take([failed(), failed()], 0.0, now);
        }
        assert_eq!(life.next_at.unwrap() - now, RETRY_MAX);
        assert_eq!(life.failing_since, Some(now));
    }

    #[test]
    fn the_lowest_addresses_are_taken() {
        let now = Instant::now();
        let many = |last: u8| (1..=last).rev().map(|last| [10, 0, 0, last].into()).collect();
        let mut life = NameLife::default();
        let all = Answer::Addresses(many(80), Duration::from_secs(9));
        life.take([all, some(&["2001:db8::1"], 9)], 0.0, now);
        assert_eq!(life.surplus(), 17);
        let kept: Vec<IpAddr> = life.addresses().collect();
        assert_eq!((kept.len(), kept[63]), (64, [10, 0, 0, 64].into()));
        life.take([Answer::Addresses(many(2), Duration::from_secs(9)), none()], 0.0, now);
        assert_eq!((life.surplus(), life.addresses().count()), (0, 2));
        let known = NameLife::known(&many(80));
        assert_eq!((known.addresses().count(), known.is_known()), (64, true));
        assert!(!NameLife::known(&[]).is_known());
    }
}
