//! PURE: until when a request may wait, and who is to blame when it has waited too long.

use std::time::{Duration, Instant};

use crate::{
    attributes::{ClientTimeouts, GroupAttributes},
    failure::Failure,
};

/// Who has to do something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WaitsFor {
    /// The client, to send more of its request.
    Request,
    /// The client, to read its response.
    ClientRead,
    /// The target.
    Target,
}

/// The deadlines of one request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RequestTimeouts {
    idle: Duration,
    response: Duration,
    total: Option<Instant>,
}

impl RequestTimeouts {
    pub(crate) fn new(client: &ClientTimeouts, group: &GroupAttributes, begin: Instant) -> Self {
        Self {
            idle: client.idle,
            response: group.response_timeout.unwrap_or(client.idle),
            total: client.total.map(|total| begin + total),
        }
    }

    /// The client waits no longer than that.
    pub(crate) fn until(mut self, deadline: Option<Instant>) -> Self {
        self.total = self.total.into_iter().chain(deadline).min();
        self
    }

    /// The deadline after bytes have moved. `awaits_response` is set when the whole request was sent, and no
    /// response has come.
    pub(crate) fn deadline(&self, now: Instant, awaits_response: bool) -> Instant {
        let next = now + if awaits_response { self.response } else { self.idle };
        self.total.map_or(next, |total| total.min(next))
    }

    /// Why a request whose deadline has passed failed.
    pub(crate) fn failure(&self, now: Instant, waits_for: WaitsFor, has_response: bool) -> Failure {
        if self.total.is_some_and(|total| total <= now) {
            return Failure::TotalTimeout;
        }
        match (waits_for, has_response) {
            (WaitsFor::Request, _) => Failure::RequestBodyTimeout,
            (WaitsFor::ClientRead, _) => Failure::ClientWriteTimeout,
            (WaitsFor::Target, false) => Failure::ResponseTimeout,
            (WaitsFor::Target, true) => Failure::ResponseBodyTimeout,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn timeouts(response: Option<u32>, total: Option<u32>, begin: Instant) -> RequestTimeouts {
        let client = ClientTimeouts {
            idle: 10 * SECOND,
            total: total.map(|seconds| seconds * SECOND),
            ..ClientTimeouts::default()
        };
        let group = GroupAttributes {
            response_timeout: response.map(|seconds| seconds * SECOND),
            ..GroupAttributes::default()
        };
        RequestTimeouts::new(&client, &group, begin)
    }

    #[test]
    fn the_nearest_deadline_counts() {
        let begin = Instant::now();
        let cases = [
            (None, None, 2, false, 12),
            (None, None, 2, true, 12),
            (Some(3), None, 2, true, 5),
            (Some(3), None, 2, false, 12),
            (Some(3), Some(4), 2, true, 4),
            (Some(3), Some(20), 15, false, 20),
        ];
        for (response, total, now, awaits_response, expected) in cases {
            let found =
                timeouts(response, total, begin).deadline(begin + now * SECOND, awaits_response);
            assert_eq!(found - begin, expected * SECOND, "{response:?} {total:?} {now}");
        }
    }

    #[test]
    fn a_timeout_names_who_is_to_blame() {
        let begin = Instant::now();
        let cases = [
            (5, WaitsFor::Target, false, Failure::TotalTimeout),
            (4, WaitsFor::Target, false, Failure::ResponseTimeout),
            (4, WaitsFor::Target, true, Failure::ResponseBodyTimeout),
            (4, WaitsFor::Request, false, Failure::RequestBodyTimeout),
            (4, WaitsFor::ClientRead, true, Failure::ClientWriteTimeout),
        ];
        for (now, waits_for, has_response, expected) in cases {
            let timeouts = timeouts(None, Some(5), begin);
            assert_eq!(timeouts.failure(begin + now * SECOND, waits_for, has_response), expected);
        }
    }
}
