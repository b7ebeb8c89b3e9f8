//! haproxy.cfg as sections of statements, each a line of words.

use crate::error::ImportError;

/// Keywords that begin a section.
const SECTIONS: &[&str] = &[
    "global",
    "defaults",
    "frontend",
    "backend",
    "listen",
    "userlist",
    "peers",
    "resolvers",
    "mailers",
    "program",
    "http-errors",
    "ring",
    "cache",
    "fcgi-app",
    "log-forward",
    "log-profile",
    "crt-store",
    "acme",
    "traces",
];

/// A section.
#[derive(Debug)]
pub(super) struct Section {
    pub(super) words: Vec<String>,
    pub(super) line: usize,
    pub(super) statements: Vec<Statement>,
}

/// A line in a section.
#[derive(Debug)]
pub(super) struct Statement {
    pub(super) words: Vec<String>,
    pub(super) line: usize,
    /// Whether it began with `no`.
    pub(super) is_negated: bool,
}

impl Statement {
    /// A word by its number; empty when there is none.
    pub(super) fn word(&self, index: usize) -> &str {
        self.words.get(index).map_or("", String::as_str)
    }
}

impl Section {
    /// A word of its first line; empty when there is none.
    pub(super) fn word(&self, index: usize) -> &str {
        self.words.get(index).map_or("", String::as_str)
    }

    /// All its lines.
    pub(super) fn lines(&self) -> impl Iterator<Item = usize> + '_ {
        std::iter::once(self.line).chain(self.statements.iter().map(|one| one.line))
    }

    /// The last statement with this keyword.
    pub(super) fn last(&self, keyword: &str) -> Option<&Statement> {
        self.statements.iter().rev().find(|one| one.word(0) == keyword && !one.is_negated)
    }
}

/// Takes a text apart. Lines that begin with `.` are for HAProxy's preprocessor: they are given apart.
pub(super) fn parse(text: &str) -> Result<(Vec<Section>, Vec<usize>), ImportError> {
    let mut sections: Vec<Section> = Vec::new();
    let mut conditions = Vec::new();
    for (line, row) in (1..).zip(text.lines()) {
        let mut words = words(row, line)?;
        let Some(first) = words.first() else { continue };
        if first.starts_with('.') {
            conditions.push(line);
        } else if SECTIONS.contains(&first.as_str()) {
            sections.push(Section { words, line, statements: Vec::new() });
        } else if let Some(section) = sections.last_mut() {
            let is_negated = first == "no" && words.len() > 1;
            if is_negated {
                words.remove(0);
            }
            section.statements.push(Statement { words, line, is_negated });
        } else {
            return Err(ImportError::outside_section(line, first));
        }
    }
    Ok((sections, conditions))
}

/// The words of a line, without quotes, escapes and comments.
fn words(row: &str, line: usize) -> Result<Vec<String>, ImportError> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote: Option<char> = None;
    let mut characters = row.chars();
    while let Some(character) = characters.next() {
        match (quote, character) {
            (Some(end), _) if character == end => quote = None,
            (None | Some('"'), '\\') => {
                word.get_or_insert_default().extend(characters.next());
            }
            (None, '"' | '\'') => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            (None, '#') => break,
            (None, blank) if blank.is_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(character),
        }
    }
    if quote.is_some() {
        return Err(ImportError::UnclosedQuote { line });
    }
    words.extend(word);
    Ok(words)
}
