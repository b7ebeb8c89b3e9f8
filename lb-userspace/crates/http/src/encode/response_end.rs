//! PURE: how a response ends for a client of its version.

use crate::{framing::BodyLength, head::Version};

/// How a connection to a client goes on behind a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ResponseEnd {
    pub(crate) client: Version,
    pub(crate) keep_alive: bool,
}

impl ResponseEnd {
    /// Appends `Connection`, where the version alone does not say it.
    pub(super) fn write(self, out: &mut Vec<u8>) {
        out.extend_from_slice(match (self.client, self.keep_alive) {
            (_, false) => b"Connection: close\r\n",
            (Version::Http10, true) => b"Connection: keep-alive\r\n",
            (Version::Http11, true) => b"",
        });
    }

    /// How a body is framed for this client, and whether the connection can be kept behind it.
    ///
    /// HTTP/1.0 has no chunks; HTTP/1.1 gets chunks where the target closes its connection, so that the client
    /// sees a response that was cut.
    pub(super) fn frame(self, body: BodyLength) -> (BodyLength, Self) {
        match (body, self.client) {
            (BodyLength::Chunked | BodyLength::UntilClose, Version::Http10) => {
                (BodyLength::UntilClose, Self { keep_alive: false, ..self })
            }
            (BodyLength::UntilClose, Version::Http11) => (BodyLength::Chunked, self),
            _ => (body, self),
        }
    }
}
