//! PURE: from the answer of a Prometheus server to a sample. Only one fresh number is a value: an empty
//! answer is not zero, and everything else is an error with a reason.

use std::time::Duration;

use jiff::Timestamp;
use lb_scale::Sample;
use serde::Deserialize;
use serde_json::Value;

/// Longest text of a server that is repeated to people.
const ERROR_CHARS_MAX: usize = 200;

/// What the server says.
#[derive(Debug, Deserialize)]
struct Answer {
    status: String,
    data: Option<Data>,
    error: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Data {
    #[serde(rename = "resultType")]
    kind: String,
    result: Value,
}

/// What an answer says, at this time.
pub(crate) fn sample(status: u16, body: &[u8], now: Timestamp, max_age: Duration) -> Sample {
    read(status, body, now, max_age).unwrap_or_else(Sample::Error)
}

fn read(status: u16, body: &[u8], now: Timestamp, max_age: Duration) -> Result<Sample, String> {
    let answer: Answer = match serde_json::from_slice(body) {
        Ok(answer) => answer,
        Err(_) if status != 200 => return Err(format!("the server answers with status {status}")),
        Err(error) => return Err(format!("the answer is none of Prometheus: {error}")),
    };
    if answer.status != "success" || status != 200 {
        let error = answer.error.unwrap_or_else(|| format!("status {status}"));
        return Err(format!("the server says: {}", brief(&error)));
    }
    let Some(Data { kind, result }) = answer.data else {
        return Err("the answer is none of Prometheus: it has no data".to_owned());
    };
    let pair = match (kind.as_str(), &result) {
        ("scalar", pair) => pair,
        ("vector", Value::Array(series)) => match series.as_slice() {
            [] => return Ok(Sample::Empty),
            [one] => &one["value"],
            several => {
                let count = several.len();
                return Err(format!("the query has {count} values: make them one, as sum() does"));
            }
        },
        _ => return Err(format!("the query has a {}, and no number", brief(&kind))),
    };
    let (Some(time), Some(text)) = (pair[0].as_f64(), pair[1].as_str()) else {
        return Err("the answer is none of Prometheus: it has no time and value".to_owned());
    };
    check_age(time, now, max_age)?;
    let value: f64 = text.parse().map_err(|_| format!("the value {} is no number", brief(text)))?;
    Ok(Sample::Value(value).checked())
}

/// The time of a value is that of the server: its clock, or its data, may be behind.
fn check_age(time: f64, now: Timestamp, max_age: Duration) -> Result<(), String> {
    #[expect(clippy::cast_precision_loss, reason = "milliseconds of this century have 41 bits")]
    let now = now.as_millisecond() as f64 / 1000.0;
    let age = now - time;
    if age.abs() <= max_age.as_secs_f64() {
        return Ok(());
    }
    let side = if age > 0.0 { "old" } else { "ahead of this host's clock" };
    Err(format!("the value is {:.0} s {side}, more than {} s", age.abs(), max_age.as_secs()))
}

/// A text of somebody else, in one line.
fn brief(text: &str) -> String {
    text.chars().filter(|one| !one.is_control()).take(ERROR_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: u16, body: &str) -> String {
        let now = Timestamp::from_second(1_000_000).unwrap();
        sample(status, body.as_bytes(), now, Duration::from_mins(1)).to_string()
    }

    fn vector(series: &str) -> String {
        let data = format!(r#"{{"resultType":"vector","result":[{series}]}}"#);
        of(200, &format!(r#"{{"status":"success","data":{data}}}"#))
    }

    fn value(time: &str, value: &str) -> String {
        vector(&format!(r#"{{"metric":{{"job":"a"}},"value":[{time},"{value}"]}}"#))
    }

    #[test]
    fn one_fresh_number_is_a_value() {
        assert_eq!(value("1000000.5", "12.5"), "12.5");
        assert_eq!(value("999950", "0"), "0");
        let scalar =
            r#"{"status":"success","data":{"resultType":"scalar","result":[1000000,"3"]}}"#;
        assert_eq!(of(200, scalar), "3");
    }

    #[test]
    fn everything_else_is_empty_or_has_a_reason() {
        assert_eq!(vector(""), "empty");
        for (answer, reason) in [
            (value("1000000", "NaN"), "error: NaN is not a load"),
            (value("1000000", "+Inf"), "error: inf is not a load"),
            (value("1000000", "-1"), "error: -1 is not a load"),
            (value("1000000", "many"), "error: the value many is no number"),
            (value("996400", "1"), "error: the value is 3600 s old, more than 60 s"),
            (value("1003600", "1"), "error: the value is 3600 s ahead of this host's clock"),
            (value("1e999", "1"), "error: the answer is none of Prometheus"),
            (value("null", "1"), "error: the answer is none of Prometheus: it has no time"),
            (vector(r#"{"value":[1,"1"]},{"value":[1,"1"]}"#), "error: the query has 2 values"),
            (vector("7"), "error: the answer is none of Prometheus: it has no time"),
            (of(200, "<html>"), "error: the answer is none of Prometheus: expected value"),
            (of(200, ""), "error: the answer is none of Prometheus: EOF"),
            (of(200, "{}"), "error: the answer is none of Prometheus: missing field"),
            (
                of(200, r#"{"status":"success"}"#),
                "error: the answer is none of Prometheus: it has no",
            ),
            (of(503, "busy"), "error: the server answers with status 503"),
            (
                of(400, r#"{"status":"error","errorType":"bad_data","error":"parse\nerror"}"#),
                "error: the server says: parseerror",
            ),
            (
                of(200, r#"{"status":"success","data":{"resultType":"matrix","result":[]}}"#),
                "error: the query has a matrix, and no number",
            ),
        ] {
            assert!(answer.starts_with(reason), "{answer}: {reason}");
        }
        let long = format!(r#"{{"status":"error","error":"{}"}}"#, "x".repeat(10_000));
        assert!(of(500, &long).len() < 300);
    }
}
