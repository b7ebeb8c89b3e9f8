//! The proxy on real sockets of the loopback interface: raw bytes in, raw bytes out.

mod attacks;
mod bodies;
mod exchanges;
mod failures;
mod grpc;
mod http2;
mod http2_attacks;
mod http2_short_frames;
mod http2_support;
mod http2_targets;
mod killed_targets;
mod leaving;
mod limits;
mod logs;
mod rules;
mod snapshots;
mod status_retries;
mod support;
mod tls;
mod tls_large_streams;
mod tls_listeners;
mod websocket_ends;
mod websockets;
