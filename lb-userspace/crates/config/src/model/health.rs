//! What a health check does.

use std::{path::PathBuf, time::Duration};

/// How the health of a group's targets is checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthCheck {
    /// What a probe does.
    pub protocol: HealthProtocol,
    /// The port it goes to; `None` is the port of the target (`traffic-port`).
    pub port: Option<u16>,
    /// The way it takes there.
    pub via: Via,
    /// Time between the starts of two probes of a target.
    pub interval: Duration,
    /// Longest time that a probe may take.
    pub timeout: Duration,
    /// Consecutive successes that make an unhealthy target healthy.
    pub healthy_threshold: u32,
    /// Consecutive failures that make a target unhealthy.
    pub unhealthy_threshold: u32,
    /// How long a target that this host cannot check keeps its state; `None` means for ever.
    pub inconclusive_timeout: Option<Duration>,
}

/// The path of probes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Via {
    /// To the target's own address, as any host would reach it.
    #[default]
    Address,
    /// To the VIP, on the path of clients' packets: same encapsulation, the VIP inside.
    Tunnel,
}

/// What a probe does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HealthProtocol {
    /// It opens a TCP connection.
    Tcp,
    /// It sends a GET request, over TLS if wanted, and looks at the answer.
    Http(HttpCheck),
    /// It calls the standard health service of gRPC.
    Grpc(GrpcCheck),
    /// It sends a datagram.
    Udp(UdpCheck),
    /// It pings.
    Icmp,
    /// It runs a program.
    Exec(ExecCheck),
}

/// An HTTP request, and what must come back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpCheck {
    /// How TLS is spoken; `None` for cleartext.
    pub tls: Option<TlsCheck>,
    /// Whether it speaks HTTP/2, as the targets of its group do, and not HTTP/1.1.
    pub http2: bool,
    /// The header `host`; `None` is the target's address.
    pub host: Option<String>,
    /// Path and query of the request.
    pub path: String,
    /// Status codes that are a success.
    pub matcher: Matcher,
    /// A text that the body must have in its first 64 KiB.
    pub body: Option<String>,
    /// What targets report of themselves with the answer: the names of metrics, and where they are.
    pub reports: Vec<(String, ReportPlace)>,
}

/// Where in its answers a target reports a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReportPlace {
    /// The value of a header.
    Header(String),
    /// A member of the JSON object that the body is.
    Json(String),
}

/// A call of `grpc.health.v1.Health/Check`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrpcCheck {
    /// How TLS is spoken; `None` for cleartext with prior knowledge of HTTP/2.
    pub tls: Option<TlsCheck>,
    /// The service to check; empty for the whole server.
    pub service: String,
    /// gRPC status codes that are a success.
    pub matcher: Matcher,
}

/// How TLS is spoken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsCheck {
    /// The server name (SNI), which a verified certificate must have. With `None`, no SNI is sent,
    /// and the certificate must have the target's address.
    pub server_name: Option<String>,
    /// Whose certificates are believed.
    pub verify: Verify,
}

/// Whose certificates are believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verify {
    /// Anybody's, whatever they say, as ELB does.
    None,
    /// Those of the authorities that the host knows.
    System,
    /// Those of the authorities in this file (PEM).
    File(PathBuf),
}

/// A datagram, and what must come back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UdpCheck {
    /// What is sent; may be empty.
    pub payload: Vec<u8>,
    /// What an answer must have in it; `None`: silence is a success, too.
    pub expect: Option<Vec<u8>>,
}

/// A program and its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecCheck {
    /// Its absolute path, then its arguments.
    pub command: Vec<String>,
}

/// Status codes that are a success: inclusive ranges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matcher(pub Vec<(u16, u16)>);

impl Matcher {
    /// Whether a status code is a success.
    #[must_use]
    pub fn matches(&self, status: u16) -> bool {
        self.0.iter().any(|(low, high)| (*low..=*high).contains(&status))
    }

    /// As configurations have it.
    #[must_use]
    pub fn shown(&self) -> String {
        let one = |(low, high): &(u16, u16)| {
            if low == high { low.to_string() } else { format!("{low}-{high}") }
        };
        self.0.iter().map(one).collect::<Vec<_>>().join(",")
    }
}
