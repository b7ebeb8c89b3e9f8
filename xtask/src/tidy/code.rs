//! Rust source without its comments and literals, so that a word is found only where it is code.
//!
//! It knows the tokens that hide text (comments, strings, characters) and nothing else of Rust.

/// The source with comments, strings and characters blanked; the lines stay where they are.
pub(super) fn only(source: &str) -> String {
    let mut code = String::with_capacity(source.len());
    let mut rest = source;
    let mut previous = ' ';
    while let Some(first) = rest.chars().next() {
        let hidden = hidden_len(rest, previous);
        let len = if hidden == 0 { first.len_utf8() } else { hidden };
        let (token, after) = rest.split_at(len);
        if hidden == 0 {
            code.push(first);
        } else {
            code.extend(token.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        }
        previous = if hidden == 0 { first } else { ' ' };
        rest = after;
    }
    code
}

/// The length in bytes of the comment or literal at the start of `rest`; 0 if there is none.
fn hidden_len(rest: &str, previous: char) -> usize {
    if rest.starts_with("//") {
        return rest.find('\n').unwrap_or(rest.len());
    }
    if rest.starts_with("/*") {
        return block_comment_len(rest);
    }
    if rest.starts_with('"') {
        return quoted_len(rest, '"');
    }
    if rest.starts_with('\'') {
        return character_len(rest);
    }
    // The prefixes of literals are not the ends of identifiers.
    let is_prefix = !(previous.is_alphanumeric() || previous == '_');
    if is_prefix { raw_string_len(rest) } else { 0 }
}

/// A block comment, which may contain others.
fn block_comment_len(rest: &str) -> usize {
    let mut depth = 0_usize;
    let mut position = 0;
    while position < rest.len() {
        let here = &rest[position..];
        if here.starts_with("/*") {
            depth += 1;
            position += 2;
        } else if here.starts_with("*/") {
            depth -= 1;
            position += 2;
            if depth == 0 {
                return position;
            }
        } else {
            position += here.chars().next().map_or(1, char::len_utf8);
        }
    }
    rest.len()
}

/// A literal between two quotes with `\` as escape.
fn quoted_len(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (position, character) in rest.char_indices().skip(1) {
        if escaped {
            escaped = false;
        } else if character == '\\' {
            escaped = true;
        } else if character == quote {
            return position + 1;
        }
    }
    rest.len()
}

/// A character literal; 0 for a lifetime, which begins like one.
fn character_len(rest: &str) -> usize {
    let mut characters = rest.chars().skip(1);
    match (characters.next(), characters.next()) {
        (Some('\\'), _) => quoted_len(rest, '\''),
        (Some(character), Some('\'')) => character.len_utf8() + 2,
        _ => 0,
    }
}

/// `r"..."`, `r#"..."#`, also with `b` or `c` before it.
fn raw_string_len(rest: &str) -> usize {
    let start = rest.trim_start_matches(['b', 'c']);
    let prefix = rest.len() - start.len();
    let Some(after) = start.strip_prefix('r').filter(|_| prefix <= 1) else {
        return 0;
    };
    let hashes = after.len() - after.trim_start_matches('#').len();
    let Some(content) = after[hashes..].strip_prefix('"') else {
        return 0;
    };
    let terminator = format!("\"{}", "#".repeat(hashes));
    let opening = prefix + 1 + hashes + 1;
    content.find(&terminator).map_or(rest.len(), |end| opening + end + terminator.len())
}

/// The numbers of the lines of `code` that have `word` as a whole word.
pub(super) fn lines_with<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let has_word = move |line: &str| {
        line.match_indices(word).any(|(position, _)| {
            let before = line[..position].chars().next_back();
            let after = line[position + word.len()..].chars().next();
            !before.is_some_and(is_word) && !after.is_some_and(is_word)
        })
    };
    (1..).zip(code.lines()).filter(move |(_, line)| has_word(line)).map(|(number, _)| number)
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_blanked() {
        let cases = [
            ("a // unsafe", "a          "),
            ("a /* x /* y */ z */ b", "a                   b"),
            ("a \"un\\\"safe\" b", "a            b"),
            ("r#\"a\"b\"# c", "         c"),
            ("br\"a\\\" c", "       c"),
            ("bar\"x\"", "bar   "),
            ("'\"' \"x\"", "       "),
            ("'\\'' x", "     x"),
            ("&'a str", "&'a str"),
            ("'é' x", "    x"),
            ("\"a\nb\" c", "  \n   c"),
            ("// a\nb", "    \nb"),
            ("/* open", "       "),
        ];
        for (source, expected) in cases {
            assert_eq!(only(source), expected, "{source:?}");
        }
    }

    #[test]
    fn words_are_whole() {
        let code = "unsafe {\nunsafe_op\nx.unsafe()\nnot_unsafe\n";
        assert_eq!(lines_with(code, "unsafe").collect::<Vec<_>>(), [1, 3]);
    }
}
