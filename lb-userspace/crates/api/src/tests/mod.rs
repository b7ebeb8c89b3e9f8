//! Tests of the API over real sockets, against an agent that is played.

mod access;
mod client;
mod documents;
mod fake;
mod hostile;
mod openapi;
mod pki;
mod proxies;
mod refusals;
mod remote;
mod remote_client;
mod remote_hostile;
mod rotation;
mod routes;
mod socket;
mod watch;
