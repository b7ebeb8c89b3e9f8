//! PURE: the bytes around the content of a body when it is written.

use std::fmt;

use crate::framing::BodyLength;

/// What stands around one piece of content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Frame {
    prefix: [u8; 18],
    prefix_len: u8,
    is_chunk: bool,
}

impl Frame {
    /// Bytes to write before the content: the line of a chunk, or nothing.
    #[must_use]
    pub fn prefix(&self) -> &[u8] {
        &self.prefix[..usize::from(self.prefix_len)]
    }

    /// Bytes to write behind the content.
    #[must_use]
    pub fn suffix(&self) -> &'static [u8] {
        if self.is_chunk { b"\r\n" } else { b"" }
    }

    /// The frame of a chunk of this many bytes.
    fn chunk(len: usize) -> Self {
        let mut frame = Self { is_chunk: true, ..Self::default() };
        let digits = (usize::BITS - len.leading_zeros()).div_ceil(4).max(1) as usize;
        for place in 0..digits {
            let digit = (len >> (4 * (digits - 1 - place))) & 0xF;
            frame.prefix[place] = b"0123456789abcdef"[digit];
        }
        frame.prefix[digits..digits + 2].copy_from_slice(b"\r\n");
        // At most 16 digits and CRLF.
        frame.prefix_len = u8::try_from(digits + 2).unwrap_or(18);
        frame
    }
}

/// A body that is not what its head says. The connection must be closed: nobody could find its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteError {
    /// More bytes than the head says.
    TooManyBytes,
    /// The end before all bytes that the head says.
    TooFewBytes,
    /// A head where another message, or none, is being written.
    OutOfOrder,
    /// A field name or value that cannot be written.
    BadField,
}

impl fmt::Display for WriteError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::TooManyBytes => {
                "the body has more bytes than its head says; close the connection"
            }
            Self::TooFewBytes => {
                "the body ends before the length that its head says; close the connection"
            }
            Self::OutOfOrder => "no message can be written in this state of the connection",
            Self::BadField => "a field to be added is no valid field name and value",
        })
    }
}

impl std::error::Error for WriteError {}

/// Writes one body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BodyEncoder {
    length: BodyLength,
    is_ended: bool,
}

impl Default for BodyEncoder {
    fn default() -> Self {
        Self { length: BodyLength::None, is_ended: true }
    }
}

impl BodyEncoder {
    /// An encoder for a body of this length.
    #[must_use]
    pub fn new(length: BodyLength) -> Self {
        Self { length, is_ended: false }
    }

    /// Whether [`Self::end`] was called.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        self.is_ended
    }

    /// Accounts for `len` bytes of content, and gives what stands around them.
    ///
    /// Without any byte the frame is empty: a chunk of size 0 would end the body.
    pub fn frame(&mut self, len: usize) -> Result<Frame, WriteError> {
        if len == 0 {
            return Ok(Frame::default());
        }
        if self.is_ended {
            return Err(WriteError::TooManyBytes);
        }
        match &mut self.length {
            BodyLength::None => Err(WriteError::TooManyBytes),
            BodyLength::Length(left) => {
                *left = left.checked_sub(len as u64).ok_or(WriteError::TooManyBytes)?;
                Ok(Frame::default())
            }
            BodyLength::Chunked => Ok(Frame::chunk(len)),
            BodyLength::UntilClose => Ok(Frame::default()),
        }
    }

    /// Ends the body: `trailers` are lines with their CRLF, which only chunks can carry.
    pub fn end(&mut self, trailers: &[u8], out: &mut Vec<u8>) -> Result<(), WriteError> {
        if self.is_ended {
            return Ok(());
        }
        match self.length {
            BodyLength::Length(left) if left > 0 => return Err(WriteError::TooFewBytes),
            BodyLength::Chunked => {
                out.extend_from_slice(b"0\r\n");
                out.extend_from_slice(trailers);
                out.extend_from_slice(b"\r\n");
            }
            _ => {}
        }
        self.is_ended = true;
        Ok(())
    }
}
