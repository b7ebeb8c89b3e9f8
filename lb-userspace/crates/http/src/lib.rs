//! PURE: an HTTP/1 engine: bytes in, events out. The same code reads the requests of clients and the responses
//! of targets.
//!
//! A message has exactly one reading, or it is refused. The engine owns no socket, no clock and no buffer: the
//! caller gives the bytes that it has, and keeps those that were not consumed. It deliberately does not choose a
//! target. Of HTTP/2 it knows heads alone.
#![forbid(unsafe_code)]

pub mod body;
pub mod client_certificate;
pub mod connection;
pub mod desync;
mod diagnose;
pub mod encode;
pub mod field_edits;
pub mod field_name;
pub mod forwarded;
pub mod framing;
pub mod head;
pub mod hop_by_hop;
pub mod http2;
pub mod limits;
mod parse;
pub mod proxy_protocol;
pub mod refusal;
pub mod trace_id;
pub mod uri;
pub mod websocket;

#[cfg(test)]
mod tests;
