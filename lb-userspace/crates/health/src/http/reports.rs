//! PURE: what a target reports of itself, in a header or in the body of its answer. Whether a text is a
//! number that counts is not decided here.

use http::HeaderMap;
use lb_config::ReportPlace;
use serde_json::Value;

use crate::Report;

/// Longest text of a report that is kept, in characters: a number is far shorter.
const TEXT_CHARS_MAX: usize = 60;

/// Whether one of them is in the body.
pub(super) fn are_in_body(places: &[(String, ReportPlace)]) -> bool {
    places.iter().any(|(_, place)| matches!(place, ReportPlace::Json(_)))
}

/// The headers that targets report with, and their values. Of several of one name, the first counts.
pub(super) fn headers(
    places: &[(String, ReportPlace)],
    headers: &HeaderMap,
) -> Vec<(String, String)> {
    let names = places.iter().filter_map(|(_, place)| match place {
        ReportPlace::Header(name) => Some(name),
        ReportPlace::Json(_) => None,
    });
    let found = names.filter_map(|name| {
        let value = headers.get(name)?;
        Some((name.clone(), brief(&String::from_utf8_lossy(value.as_bytes()))))
    });
    found.collect()
}

/// What is reported.
pub(super) fn read(
    places: &[(String, ReportPlace)],
    headers: &[(String, String)],
    body: &[u8],
) -> Vec<Report> {
    let json: Option<Result<Value, String>> = are_in_body(places).then(|| {
        serde_json::from_slice(body).map_err(|error| format!("the body is no JSON: {error}"))
    });
    let text = |place: &ReportPlace| match (place, &json) {
        (ReportPlace::Header(name), _) => {
            let found = headers.iter().find(|(header, _)| header == name);
            Ok(found.map(|(_, value)| value.clone()))
        }
        (ReportPlace::Json(_), Some(Err(error))) => Err(error.clone()),
        (ReportPlace::Json(member), Some(Ok(Value::Object(members)))) => {
            match members.get(member) {
                None | Some(Value::Null) => Ok(None),
                Some(Value::String(text)) => Ok(Some(brief(text))),
                Some(other) => Ok(Some(brief(&other.to_string()))),
            }
        }
        (ReportPlace::Json(_), _) => Err("the body is no JSON object".to_owned()),
    };
    let report = |(metric, place): &(String, ReportPlace)| Report {
        metric: metric.clone(),
        text: text(place),
    };
    places.iter().map(report).collect()
}

/// A text of somebody else, in one line.
fn brief(text: &str) -> String {
    text.trim().chars().filter(|one| !one.is_control()).take(TEXT_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn what_headers_and_bodies_report() {
        let header = ReportPlace::Header("x-load".to_owned());
        let json = ReportPlace::Json("load".to_owned());
        let of = |place: &ReportPlace, header: Option<&str>, body: &str| {
            let places = [("cpu".to_owned(), place.clone())];
            let value = header.map(|text| HeaderValue::from_bytes(text.as_bytes()).unwrap());
            let map = value.map(|value| ("x-load".parse().unwrap(), value));
            let found = headers(&places, &map.into_iter().collect());
            let mut reports = read(&places, &found, body.as_bytes());
            assert_eq!((reports.len(), reports[0].metric.as_str()), (1, "cpu"));
            match reports.remove(0).text {
                Ok(text) => text.unwrap_or_else(|| "nothing".to_owned()),
                Err(error) => format!("error: {error}"),
            }
        };
        for (place, value, body, expected) in [
            (&header, Some("0.5"), "", "0.5"),
            (&header, Some(" 1 "), "", "1"),
            (&header, None, "0.5", "nothing"),
            (&json, Some("0.5"), r#"{"load": 0.25, "other": []}"#, "0.25"),
            (&json, None, r#"{"load": "0.5"}"#, "0.5"),
            (&json, None, r#"{"load": null}"#, "nothing"),
            (&json, None, "{}", "nothing"),
            (&json, None, r#"{"load": [1]}"#, "[1]"),
            (&json, None, "[0.5]", "error: the body is no JSON object"),
        ] {
            assert_eq!(of(place, value, body), expected, "{place:?} {value:?} {body}");
        }
        assert!(of(&json, None, "<html>").starts_with("error: the body is no JSON: "));
        assert_eq!(of(&header, Some(&"9".repeat(1000)), "").len(), TEXT_CHARS_MAX);
    }
}
