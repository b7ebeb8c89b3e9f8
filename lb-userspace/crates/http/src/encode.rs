//! PURE: heads to write. A received head is copied once, in runs of lines, and only what must change is written
//! anew: start line, `Host`, framing, `Connection`.

mod lines;
mod local;
mod request;
mod response;
mod response_end;

pub(crate) use lines::encode_trailers;
pub use local::LocalResponse;
pub(crate) use local::encode_local;
pub use request::RequestToForward;
pub(crate) use request::encode_request;
pub use response::ResponseToForward;
pub(crate) use response::{encode_interim, encode_response};
pub(crate) use response_end::ResponseEnd;
