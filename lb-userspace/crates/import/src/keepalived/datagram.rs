//! UDP_CHECK and DNS_CHECK: what is sent, and what is expected.

use std::fmt::Write as _;

use super::tree::Node;
use crate::{ledger::Ledger, remark::brief, service::Probe};

/// Id of the question, and so of the answer; any number will do.
const QUESTION_ID: &str = "7e1b";

/// UDP_CHECK with `payload` and `require_reply`, both hexadecimal.
pub(super) fn udp(others: &mut Vec<&Node>, lines: &mut Vec<usize>, ledger: &mut Ledger) -> Probe {
    let (mut payload, mut expect) = (None, None);
    others.retain(|other| {
        let value = match other.word(0) {
            "payload" => &mut payload,
            "require_reply" => &mut expect,
            _ => return true,
        };
        let digits: String = other.words[1..].concat();
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            ledger.hand(other.line, "not hexadecimal digits: complete the udp check");
        } else {
            *value = Some(digits);
            lines.push(other.line);
        }
        false
    });
    Probe::Udp { payload, expect }
}

/// DNS_CHECK: a question, and any answer to it.
pub(super) fn dns(others: &mut Vec<&Node>, lines: &mut Vec<usize>, ledger: &mut Ledger) -> Probe {
    let (mut name, mut kind) = (".".to_owned(), "SOA".to_owned());
    others.retain(|other| {
        match other.word(0) {
            "name" => other.word(1).clone_into(&mut name),
            "type" => other.word(1).clone_into(&mut kind),
            _ => return true,
        }
        ledger.changed(
            other.line,
            "DNS_CHECK becomes a udp check with the same question: an answer with an error is a \
             success, too",
        );
        lines.push(other.line);
        false
    });
    let payload = question(&name, &kind);
    if payload.is_none() {
        let line = lines.last().copied().unwrap_or_default();
        ledger.hand(
            line,
            format!("`{}` {} is no question: see `payload_hex`", brief(&name), brief(&kind)),
        );
    }
    let expect = payload.is_some().then(|| QUESTION_ID.to_owned());
    Probe::Udp { payload, expect }
}

/// A question of DNS (RFC 1035, section 4.1) in hexadecimal digits.
fn question(name: &str, kind: &str) -> Option<String> {
    let number = match kind.to_ascii_uppercase().as_str() {
        "A" => 1,
        "NS" => 2,
        "CNAME" => 5,
        "SOA" => 6,
        "MX" => 15,
        "TXT" => 16,
        "AAAA" => 28,
        "RRSIG" => 46,
        "DNSKEY" => 48,
        _ => return None,
    };
    // Recursion desired, one question.
    let mut hex = format!("{QUESTION_ID}01000001000000000000");
    for label in name.split('.').filter(|label| !label.is_empty()) {
        if label.len() > 63 {
            return None;
        }
        // Writing to a string does not fail.
        let _written = write!(hex, "{:02x}", label.len());
        for byte in label.bytes() {
            let _written = write!(hex, "{byte:02x}");
        }
    }
    let _written = write!(hex, "00{number:04x}0001");
    (name.len() < 254).then_some(hex)
}
