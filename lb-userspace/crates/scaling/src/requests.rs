//! PURE: from what proxies say of the requests of a group to its metric. A proxy that says nothing is not
//! one without requests.

use std::{collections::BTreeMap, time::Duration};

use lb_scale::{Reading, Sample};

use crate::observed::ProxyRequests;

/// What is remembered of proxies.
#[derive(Clone, Debug, Default)]
pub(crate) struct RequestRates(BTreeMap<(String, u32), Base>);

/// What a proxy said when the last sample was taken, or when it was seen first.
#[derive(Clone, Copy, Debug)]
struct Base {
    requests: u64,
    uptime: Duration,
    /// Requests a second until then, once that is known.
    rate: Option<f64>,
}

impl RequestRates {
    /// Notes proxies that were not there before: what they count from now on is known.
    pub(crate) fn note(&mut self, proxies: &[ProxyRequests]) {
        self.0.retain(|proxy, _| proxies.iter().any(|one| one.proxy == *proxy));
        for one in proxies.iter().filter(|one| !one.is_silent) {
            let base = Base { requests: one.requests, uptime: one.uptime, rate: None };
            self.0.entry(one.proxy.clone()).or_insert(base);
        }
    }

    /// Requests a second, of all proxies. `elapsed` is the time since the last sample: a proxy that is
    /// younger began at 0.
    pub(crate) fn sample(
        &mut self,
        proxies: &[ProxyRequests],
        elapsed: Option<Duration>,
    ) -> Reading {
        let (mut total, mut known, mut unknown) = (0.0, 0_usize, 0_usize);
        for one in proxies {
            match self.rate(one, elapsed) {
                Some(rate) => {
                    total += rate;
                    known += 1;
                }
                None => unknown += 1,
            }
        }
        let sample = if known > 0 {
            Sample::Value(total)
        } else if proxies.is_empty() {
            Sample::Error("no `xelb proxy` reports the requests of this group".to_owned())
        } else if proxies.iter().all(|one| one.is_silent) {
            let (name, _) = &proxies.first().map(|one| one.proxy.clone()).unwrap_or_default();
            Sample::Error(format!(
                "proxy {name} does not report the requests of this group any more"
            ))
        } else {
            Sample::Empty
        };
        // Where one is missing, there are at least so many requests.
        Reading::Total { sample, saturated: unknown > 0 }
    }

    /// Requests a second of one proxy since the last sample, or until its last word if that is older.
    fn rate(&mut self, one: &ProxyRequests, elapsed: Option<Duration>) -> Option<f64> {
        if one.is_silent {
            self.0.remove(&one.proxy);
            return None;
        }
        let known = self.0.get(&one.proxy).copied();
        let rate = match known.filter(|base| base.uptime <= one.uptime) {
            Some(base) if base.uptime == one.uptime => base.rate,
            Some(base) => {
                let requests = one.requests.saturating_sub(base.requests);
                Some(per_second(requests, one.uptime.saturating_sub(base.uptime)))
            }
            // A process that began meanwhile.
            None if elapsed.is_some_and(|elapsed| one.uptime <= elapsed) => {
                (!one.uptime.is_zero()).then(|| per_second(one.requests, one.uptime))
            }
            None => None,
        };
        let base = Base { requests: one.requests, uptime: one.uptime, rate };
        self.0.insert(one.proxy.clone(), base);
        rate
    }
}

/// A rate; `elapsed` is not zero.
pub(crate) fn per_second(count: u64, elapsed: Duration) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a rate needs no more than 53 bits")]
    let count = count as f64;
    count / elapsed.as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxy(name: &str, requests: u64, uptime: u64) -> ProxyRequests {
        let (proxy, uptime) = ((name.to_owned(), 1), Duration::from_secs(uptime));
        ProxyRequests { proxy, requests, uptime, is_silent: false }
    }

    fn silent(name: &str) -> ProxyRequests {
        ProxyRequests { is_silent: true, ..proxy(name, 9, 9) }
    }

    const ELAPSED: Option<Duration> = Some(Duration::from_secs(15));

    fn shown(rates: &mut RequestRates, proxies: &[ProxyRequests]) -> String {
        rates.note(proxies);
        match rates.sample(proxies, ELAPSED) {
            Reading::Total { sample, saturated } => {
                format!("{sample}{}", if saturated { " at least" } else { "" })
            }
            other @ Reading::Reports(_) => panic!("{other:?}"),
        }
    }

    #[test]
    fn no_proxy_is_no_load_of_zero() {
        let mut rates = RequestRates::default();
        let none = shown(&mut rates, &[]);
        assert_eq!(none, "error: no `xelb proxy` reports the requests of this group");
        let lost = shown(&mut rates, &[silent("a")]);
        assert_eq!(
            lost,
            "error: proxy a does not report the requests of this group any more at least"
        );
    }

    #[test]
    fn requests_of_all_proxies_add_up() {
        let mut rates = RequestRates::default();
        let first = [proxy("a", 5000, 1000), proxy("b", 70, 2000)];
        assert_eq!(shown(&mut rates, &first), "empty at least", "since when is not known");
        let second = [proxy("a", 5100, 1010), proxy("b", 90, 2010)];
        assert_eq!(shown(&mut rates, &second), "12");
        // One has said nothing new yet: its rate holds.
        let third = [proxy("a", 5100, 1010), proxy("b", 90, 2020)];
        assert_eq!(shown(&mut rates, &third), "10");
        let fourth = [silent("a"), proxy("b", 90, 2030)];
        assert_eq!(shown(&mut rates, &fourth), "0 at least", "one is missing");
        // It comes back, and what it counted meanwhile is not of this time.
        let fifth = [proxy("a", 9100, 1100), proxy("b", 90, 2040)];
        assert_eq!(shown(&mut rates, &fifth), "0 at least");
        let sixth = [proxy("a", 9200, 1110), proxy("b", 90, 2050)];
        assert_eq!(shown(&mut rates, &sixth), "10");
    }

    #[test]
    fn the_counter_of_a_restarted_proxy_begins_at_zero() {
        let mut rates = RequestRates::default();
        let _empty = shown(&mut rates, &[proxy("a", 5000, 1000)]);
        assert_eq!(shown(&mut rates, &[proxy("a", 5100, 1010)]), "10");
        // The same name and process id, as in a container.
        let elapsed = rates.sample(&[proxy("a", 40, 4)], ELAPSED);
        assert_eq!(elapsed, Reading::total(10.0));
        let again = rates.sample(&[proxy("a", 140, 14)], ELAPSED);
        assert_eq!(again, Reading::total(10.0));
        // Another process, which was not noted before.
        let mut other = proxy("a", 60, 6);
        other.proxy.1 = 2;
        assert_eq!(rates.sample(&[other], ELAPSED), Reading::total(10.0));
    }
}
