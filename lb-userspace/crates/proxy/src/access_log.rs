//! PURE: what the access log says of a request. Writing it is done elsewhere.

mod alb_line;
mod json;

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, SystemTime},
};

pub use alb_line::alb_line;
pub use json::json_line;
use lb_http::desync::Severity;

use crate::connection_id::ConnectionId;

/// A request that has ended.
#[derive(Debug, Clone, PartialEq)]
pub struct AccessEvent {
    /// What the client spoke.
    pub kind: RequestKind,
    /// Name of the listener.
    pub listener: Arc<str>,
    /// When the head of the request had arrived.
    pub created: SystemTime,
    /// When the last byte of the response was sent.
    pub ended: SystemTime,
    /// Address of the client: of the connection, or of its PROXY header.
    pub client: SocketAddr,
    /// The target that had the request last.
    pub target: Option<SocketAddr>,
    /// Name of its group.
    pub group: Option<Arc<str>>,
    /// Times of the stages.
    pub times: StageTimes,
    /// Status for the client; 460 and the like also when it has left.
    pub status: u16,
    /// Status of the target.
    pub target_status: Option<u16>,
    /// Bytes of the request.
    pub received_bytes: u64,
    /// Bytes of the response.
    pub sent_bytes: u64,
    /// Method; empty when there was no request line.
    pub method: String,
    /// The URL: scheme, host, port, path and query.
    pub url: String,
    /// `HTTP/1.1` or the like.
    pub version: &'static str,
    /// `User-Agent`, bytes outside ASCII replaced.
    pub user_agent: Option<String>,
    /// TLS of the client's connection.
    pub tls: Option<TlsDetails>,
    /// The trace identifier.
    pub trace_id: Option<String>,
    /// The rule.
    pub rule: MatchedRule,
    /// What was done.
    pub action: Option<ActionKind>,
    /// `Location` of a redirect of a rule.
    pub redirect_url: Option<String>,
    /// Why the request was not served as asked.
    pub reason: Option<&'static str>,
    /// How far the request did not comply, and the finding that says so.
    pub classification: Option<(Severity, &'static str)>,
    /// How often it was sent once more.
    pub retries: u32,
    /// Names the connection, also in the connection log.
    pub connection_id: ConnectionId,
}

/// What the client spoke.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RequestKind {
    /// HTTP/1 in clear.
    #[default]
    Http,
    /// HTTP/1 in TLS.
    Https,
    /// HTTP/2.
    Http2,
    /// gRPC.
    Grpc,
    /// A tunnel in clear.
    WebSocket,
    /// A tunnel in TLS.
    WebSocketTls,
}

impl RequestKind {
    /// The first field of a line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::Http2 => "h2",
            Self::Grpc => "grpcs",
            Self::WebSocket => "ws",
            Self::WebSocketTls => "wss",
        }
    }
}

/// Times of the stages of a request; `None`: it did not come so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StageTimes {
    /// From the head of the request to the request at the target.
    pub request: Option<Duration>,
    /// From there to the head of the response.
    pub target: Option<Duration>,
    /// From there to the end of the response.
    pub response: Option<Duration>,
}

/// TLS of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsDetails {
    /// Name of the cipher suite.
    pub cipher: &'static str,
    /// `TLSv1.3` or the like.
    pub protocol: &'static str,
    /// Name of the key exchange.
    pub named_group: &'static str,
    /// The server name that the client asked for.
    pub server_name: Option<String>,
    /// The protocol that was agreed on (ALPN).
    pub alpn: Option<String>,
}

impl Default for TlsDetails {
    /// Nothing is settled yet.
    fn default() -> Self {
        let unknown = "-";
        Self {
            cipher: unknown,
            protocol: unknown,
            named_group: unknown,
            server_name: None,
            alpn: None,
        }
    }
}

/// What is settled of a handshake; `-` stands for what is not.
pub(crate) fn settled(name: &'static str) -> Option<&'static str> {
    Some(name).filter(|name| *name != "-")
}

/// The rule of a request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum MatchedRule {
    /// No rule was looked for: the request was refused.
    #[default]
    None,
    /// The default action.
    Default,
    /// A rule.
    Rule {
        /// Its name.
        name: Arc<str>,
        /// Its priority.
        priority: u32,
    },
}

/// What was done with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActionKind {
    /// It went to a target, or was meant to.
    Forward,
    /// A redirect of a rule.
    Redirect,
    /// A fixed response of a rule.
    FixedResponse,
}

impl ActionKind {
    /// Its name in lines.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Forward => "forward",
            Self::Redirect => "redirect",
            Self::FixedResponse => "fixed-response",
        }
    }
}

/// The name of a severity in lines.
fn severity_name(severity: Severity) -> &'static str {
    match severity {
        Severity::Acceptable => "Acceptable",
        Severity::Ambiguous => "Ambiguous",
        Severity::Severe => "Severe",
    }
}

/// A time in UTC with microseconds (ISO 8601).
pub(crate) fn timestamp(time: SystemTime) -> String {
    jiff::Timestamp::try_from(time).map_or_else(|_| "-".to_owned(), |time| format!("{time:.6}"))
}

/// An event for the tests of the lines.
#[cfg(test)]
fn example() -> AccessEvent {
    let start = SystemTime::UNIX_EPOCH + Duration::from_micros(1_530_570_180_186_641);
    AccessEvent {
        kind: RequestKind::Https,
        listener: "shop".into(),
        created: start,
        ended: start + Duration::from_millis(87),
        client: ([192, 0, 2, 1], 2817).into(),
        target: Some(([10, 0, 0, 1], 80).into()),
        group: Some("order".into()),
        times: StageTimes {
            request: Some(Duration::from_millis(1)),
            target: Some(Duration::from_millis(48)),
            response: Some(Duration::from_micros(37)),
        },
        status: 200,
        target_status: Some(200),
        received_bytes: 34,
        sent_bytes: 57,
        method: "GET".to_owned(),
        url: "https://shop.example:443/".to_owned(),
        version: "HTTP/1.1",
        user_agent: Some("curl/7.46.0 \"x\"".to_owned()),
        tls: Some(TlsDetails {
            cipher: "TLS_AES_128_GCM_SHA256",
            protocol: "TLSv1.3",
            named_group: "X25519",
            server_name: Some("shop.example".to_owned()),
            alpn: None,
        }),
        trace_id: Some("Root=1-a-b".to_owned()),
        rule: MatchedRule::Rule { name: "orders".into(), priority: 10 },
        action: Some(ActionKind::Forward),
        redirect_url: None,
        reason: None,
        classification: Some((Severity::Acceptable, "non_compliant_header")),
        retries: 0,
        connection_id: ConnectionId(0xab),
    }
}
