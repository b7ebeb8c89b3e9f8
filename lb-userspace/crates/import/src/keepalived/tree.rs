//! keepalived.conf as a tree of keywords and blocks. Comments begin with `#` or `!`, anywhere in a line.

use crate::{duration, error::ImportError, ledger::Ledger};

/// Deepest nesting; keepalived itself needs five.
const DEPTH_MAX: usize = 16;

/// A keyword with its values, and its block if it has one.
#[derive(Debug, Default)]
pub(super) struct Node {
    pub(super) words: Vec<String>,
    pub(super) line: usize,
    /// The line of its `{`; 0 without a block.
    brace: usize,
    /// The line of its `}`; its own line without a block.
    pub(super) last: usize,
    pub(super) children: Vec<Node>,
}

impl Node {
    /// A word by its number; empty when there is none.
    pub(super) fn word(&self, index: usize) -> &str {
        self.words.get(index).map_or("", String::as_str)
    }

    /// The first child with this keyword.
    pub(super) fn child(&self, keyword: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.word(0) == keyword)
    }

    /// All its lines.
    pub(super) fn lines(&self) -> std::ops::RangeInclusive<usize> {
        self.line..=self.last
    }

    /// The lines of its keyword and its braces.
    pub(super) const fn frame(&self) -> [usize; 3] {
        [self.line, if self.brace == 0 { self.line } else { self.brace }, self.last]
    }
}

enum Token {
    Word(String),
    Open,
    Close,
}

/// Takes a text apart.
pub(super) fn parse(text: &str) -> Result<Vec<Node>, ImportError> {
    // The blocks that are open; the first is the file.
    let mut open = vec![Node::default()];
    for (number, line) in (1..).zip(text.lines()) {
        let mut current: Option<Node> = None;
        for token in tokens(line, number)? {
            match token {
                Token::Word(word) => {
                    let node = current.get_or_insert_with(|| Node {
                        line: number,
                        last: number,
                        ..Node::default()
                    });
                    node.words.push(word);
                }
                Token::Open => {
                    // The brace may be on the line after its keyword.
                    let keyword = current.take().or_else(|| open.last_mut()?.children.pop());
                    let Some(mut node) = keyword else {
                        return Err(ImportError::unclosed_block(number, "{"));
                    };
                    if open.len() >= DEPTH_MAX {
                        return Err(ImportError::TooDeep { line: number, depth: DEPTH_MAX });
                    }
                    node.brace = number;
                    open.push(node);
                }
                Token::Close => {
                    end(&mut open, current.take());
                    let Some(mut block) = (open.len() > 1).then(|| open.pop()).flatten() else {
                        return Err(ImportError::StrayBrace { line: number });
                    };
                    block.last = number;
                    end(&mut open, Some(block));
                }
            }
        }
        end(&mut open, current);
    }
    match (open.pop(), open.is_empty()) {
        (Some(file), true) => Ok(file.children),
        (Some(block), false) => Err(ImportError::unclosed_block(block.line, block.word(0))),
        (None, _) => Ok(Vec::new()),
    }
}

/// Adds a complete node to the innermost block.
fn end(open: &mut [Node], node: Option<Node>) {
    if let (Some(block), Some(node)) = (open.last_mut(), node) {
        block.children.push(node);
    }
}

fn tokens(line: &str, number: usize) -> Result<Vec<Token>, ImportError> {
    let mut tokens = Vec::new();
    let mut characters = line.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '#' | '!' => break,
            '{' => tokens.push(Token::Open),
            '}' => tokens.push(Token::Close),
            quote @ ('"' | '\'') => {
                let mut word = String::new();
                loop {
                    match characters.next() {
                        None => return Err(ImportError::UnclosedQuote { line: number }),
                        Some(end) if end == quote => break,
                        Some('\\') => word.extend(characters.next()),
                        Some(other) => word.push(other),
                    }
                }
                tokens.push(Token::Word(word));
            }
            blank if blank.is_whitespace() => {}
            first => {
                let mut word = String::from(first);
                while let Some(next) =
                    characters.next_if(|c| !c.is_whitespace() && !"{}#!".contains(*c))
                {
                    word.push(next);
                }
                tokens.push(Token::Word(word));
            }
        }
    }
    Ok(tokens)
}

/// Seconds of a keyword, in milliseconds; a remark when they cannot be read.
pub(super) fn seconds(node: &Node, ledger: &mut Ledger) -> Option<u64> {
    duration::seconds(node.word(1)).map_err(|message| ledger.hand(node.line, message)).ok()
}
