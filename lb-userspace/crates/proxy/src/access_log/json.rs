//! PURE: a line of the access log in JSON.

use serde::Serialize;

use super::{AccessEvent, MatchedRule, severity_name, timestamp};

/// What a line holds. Names never change.
#[derive(Serialize)]
struct Line<'event> {
    kind: &'static str,
    time: String,
    created: String,
    listener: &'event str,
    client: String,
    target: Option<String>,
    target_group: Option<&'event str>,
    rule: Option<&'event str>,
    rule_priority: Option<u32>,
    action: Option<&'static str>,
    redirect_url: Option<&'event str>,
    status: u16,
    target_status: Option<u16>,
    reason: Option<&'static str>,
    retries: u32,
    request_seconds: Option<f64>,
    target_seconds: Option<f64>,
    response_seconds: Option<f64>,
    received_bytes: u64,
    sent_bytes: u64,
    method: &'event str,
    url: &'event str,
    version: &'static str,
    user_agent: Option<&'event str>,
    tls_protocol: Option<&'static str>,
    tls_cipher: Option<&'static str>,
    server_name: Option<&'event str>,
    trace_id: Option<&'event str>,
    classification: Option<&'static str>,
    classification_reason: Option<&'static str>,
    connection_id: String,
}

/// The line, without its end.
#[must_use]
pub fn json_line(event: &AccessEvent) -> String {
    let tls = event.tls.as_ref();
    let (rule, rule_priority) = match &event.rule {
        MatchedRule::None => (None, None),
        MatchedRule::Default => (Some("default"), None),
        MatchedRule::Rule { name, priority } => (Some(name.as_ref()), Some(*priority)),
    };
    let line = Line {
        kind: event.kind.as_str(),
        time: timestamp(event.ended),
        created: timestamp(event.created),
        listener: &event.listener,
        client: event.client.to_string(),
        target: event.target.map(|target| target.to_string()),
        target_group: event.group.as_deref(),
        rule,
        rule_priority,
        action: event.action.map(super::ActionKind::as_str),
        redirect_url: event.redirect_url.as_deref(),
        status: event.status,
        target_status: event.target_status,
        reason: event.reason,
        retries: event.retries,
        request_seconds: event.times.request.map(|time| time.as_secs_f64()),
        target_seconds: event.times.target.map(|time| time.as_secs_f64()),
        response_seconds: event.times.response.map(|time| time.as_secs_f64()),
        received_bytes: event.received_bytes,
        sent_bytes: event.sent_bytes,
        method: &event.method,
        url: &event.url,
        version: event.version,
        user_agent: event.user_agent.as_deref(),
        tls_protocol: tls.map(|tls| tls.protocol),
        tls_cipher: tls.map(|tls| tls.cipher),
        server_name: tls.and_then(|tls| tls.server_name.as_deref()),
        trace_id: event.trace_id.as_deref(),
        classification: event.classification.map(|(severity, _)| severity_name(severity)),
        classification_reason: event.classification.map(|(_, finding)| finding),
        connection_id: event.connection_id.to_string(),
    };
    // A struct of plain values always has a form in JSON.
    serde_json::to_string(&line).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access_log::example;

    #[test]
    fn a_line_is_one_object() {
        let event = AccessEvent { user_agent: Some("a\n\"b".to_owned()), ..example() };
        let line = json_line(&event);
        assert!(!line.contains('\n'));
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        for (key, expected) in [
            ("kind", serde_json::json!("https")),
            ("time", serde_json::json!("2018-07-02T22:23:00.273641Z")),
            ("rule", serde_json::json!("orders")),
            ("rule_priority", serde_json::json!(10)),
            ("target", serde_json::json!("10.0.0.1:80")),
            ("target_seconds", serde_json::json!(0.048)),
            ("user_agent", serde_json::json!("a\n\"b")),
            ("reason", serde_json::Value::Null),
            ("connection_id", serde_json::json!("TID_000000000000000000000000000000ab")),
        ] {
            assert_eq!(value[key], expected, "{key}");
        }
    }
}
