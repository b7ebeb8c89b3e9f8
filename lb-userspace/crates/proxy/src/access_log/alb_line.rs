//! PURE: a line of the access log with the fields of AWS's Application Load Balancer, in their order
//! ("Access logs for your Application Load Balancer", syntax of 2024).

use std::{fmt::Write as _, time::Duration};

use super::{AccessEvent, MatchedRule, severity_name, timestamp};

/// The line, without its end. `load_balancer` is the name of the load balancer.
#[must_use]
pub fn alb_line(event: &AccessEvent, load_balancer: &str) -> String {
    let target = event.target.map(|target| target.to_string());
    let target = target.as_deref().unwrap_or("-");
    let target_status = event.target_status.map_or("-".to_owned(), |status| status.to_string());
    let status = if event.status == 0 { "-".to_owned() } else { event.status.to_string() };
    let tls = event.tls.as_ref();
    let severity = event.classification.map(|(severity, _)| severity_name(severity));
    let priority = match &event.rule {
        MatchedRule::None => "-1".to_owned(),
        MatchedRule::Default => "0".to_owned(),
        MatchedRule::Rule { priority, .. } => priority.to_string(),
    };
    let mut line = String::with_capacity(512);
    for field in [
        event.kind.as_str(),
        &timestamp(event.ended),
        load_balancer,
        &event.client.to_string(),
        target,
        &seconds(event.times.request),
        &seconds(event.times.target),
        &seconds(event.times.response),
        &status,
        &target_status,
        &event.received_bytes.to_string(),
        &event.sent_bytes.to_string(),
    ] {
        line.push_str(field);
        line.push(' ');
    }
    quote(&request_line(event), &mut line);
    quote(event.user_agent.as_deref().unwrap_or("-"), &mut line);
    for field in [
        tls.map_or("-", |tls| tls.cipher),
        tls.map_or("-", |tls| tls.protocol),
        event.group.as_deref().unwrap_or("-"),
    ] {
        line.push_str(field);
        line.push(' ');
    }
    quote(event.trace_id.as_deref().unwrap_or("-"), &mut line);
    quote(tls.and_then(|tls| tls.server_name.as_deref()).unwrap_or("-"), &mut line);
    // The certificate has no name of its own here.
    quote("-", &mut line);
    line.push_str(&priority);
    line.push(' ');
    line.push_str(&timestamp(event.created));
    line.push(' ');
    let listed_target = if target == "-" { "-" } else { target };
    for field in [
        event.action.map_or("-", super::ActionKind::as_str),
        event.redirect_url.as_deref().unwrap_or("-"),
        event.reason.unwrap_or("-"),
        listed_target,
        &target_status,
        severity.unwrap_or("-"),
        event.classification.map_or("-", |(_, finding)| finding),
    ] {
        quote(field, &mut line);
    }
    line.push_str(&event.connection_id.to_string());
    line
}

fn request_line(event: &AccessEvent) -> String {
    if event.method.is_empty() {
        return "- - -".to_owned();
    }
    format!("{} {} {}", event.method, event.url, event.version)
}

/// Seconds with milliseconds; -1 when the request did not come so far.
fn seconds(time: Option<Duration>) -> String {
    time.map_or("-1".to_owned(), |time| format!("{:.3}", time.as_secs_f64()))
}

/// Appends a field in quotation marks, and a space. What would end the field or the line is escaped.
fn quote(text: &str, line: &mut String) {
    line.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => {
                line.push('\\');
                line.push(character);
            }
            ' '..='~' => line.push(character),
            _ => {
                // Writing to a string cannot fail.
                let _ = write!(line, "\\u{:04x}", u32::from(character));
            }
        }
    }
    line.push_str("\" ");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access_log::example;

    #[test]
    fn fields_are_in_the_order_of_application_load_balancer() {
        let expected = "https 2018-07-02T22:23:00.273641Z lb 192.0.2.1:2817 10.0.0.1:80 0.001 0.048 0.000 \
                        200 200 34 57 \"GET https://shop.example:443/ HTTP/1.1\" \
                        \"curl/7.46.0 \\\"x\\\"\" TLS_AES_128_GCM_SHA256 TLSv1.3 order \"Root=1-a-b\" \
                        \"shop.example\" \"-\" 10 2018-07-02T22:23:00.186641Z \"forward\" \"-\" \"-\" \
                        \"10.0.0.1:80\" \"200\" \"Acceptable\" \"non_compliant_header\" TID_000000000000000000000000000000ab";
        assert_eq!(alb_line(&example(), "lb"), expected);
    }

    #[test]
    fn a_request_without_head_and_target_has_dashes() {
        let event = AccessEvent {
            target: None,
            group: None,
            times: super::super::StageTimes::default(),
            status: 408,
            target_status: None,
            method: String::new(),
            user_agent: None,
            tls: None,
            trace_id: None,
            rule: MatchedRule::None,
            action: None,
            reason: Some("head_timeout"),
            classification: None,
            ..example()
        };
        let expected = "https 2018-07-02T22:23:00.273641Z lb 192.0.2.1:2817 - -1 -1 -1 408 - 34 57 \
                        \"- - -\" \"-\" - - - \"-\" \"-\" \"-\" -1 2018-07-02T22:23:00.186641Z \
                        \"-\" \"-\" \"head_timeout\" \"-\" \"-\" \"-\" \"-\" TID_000000000000000000000000000000ab";
        assert_eq!(alb_line(&event, "lb"), expected);
    }

    #[test]
    fn no_client_can_forge_a_line() {
        let event = AccessEvent { user_agent: Some("a\nhttp \" \\ é\0".to_owned()), ..example() };
        let line = alb_line(&event, "lb");
        assert!(line.contains("\"a\\u000ahttp \\\" \\\\ \\u00e9\\u0000\""), "{line}");
    }
}
