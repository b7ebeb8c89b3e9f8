//! Tests of the API over real Unix sockets, against an agent that is played.

mod client;
mod documents;
mod fake;
mod hostile;
mod refusals;
mod routes;
mod socket;
mod watch;
