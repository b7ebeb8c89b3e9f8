//! Why a text cannot be imported at all. What concerns one line is a remark, not an error.

use thiserror::Error;

use crate::remark::brief;

/// Why there is no result; lines are numbered from 1.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ImportError {
    /// A block has no end.
    #[error("line {line}: the block `{word}` that begins here has no `}}`; add it")]
    UnclosedBlock {
        /// Where it begins.
        line: usize,
        /// Its keyword.
        word: String,
    },
    /// A brace closes nothing.
    #[error("line {line}: this `}}` closes no block; remove it, or add the `{{` before")]
    StrayBrace {
        /// Where it is.
        line: usize,
    },
    /// A quote has no end.
    #[error("line {line}: a quote that begins here has no end on the line; close it")]
    UnclosedQuote {
        /// Where it begins.
        line: usize,
    },
    /// Blocks in blocks, too deep.
    #[error("line {line}: blocks are nested deeper than {depth}; this is no keepalived.conf")]
    TooDeep {
        /// Where.
        line: usize,
        /// The limit.
        depth: usize,
    },
    /// A line before the first section.
    #[error(
        "line {line}: `{word}` stands before the first section (global, defaults, frontend, ...); is \
         it a haproxy.cfg?"
    )]
    OutsideSection {
        /// Where.
        line: usize,
        /// The first word.
        word: String,
    },
    /// Nothing of the format is in the text.
    #[error("there is {wanted} in this text; is it the output of, or the file of, {format}?")]
    Nothing {
        /// What was looked for, as in "no virtual_server".
        wanted: &'static str,
        /// The format.
        format: &'static str,
    },
}

impl ImportError {
    pub(crate) fn unclosed_block(line: usize, word: &str) -> Self {
        Self::UnclosedBlock { line, word: brief(word) }
    }

    pub(crate) fn outside_section(line: usize, word: &str) -> Self {
        Self::OutsideSection { line, word: brief(word) }
    }
}
