//! PURE: bounds on what one message may hold. Defaults are those of AWS's Application Load Balancer where it
//! has one (docs: "Application Load Balancer quotas").

/// Fields of one head or trailer section that the parser has slots for.
pub const FIELDS_MAX: usize = 128;

/// Bounds of one message; sizes are in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The first line, without its CRLF: request line or status line.
    pub start_line_max: usize,
    /// One field line, without its CRLF.
    pub field_line_max: usize,
    /// A whole head, with all its CRLFs.
    pub head_max: usize,
    /// Fields of a head or of a trailer section; at most [`FIELDS_MAX`].
    pub fields_max: usize,
    /// The line of a chunk: size and extensions, without its CRLF.
    pub chunk_line_max: usize,
    /// All chunk extensions of one message together.
    pub chunk_extensions_max: usize,
    /// The trailer section, with all its CRLFs.
    pub trailers_max: usize,
    /// Interim (1xx) responses before the final one.
    pub interim_responses_max: u32,
}

impl Limits {
    /// Bounds of requests.
    pub const REQUEST: Self = Self {
        start_line_max: 16 << 10,
        field_line_max: 16 << 10,
        head_max: 64 << 10,
        fields_max: FIELDS_MAX,
        chunk_line_max: 256,
        chunk_extensions_max: 16 << 10,
        trailers_max: 16 << 10,
        interim_responses_max: 0,
    };

    /// Bounds of responses.
    pub const RESPONSE: Self =
        Self { head_max: 32 << 10, interim_responses_max: 16, ..Self::REQUEST };
}
