//! PURE: how long a body is.

/// The body of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BodyLength {
    /// No body, and no field that says so.
    #[default]
    None,
    /// This many bytes; also 0.
    Length(u64),
    /// Chunks (RFC 9112, section 7.1).
    Chunked,
    /// Everything until the connection ends; only in responses.
    UntilClose,
}

impl BodyLength {
    /// Whether no byte of a body follows the head.
    #[must_use]
    pub fn is_empty(self) -> bool {
        matches!(self, Self::None | Self::Length(0))
    }
}
