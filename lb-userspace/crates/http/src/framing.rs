//! PURE: how long a message is and what follows it: one reading, or a refusal (RFC 9112, section 6).
//!
//! Both sides of the balancer decide by these functions, so what it forwards is what it has read.

mod body_length;
mod content_length;
mod fields;
mod request;
mod response;
#[cfg(test)]
mod response_tests;
#[cfg(test)]
mod tests;

pub use body_length::BodyLength;
pub use request::{RequestFraming, refuse_method, request};
pub use response::{ResponseFraming, response};
