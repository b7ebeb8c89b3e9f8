//! A service in front of targets, with real sockets on loopback and configuration files.

mod access_logs;
mod agent;
mod client_certificates;
mod lifecycle;
mod refusals;
mod serving;
mod support;
