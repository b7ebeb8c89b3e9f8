//! PURE: the query of a target. It stays as it came: `%00` and bad escapes are the target's business, since no
//! rule reads them in another way.

use super::path::push_escape;

/// Appends a query with its `?`, and says whether all its characters may stand there.
///
/// Characters that browsers send unescaped (WHATWG URL, "query percent-encode set") are passed.
pub(super) fn normalise(query: &[u8], out: &mut String) -> bool {
    let mut is_compliant = true;
    for byte in query {
        if byte.is_ascii() && !b"\"<>".contains(byte) {
            out.push(char::from(*byte));
        } else {
            is_compliant = false;
            push_escape(*byte, out);
        }
    }
    is_compliant
}
