//! PURE: attributes of listeners and target groups, with their defaults. Names and defaults are ELB's where
//! it has them.

use std::time::Duration;

use ipnet::IpNet;
use lb_http::{
    connection::ServerOptions, forwarded::ForwardedPolicy, proxy_protocol::ProxyProtocol,
};

/// What targets are told of certificates of clients. Whether clients need one is said by the TLS of the listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CertificateHeaders {
    /// Nothing.
    #[default]
    None,
    /// Subject, issuer, serial number, validity and the certificate itself, which was verified.
    Verified,
    /// The whole chain, which was not verified.
    Passthrough,
}

/// Attributes of a listener.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is one attribute of ELB's")]
pub struct ListenerAttributes {
    /// What clients speak.
    pub protocol: ListenerProtocol,
    /// Bounds of requests, `desync_mitigation`, and what becomes of unusual paths.
    pub http: ServerOptions,
    /// Who has asked: `xff_header_processing`, `xff_client_port`, `Forwarded`.
    pub forwarded: ForwardedPolicy,
    /// `drop_invalid_header_fields`.
    pub drop_invalid_header_fields: bool,
    /// `preserve_host_header`: whether targets get `Host` as it was received, and not normalised.
    pub preserve_host_header: bool,
    /// Whether targets get a trace identifier.
    pub trace_id: bool,
    /// What targets are told of certificates of clients.
    pub certificate_headers: CertificateHeaders,
    /// Whether HTTP/2 is served: by ALPN with TLS, by its preface in clear.
    pub http2: bool,
    /// Whether requests are logged.
    pub access_log: bool,
    /// Whether connections are logged when they begin or fail.
    pub connection_log: bool,
    /// Sources whose connections begin with a PROXY protocol header. It is believed from nobody else.
    pub proxy_protocol_sources: Vec<IpNet>,
    /// Timeouts.
    pub timeouts: ClientTimeouts,
}

impl Default for ListenerAttributes {
    fn default() -> Self {
        Self {
            protocol: ListenerProtocol::Http,
            http: ServerOptions::default(),
            forwarded: ForwardedPolicy::default(),
            drop_invalid_header_fields: false,
            preserve_host_header: false,
            trace_id: true,
            certificate_headers: CertificateHeaders::None,
            http2: true,
            access_log: true,
            connection_log: false,
            proxy_protocol_sources: Vec::new(),
            timeouts: ClientTimeouts::default(),
        }
    }
}

/// Timeouts towards clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientTimeouts {
    /// The TLS handshake, and a PROXY protocol header.
    pub handshake: Duration,
    /// A whole request head, from its first byte.
    pub head: Duration,
    /// No byte in either direction, within a request or between two.
    pub idle: Duration,
    /// Age of a connection: its next response is the last one (`client_keep_alive`).
    pub keep_alive: Duration,
    /// A whole request with its response; `None`: no limit.
    pub total: Option<Duration>,
    /// No byte in either direction of a tunnel.
    pub tunnel: Duration,
    /// How long the rest of an unread request is read and dropped before a connection is closed.
    pub linger: Duration,
}

impl Default for ClientTimeouts {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(10),
            head: Duration::from_secs(10),
            idle: Duration::from_mins(1),
            keep_alive: Duration::from_hours(1),
            total: None,
            tunnel: Duration::from_hours(1),
            linger: Duration::from_secs(5),
        }
    }
}

/// What targets speak, inside of TLS where the group has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TargetProtocol {
    /// HTTP/1.1.
    #[default]
    Http1,
    /// HTTP/2: with prior knowledge in clear, by ALPN in TLS.
    Http2,
    /// gRPC over HTTP/2.
    Grpc,
    /// Bytes of one client's connection each.
    Tcp,
}

/// What clients speak, inside of TLS where the listener has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ListenerProtocol {
    /// HTTP: requests go to the targets that rules say.
    #[default]
    Http,
    /// Bytes of any protocol, which go to the group of the default action.
    Tcp,
}

/// Attributes of a target group, beside those of the choice of a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupAttributes {
    /// What targets speak.
    pub protocol: TargetProtocol,
    /// Requests at a time over one connection of HTTP/2; the target may allow fewer.
    pub streams_max: usize,
    /// The TCP connection and, with TLS, its handshake.
    pub connect_timeout: Duration,
    /// The head of the response, from the end of the request; `None`: the idle timeout of the listener.
    pub response_timeout: Option<Duration>,
    /// Idle connections to one target, for each worker.
    pub idle_connections_max: usize,
    /// How long a connection may be idle before it is closed.
    pub idle_connection_timeout: Duration,
    /// Other targets that are tried after a failed connection.
    pub connect_retries: u32,
    /// Whether a request is sent once more when a connection that had served requests fails before a response.
    pub retry_reused: bool,
    /// Statuses of a target (500 to 599) after which another target is asked, if the request may be repeated.
    pub retry_statuses: Vec<u16>,
    /// How often a request is sent again for that reason.
    pub status_retries: u32,
    /// Most requests that are sent once more, of those to the group, in percent.
    pub retry_budget_percent: u32,
    /// Requests that may wait for a target below its limit, on this host.
    pub queue_max: usize,
    /// How long such a request waits.
    pub queue_timeout: Duration,
    /// How long a target that leaves may finish its requests and tunnels.
    pub deregistration_delay: Duration,
    /// Whether requests that are not idempotent, such as POST, are sent again when a connection that had served
    /// requests is closed before a response (RFC 9110, section 9.2.2).
    pub replay_non_idempotent: bool,
    /// PROXY protocol header at the start of connections, which then serve one client connection each.
    pub proxy_protocol: ProxyProtocol,
}

impl Default for GroupAttributes {
    fn default() -> Self {
        Self {
            protocol: TargetProtocol::Http1,
            streams_max: 100,
            connect_timeout: Duration::from_secs(5),
            response_timeout: None,
            idle_connections_max: 64,
            idle_connection_timeout: Duration::from_secs(30),
            connect_retries: 1,
            retry_reused: true,
            retry_statuses: Vec::new(),
            status_retries: 0,
            retry_budget_percent: 20,
            queue_max: 1000,
            queue_timeout: Duration::from_secs(5),
            deregistration_delay: Duration::from_mins(5),
            replay_non_idempotent: false,
            proxy_protocol: ProxyProtocol::None,
        }
    }
}

/// How a client stays with its target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetStickiness {
    /// From the last response that set the cookie.
    pub duration: Duration,
    /// Name of the application's cookie; `None`: the balancer's cookie alone decides (`lb_cookie`).
    pub app_cookie: Option<String>,
}
