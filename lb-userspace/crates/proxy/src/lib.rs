//! The runtime of the HTTP proxy: workers, connections of clients and targets, pools, logs and metrics.
//!
//! It takes a [`Snapshot`] and serves it until the next one. It reads no configuration, checks no target and
//! writes no file: what it needs comes in as values, and what it sees goes out as values.
#![forbid(unsafe_code)]

mod accept;
mod access_log;
mod arrival;
mod attributes;
mod buffer;
mod client_certificate;
mod client_side;
mod compiled;
mod connect;
mod connection_attempt;
mod connection_id;
mod connection_log;
mod counters;
mod destination;
mod exchange;
mod failure;
mod find_target;
mod forward;
mod group;
mod group_loads;
mod grpc;
mod handshake;
mod http1_client;
mod http1_server;
mod http2_client;
mod http2_connection;
mod http2_flood;
mod http2_pool;
mod http2_server;
mod http2_stream;
mod http2_target;
mod listening;
mod live_requests;
mod log_event;
mod outstanding;
mod pool;
mod preamble;
mod proxy;
mod record;
mod repeat;
mod repeat_elsewhere;
mod request;
mod request_context;
mod request_timeouts;
mod reset_budget;
mod retry_budget;
mod server_names;
mod snapshot;
mod stickiness;
mod stream;
mod target_connection;
mod target_side;
mod timer;
mod tls_forward;
mod tunnel;
mod tunnel_side;
mod wire;
mod worker;
mod worker_state;

pub use access_log::{
    AccessEvent, ActionKind, MatchedRule, RequestKind, StageTimes, TlsDetails, alb_line, json_line,
};
pub use attributes::{
    CertificateHeaders, ClientTimeouts, GroupAttributes, ListenerAttributes, ListenerProtocol,
    TargetProtocol, TargetStickiness,
};
pub use compiled::SnapshotError;
pub use connection_attempt::{
    AttemptFailure, ConnectionAttempt, LeafCertificate, alb_attempt_line, attempt_json_line,
};
pub use connection_id::ConnectionId;
pub use connection_log::{ConnectionEvent, connection_json_line, nlb_line};
pub use counters::{BUCKETS, Counter, Metrics, MetricsReader, Sums};
pub use failure::Failure;
pub use lb_http::proxy_protocol::ProxyProtocol;
pub use lb_rules::choice;
pub use log_event::LogEvent;
pub use proxy::{Proxy, ProxyError, ProxyOptions};
pub use server_names::{CertificateSet, ClientCertificates, server_config, server_config_of};
pub use snapshot::{Group, Listener, Snapshot, Target, TargetTls};
pub use worker::StopReport;
