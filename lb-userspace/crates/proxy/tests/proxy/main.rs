//! The proxy on real sockets of the loopback interface: raw bytes in, raw bytes out.

mod bodies;
mod exchanges;
mod failures;
mod http2;
mod logs;
mod rules;
mod snapshots;
mod support;
mod tls;
