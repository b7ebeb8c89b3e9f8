//! PURE: the fields that tell a target who has asked: `X-Forwarded-*`, `Forwarded` (RFC 7239), trace identifier.
//!
//! The source is a value of the caller: the peer's address, or that of the PROXY protocol, never a field.

use std::net::SocketAddr;

use crate::{
    field_name::{FieldName, TRACE_ID},
    head::Head,
    trace_id::TraceId,
};

/// What happens to the field of a client (`xff_header_processing`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Processing {
    /// The source is appended to what the client has sent.
    #[default]
    Append,
    /// What the client has sent goes on unchanged; nothing is added.
    Preserve,
    /// The field is removed, and none is sent.
    Remove,
}

/// The scheme by which the client has asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Without TLS.
    Http,
    /// With TLS.
    Https,
}

impl Scheme {
    /// `http` or `https`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

/// Who has asked, as text: made once for a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// `192.0.2.1` or `2001:db8::1`.
    address: String,
    /// `192.0.2.1:80` or `[2001:db8::1]:80`.
    address_and_port: String,
    is_ipv6: bool,
    scheme: Scheme,
    /// The port of the listener.
    listener_port: String,
}

impl Source {
    /// The source of requests over one connection; an IPv4 address in IPv6 form counts as IPv4.
    #[must_use]
    pub fn new(client: SocketAddr, scheme: Scheme, listener_port: u16) -> Self {
        let address = client.ip().to_canonical();
        Self {
            address: address.to_string(),
            address_and_port: SocketAddr::new(address, client.port()).to_string(),
            is_ipv6: address.is_ipv6(),
            scheme,
            listener_port: listener_port.to_string(),
        }
    }
}

/// The attributes of a listener that decide about these fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ForwardedPolicy {
    /// `X-Forwarded-For`.
    pub x_forwarded_for: Processing,
    /// Whether the source has its port there (`xff_client_port`).
    pub with_client_port: bool,
    /// `Forwarded`; `None` passes on what the client has sent.
    pub forwarded: Option<Processing>,
}

impl ForwardedPolicy {
    /// Whether a received field is copied, and not written anew or removed.
    #[must_use]
    pub fn keeps(self, known: FieldName) -> bool {
        let preserves = self.x_forwarded_for == Processing::Preserve;
        match known {
            FieldName::XForwardedFor | FieldName::XForwardedProto | FieldName::XForwardedPort => {
                preserves
            }
            FieldName::Forwarded => self.forwarded.is_none_or(|it| it == Processing::Preserve),
            FieldName::TraceId => false,
            _ => true,
        }
    }

    /// Appends the field lines; `host` is the host that the client has asked for.
    pub fn write(
        self,
        source: &Source,
        trace_id: Option<&TraceId>,
        head: &Head,
        host: &str,
        out: &mut Vec<u8>,
    ) {
        if self.x_forwarded_for == Processing::Append {
            let own =
                if self.with_client_port { &source.address_and_port } else { &source.address };
            write_list("X-Forwarded-For", head, FieldName::XForwardedFor, out);
            write_parts(&[own, "\r\n"], out);
        }
        let is_wanted = |known| !(self.keeps(known) && head.values(known).next().is_some());
        if is_wanted(FieldName::XForwardedProto) {
            write_parts(&["X-Forwarded-Proto: ", source.scheme.as_str(), "\r\n"], out);
        }
        if is_wanted(FieldName::XForwardedPort) {
            write_parts(&["X-Forwarded-Port: ", &source.listener_port, "\r\n"], out);
        }
        if self.forwarded == Some(Processing::Append) {
            write_list("Forwarded", head, FieldName::Forwarded, out);
            self.write_element(source, host, out);
        }
        write_trace_id(trace_id, head.values(FieldName::TraceId).next(), out);
    }

    /// One element of `Forwarded` (RFC 7239, section 4). IPv6 addresses, and names with a port, are quoted.
    fn write_element(self, source: &Source, host: &str, out: &mut Vec<u8>) {
        let mut write_node = |name: &str, value: &str| {
            let quote = if value.contains([':', '[']) { "\"" } else { "" };
            write_parts(&[name, quote, value, quote], out);
        };
        if self.with_client_port {
            write_node("for=", &source.address_and_port);
        } else if source.is_ipv6 {
            write_node("for=", &format!("[{}]", source.address));
        } else {
            write_node("for=", &source.address);
        }
        if !host.is_empty() {
            write_node(";host=", host);
        }
        write_node(";proto=", source.scheme.as_str());
        out.extend_from_slice(b"\r\n");
    }
}

/// Appends the trace identifier, or what the client has sent where there is none.
fn write_trace_id(trace_id: Option<&TraceId>, received: Option<&[u8]>, out: &mut Vec<u8>) {
    if trace_id.is_none() && received.is_none() {
        return;
    }
    write_parts(&[TRACE_ID, ": "], out);
    match trace_id {
        Some(trace_id) => trace_id.write_value(received, out),
        None => out.extend_from_slice(received.unwrap_or_default()),
    }
    out.extend_from_slice(b"\r\n");
}

/// Appends a field name and the received values, each with a comma behind it.
fn write_list(name: &str, head: &Head, known: FieldName, out: &mut Vec<u8>) {
    write_parts(&[name, ": "], out);
    for value in head.values(known).filter(|value| !value.is_empty()) {
        out.extend_from_slice(value);
        out.extend_from_slice(b", ");
    }
}

fn write_parts(parts: &[&str], out: &mut Vec<u8>) {
    for part in parts {
        out.extend_from_slice(part.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        diagnose::Kind,
        limits::Limits,
        parse::{Progress, parse},
    };

    /// What a target gets of these fields: what is kept, then what is added.
    fn check(policy: ForwardedPolicy, client: &str, fields: &str, expected: &str) {
        let bytes = format!("GET / HTTP/1.1\r\n{fields}\r\n");
        let mut head = Head::default();
        let progress = &mut Progress::default();
        parse(bytes.as_bytes(), Kind::Request, &Limits::REQUEST, progress, &mut head)
            .expect(fields);
        let source = Source::new(client.parse().expect(client), Scheme::Https, 443);
        let mut out = Vec::new();
        for field in head.fields().filter(|field| policy.keeps(field.known)) {
            out.extend_from_slice(field.line);
        }
        policy.write(&source, None, &head, "shop.example:8443", &mut out);
        assert_eq!(String::from_utf8_lossy(&out), expected, "{policy:?} {client} {fields:?}");
    }

    const OURS: &str = "X-Forwarded-Proto: https\r\nX-Forwarded-Port: 443\r\n";

    fn x_forwarded_for(x_forwarded_for: Processing) -> ForwardedPolicy {
        ForwardedPolicy { x_forwarded_for, ..ForwardedPolicy::default() }
    }

    #[test]
    fn append_adds_the_source_to_all_lines_of_the_client() {
        let policy = x_forwarded_for(Processing::Append);
        check(policy, "192.0.2.1:5", "", &format!("X-Forwarded-For: 192.0.2.1\r\n{OURS}"));
        check(policy, "[::ffff:192.0.2.1]:5", "", &format!("X-Forwarded-For: 192.0.2.1\r\n{OURS}"));
        check(policy, "[2001:db8::1]:5", "", &format!("X-Forwarded-For: 2001:db8::1\r\n{OURS}"));
        check(
            policy,
            "192.0.2.1:5",
            "X-Forwarded-For: a, b\r\nx-forwarded-for: c\r\nX-Forwarded-For:\r\nX-Forwarded-Proto: http\r\n",
            &format!("X-Forwarded-For: a, b, c, 192.0.2.1\r\n{OURS}"),
        );
        let with_port = ForwardedPolicy { with_client_port: true, ..policy };
        check(
            with_port,
            "[2001:db8::1]:5",
            "",
            &format!("X-Forwarded-For: [2001:db8::1]:5\r\n{OURS}"),
        );
    }

    #[test]
    fn preserve_keeps_what_the_client_sent_and_adds_what_is_missing() {
        let policy = x_forwarded_for(Processing::Preserve);
        check(policy, "192.0.2.1:5", "", OURS);
        let trace = "X-Xelb-Trace-Id: Root=1-a-b\r\n";
        check(policy, "192.0.2.1:5", trace, &format!("{OURS}{trace}"));
        check(
            policy,
            "192.0.2.1:5",
            "X-Forwarded-For: a\r\nX-Forwarded-Proto: http\r\n",
            "X-Forwarded-For: a\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Port: 443\r\n",
        );
    }

    #[test]
    fn remove_tells_no_address() {
        let policy = x_forwarded_for(Processing::Remove);
        check(policy, "192.0.2.1:5", "X-Forwarded-For: a\r\nX-Forwarded-Port: 1\r\n", OURS);
    }

    #[test]
    fn forwarded_follows_its_own_attribute() {
        let policy =
            |forwarded| ForwardedPolicy { forwarded, ..x_forwarded_for(Processing::Remove) };
        let sent = "Forwarded: for=a\r\n";
        check(policy(None), "192.0.2.1:5", sent, &format!("{sent}{OURS}"));
        check(policy(Some(Processing::Preserve)), "192.0.2.1:5", sent, &format!("{sent}{OURS}"));
        check(policy(Some(Processing::Remove)), "192.0.2.1:5", sent, OURS);
        check(
            policy(Some(Processing::Append)),
            "192.0.2.1:5",
            sent,
            &format!(
                "{OURS}Forwarded: for=a, for=192.0.2.1;host=\"shop.example:8443\";proto=https\r\n"
            ),
        );
        check(
            policy(Some(Processing::Append)),
            "[2001:db8::1]:5",
            "",
            &format!(
                "{OURS}Forwarded: for=\"[2001:db8::1]\";host=\"shop.example:8443\";proto=https\r\n"
            ),
        );
    }
}
