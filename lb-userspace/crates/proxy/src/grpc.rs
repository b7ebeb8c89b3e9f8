//! What is special about gRPC ("gRPC over HTTP/2"): who makes a call, and until when it must be answered.

use std::time::{Duration, Instant};

use crate::client_side::ClientSide;

/// Whether the client expects a status of gRPC, which only HTTP/2 has.
pub(crate) fn is_client<C: ClientSide>(client: &C) -> bool {
    let mut content_types = client.head().named("content-type");
    client.version() == "HTTP/2.0"
        && content_types.any(|value| value.starts_with(b"application/grpc"))
}

/// Whether a request is one that targets of gRPC understand.
pub(crate) fn is_call<C: ClientSide>(client: &C) -> bool {
    client.version() == "HTTP/2.0" && client.head().method() == b"POST"
}

/// When the client stops waiting.
pub(crate) fn deadline<C: ClientSide>(client: &C, begin: Instant) -> Option<Instant> {
    if !is_client(client) {
        return None;
    }
    let timeout = timeout(client.head().named("grpc-timeout").next()?)?;
    begin.checked_add(timeout)
}

/// At most 8 digits and a unit.
fn timeout(value: &[u8]) -> Option<Duration> {
    let (unit, digits) = value.split_last()?;
    let is_number = (1..=8).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit);
    let number: u64 = str::from_utf8(digits).ok().filter(|_| is_number)?.parse().ok()?;
    Some(match unit {
        b'H' => Duration::from_secs(number * 3600),
        b'M' => Duration::from_secs(number * 60),
        b'S' => Duration::from_secs(number),
        b'm' => Duration::from_millis(number),
        b'u' => Duration::from_micros(number),
        b'n' => Duration::from_nanos(number),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_have_a_number_and_a_unit() {
        for (value, expected) in [
            ("1H", Some(Duration::from_hours(1))),
            ("2M", Some(Duration::from_mins(2))),
            ("3S", Some(Duration::from_secs(3))),
            ("99999999m", Some(Duration::from_millis(99_999_999))),
            ("5u", Some(Duration::from_micros(5))),
            ("6n", Some(Duration::from_nanos(6))),
            ("999999999m", None),
            ("S", None),
            ("", None),
            ("-1S", None),
            ("+1S", None),
            ("1", None),
            ("1s", None),
        ] {
            assert_eq!(timeout(value.as_bytes()), expected, "{value:?}");
        }
    }
}
