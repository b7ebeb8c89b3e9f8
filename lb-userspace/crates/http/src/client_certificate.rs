//! PURE: fields that tell a target which certificate a client has, with the names of ALB. Nobody else may send fields
//! of such names.

/// What the names of these fields begin with.
const PREFIX: &[u8] = b"x-amzn-mtls-";

/// Complete lines of such fields. The default has none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CertificateFields(Vec<u8>);

impl CertificateFields {
    /// Adds a field; `name` follows `X-Amzn-Mtls-`. Bytes of the value that no field may have become `?`.
    pub fn add(&mut self, name: &str, value: &str) {
        self.0.extend_from_slice(b"X-Amzn-Mtls-");
        self.0.extend_from_slice(name.as_bytes());
        self.0.extend_from_slice(b": ");
        let safe = value.trim().bytes().map(|byte| match byte {
            b' '..=b'~' => byte,
            _ => b'?',
        });
        self.0.extend(safe);
        self.0.extend_from_slice(b"\r\n");
    }

    /// The lines, each with its CRLF.
    #[must_use]
    pub fn lines(&self) -> &[u8] {
        &self.0
    }
}

/// Whether a field of a client looks like one of these. Some servers take `_` for `-`.
#[must_use]
pub(crate) fn is_look_alike(name: &[u8]) -> bool {
    name.len() >= PREFIX.len()
        && name.iter().zip(PREFIX).all(|(byte, expected)| {
            let byte = if *byte == b'_' { b'-' } else { byte.to_ascii_lowercase() };
            byte == *expected
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn look_alikes_are_found_in_any_spelling() {
        for (name, expected) in [
            ("X-Amzn-Mtls-Clientcert", true),
            ("x_amzn_MTLS-Clientcert-Leaf", true),
            ("x-amzn-mtls-", true),
            ("x-amzn-mtls", false),
            ("x-amzn-trace-id", false),
        ] {
            assert_eq!(is_look_alike(name.as_bytes()), expected, "{name}");
        }
    }

    #[test]
    fn a_value_cannot_begin_another_line() {
        let mut fields = CertificateFields::default();
        fields.add("Clientcert-Subject", " CN=a\r\nX-B: 1\u{e9} ");
        assert_eq!(fields.lines(), b"X-Amzn-Mtls-Clientcert-Subject: CN=a??X-B: 1??\r\n");
    }
}
