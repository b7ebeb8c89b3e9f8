//! PURE: every reason for which a message is refused, with its machine name and its status code.
//!
//! These messages have no single reading, or none that can be forwarded. What `desync_mitigation` decides about
//! is in [`crate::desync`].

use std::fmt;

use crate::desync::Finding;

/// Makes the enum, its names, its status codes and the list of all from one table.
macro_rules! refusals {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $status:literal;)*) => {
        /// Why a message is refused.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Refusal {
            $($(#[$doc])* $variant,)*
            /// `desync_mitigation` refuses a message with this finding.
            Desync(Finding),
        }

        impl Refusal {
            /// Every reason except those of [`Finding`].
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The name in logs, metrics and the API; it never changes.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                    Self::Desync(finding) => finding.as_str(),
                }
            }

            /// The status code of the response to a refused request.
            #[must_use]
            pub fn status(self) -> u16 {
                match self {
                    $(Self::$variant => $status,)*
                    Self::Desync(_) => 400,
                }
            }
        }
    };
}

refusals! {
    /// A line ends with LF alone (RFC 9112, section 2.2).
    BareLf = "bare_lf", 400;
    /// A CR without LF behind it (RFC 9112, section 2.2).
    BareCr = "bare_cr", 400;
    /// The method is not a token.
    BadMethod = "bad_method", 400;
    /// The request target has none of the forms of RFC 9112, section 3.2.
    BadTarget = "bad_target", 400;
    /// The version is not `HTTP/` and two digits.
    BadVersion = "bad_version", 400;
    /// A version other than 1.0 and 1.1.
    UnsupportedVersion = "unsupported_version", 505;
    /// Extended CONNECT (RFC 8441) for another protocol than WebSocket.
    UnsupportedProtocol = "unsupported_protocol", 501;
    /// `CONNECT` or `TRACE`, which the balancer never serves.
    MethodNotAllowed = "method_not_allowed", 405;
    /// More than one empty line before the message, or anything else that is no request line.
    BadStartLine = "bad_start_line", 400;
    /// A status that is not a number from 100 to 599, or a bad reason phrase.
    BadStatus = "bad_status", 400;
    /// A field name that is not a token, or a line without a colon.
    BadFieldName = "bad_field_name", 400;
    /// White space behind a field name (RFC 9112, section 5.1).
    SpaceBeforeColon = "space_before_colon", 400;
    /// A line that begins with white space (RFC 9112, section 5.2).
    ObsFold = "obs_fold", 400;
    /// NUL in a field value (RFC 9110, section 5.5).
    NulInValue = "nul_in_value", 400;
    /// Another control character in a field value.
    ControlInValue = "control_in_value", 400;
    /// The request line is too long.
    StartLineTooLong = "start_line_too_long", 414;
    /// One field line is too long.
    FieldLineTooLong = "field_line_too_long", 431;
    /// The head is too long.
    HeadTooLong = "head_too_long", 431;
    /// The head or the trailer section has too many fields.
    TooManyFields = "too_many_fields", 431;
    /// HTTP/1.1 without `Host` (RFC 9112, section 3.2).
    MissingHost = "missing_host", 400;
    /// More than one `Host`.
    DuplicateHost = "duplicate_host", 400;
    /// `Host`, or the authority of the target, is no host with an optional port.
    BadHost = "bad_host", 400;
    /// The target has user information (RFC 9110, section 4.2.4).
    UserInfo = "user_info", 400;
    /// The target has a fragment.
    FragmentInTarget = "fragment_in_target", 400;
    /// A control character in the target, or an escaped one in its path.
    ControlInTarget = "control_in_target", 400;
    /// `%` without two hexadecimal digits in the path.
    BadEscape = "bad_escape", 400;
    /// A dot segment that only some servers see, such as `..;` or `..%2F`.
    HiddenDotSegment = "hidden_dot_segment", 400;
    /// The policy of the listener refuses `%2F` in a path.
    EncodedSlash = "encoded_slash", 400;
    /// The policy of the listener refuses `//` in a path.
    DoubleSlash = "double_slash", 400;
    /// The policy of the listener refuses `;` in a path.
    Semicolon = "semicolon", 400;
    /// The policy of the listener refuses `\` and `%5C` in a path.
    Backslash = "backslash", 400;
    /// `Content-Length` is not a decimal number below 2^64.
    BadContentLength = "bad_content_length", 400;
    /// Values of `Content-Length` that differ.
    MultipleContentLength = "multiple_content_length", 400;
    /// `Transfer-Encoding` other than exactly `chunked`.
    BadTransferEncoding = "bad_transfer_encoding", 501;
    /// A chunk size that is not a hexadecimal number below 2^64.
    BadChunkSize = "bad_chunk_size", 400;
    /// A chunk extension that does not follow RFC 9112, section 7.1.1, or that has white space.
    BadChunkExtension = "bad_chunk_extension", 400;
    /// No CRLF behind the bytes of a chunk.
    BadChunkEnd = "bad_chunk_end", 400;
    /// The line of a chunk is too long.
    ChunkLineTooLong = "chunk_line_too_long", 400;
    /// The extensions of all chunks together are too long.
    ChunkExtensionsTooLong = "chunk_extensions_too_long", 413;
    /// The trailer section is too long.
    TrailersTooLong = "trailers_too_long", 431;
    /// The connection ended inside a message.
    IncompleteMessage = "incomplete_message", 400;
    /// Status 101 that the request did not ask for.
    UnexpectedUpgrade = "unexpected_upgrade", 400;
    /// More interim (1xx) responses than allowed.
    TooManyInterimResponses = "too_many_interim_responses", 400;
    /// Bytes of a response for which there is no request.
    UnexpectedResponse = "unexpected_response", 400;
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl std::error::Error for Refusal {}

impl From<Finding> for Refusal {
    fn from(finding: Finding) -> Self {
        Self::Desync(finding)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn machine_names_are_unique_and_in_snake_case() {
        let findings = Finding::ALL.iter().map(|finding| Refusal::Desync(*finding));
        let all: Vec<Refusal> = Refusal::ALL.iter().copied().chain(findings).collect();
        let names: BTreeSet<&str> = all.iter().map(|refusal| refusal.as_str()).collect();
        assert_eq!(names.len(), all.len());
        let in_snake_case = |name: &&str| {
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
        };
        assert!(names.iter().all(in_snake_case), "{names:?}");
    }

    #[test]
    fn statuses_are_those_of_application_load_balancer() {
        let known = [400, 405, 413, 414, 431, 501, 505];
        for refusal in Refusal::ALL {
            assert!(known.contains(&refusal.status()), "{refusal}: {}", refusal.status());
        }
    }
}
