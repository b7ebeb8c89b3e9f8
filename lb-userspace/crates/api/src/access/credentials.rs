//! PURE: the text of the tokens file to the callers in it, and a credential to its caller.

use data_encoding::HEXLOWER_PERMISSIVE;
use subtle::ConstantTimeEq as _;
use thiserror::Error;

use super::{
    Caller, Role,
    certificate::Names,
    is_name,
    token::{TokenDigest, digest},
};

/// In front of the name of a certificate.
const CERTIFICATE: &str = "cert:";

const FORMS: &str = "a line is `NAME ROLE SHA256-HEX` or `cert:COMMON-NAME ROLE`, or begins with #";

/// A line of a tokens file that cannot be read.
#[derive(Debug, PartialEq, Eq, Error)]
#[error("line {line}: {reason}")]
pub struct CredentialsError {
    /// Its number, from 1.
    line: usize,
    /// What is wrong with it.
    reason: String,
}

/// Clients in the file.
#[derive(Debug, Default)]
pub(crate) struct Credentials {
    tokens: Vec<(TokenDigest, Caller)>,
    certificates: Vec<Caller>,
}

impl Credentials {
    /// Reads the text of a file.
    pub(crate) fn parse(text: &str) -> Result<Self, CredentialsError> {
        let mut all = Self::default();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let add = match line.strip_prefix(CERTIFICATE) {
                Some(rest) => all.add_certificate(rest),
                None => all.add_token(line),
            };
            add.map_err(|reason| CredentialsError { line: index + 1, reason })?;
        }
        Ok(all)
    }

    fn add_token(&mut self, line: &str) -> Result<(), String> {
        let mut words = line.split_whitespace();
        let (Some(name), Some(role), Some(hex), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(FORMS.to_owned());
        };
        if !is_name(name) {
            return Err(format!(
                "`{name}` is not a name: use up to 64 letters, digits and any of \
                                `-_.@`"
            ));
        }
        let role = role.parse()?;
        // The text may be a secret in the wrong place: messages do not repeat it.
        let digest = HEXLOWER_PERMISSIVE.decode(hex.as_bytes()).ok();
        let digest: TokenDigest = digest
            .and_then(|bytes| bytes.try_into().ok())
            .ok_or("the third word is not a SHA-256 (64 hexadecimal digits)")?;
        if self.tokens.iter().any(|(known, caller)| caller.name == name || *known == digest) {
            return Err(format!("the name or the token of `{name}` occurs twice"));
        }
        self.tokens.push((digest, Caller { name: name.to_owned(), role }));
        Ok(())
    }

    fn add_certificate(&mut self, rest: &str) -> Result<(), String> {
        // A common name may have spaces in it.
        let (name, role) = rest.rsplit_once(char::is_whitespace).ok_or(FORMS)?;
        let name = name.trim();
        if name.is_empty() || name.chars().any(char::is_control) {
            return Err(FORMS.to_owned());
        }
        let role: Role = role.parse()?;
        if self.certificates.iter().any(|known| known.name == name) {
            return Err(format!("`{CERTIFICATE}{name}` occurs twice"));
        }
        self.certificates.push(Caller { name: name.to_owned(), role });
        Ok(())
    }

    /// The client with this token. Takes constant time, so that it does not show how much of a
    /// token is right.
    pub(super) fn by_token(&self, token: &str) -> Option<Caller> {
        let presented = digest(token);
        let mut found = None;
        for (known, caller) in &self.tokens {
            if bool::from(known.ct_eq(&presented)) {
                found = Some(caller);
            }
        }
        found.cloned()
    }

    /// The client with this certificate: by its common name, then by its DNS names in their order.
    pub(super) fn by_certificate(&self, names: &Names) -> Option<Caller> {
        let by_common_name = |name: &String| self.certificates.iter().find(|one| one.name == *name);
        let by_dns = |name: &String| {
            self.certificates.iter().find(|one| one.name.eq_ignore_ascii_case(name))
        };
        let found = names.common.iter().find_map(by_common_name);
        found.or_else(|| names.dns.iter().find_map(by_dns)).cloned()
    }

    /// Whether it has no lines.
    pub(super) const fn is_empty(&self) -> bool {
        self.tokens.is_empty() && self.certificates.is_empty()
    }

    /// Whether certificates are of use.
    pub(super) const fn has_certificates(&self) -> bool {
        !self.certificates.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SHA-256 of `abc` and of nothing.
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    const NOTHING: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn a_tokens_file_gives_names_and_roles() {
        let text = format!(
            "# people\n\n  alice\tconfigure {}\r\nbob read {NOTHING}  \ncert:Carol Jones operate\n\
             cert:dave.example.org read\n",
            ABC.to_uppercase()
        );
        let all = Credentials::parse(&text).unwrap();
        assert!(all.has_certificates());
        let caller = |name: &str, role| Some(Caller { name: name.to_owned(), role });
        assert_eq!(all.by_token("abc"), caller("alice", Role::Configure));
        assert_eq!(all.by_token(""), caller("bob", Role::Read));
        for wrong in ["abd", "ab", "abc ", ABC, "alice"] {
            assert_eq!(all.by_token(wrong), None, "{wrong}");
        }
        let names = |common: &[&str], dns: &[&str]| Names {
            common: common.iter().map(|&name| name.to_owned()).collect(),
            dns: dns.iter().map(|&name| name.to_owned()).collect(),
        };
        let (carol, dave) =
            (caller("Carol Jones", Role::Operate), caller("dave.example.org", Role::Read));
        for (common, dns, wanted) in [
            (vec!["Carol Jones"], vec![], &carol),
            (vec!["carol jones"], vec![], &None),
            (vec!["x"], vec!["y", "DAVE.example.org"], &dave),
            (vec!["Carol Jones"], vec!["dave.example.org"], &carol),
            (vec!["alice"], vec!["bob"], &None),
            (vec![], vec!["*.example.org"], &None),
            (vec![], vec![], &None),
        ] {
            let found = all.by_certificate(&names(&common, &dns));
            assert_eq!(&found, wanted, "{common:?} {dns:?}");
        }
    }

    #[test]
    fn wrong_lines_are_named_and_secrets_are_not_repeated() {
        let twice = format!("a read {ABC}\na read {NOTHING}");
        let alike = format!("a read {ABC}\nb read {ABC}");
        let name = format!("a:b read {ABC}");
        let role = format!("a admin {ABC}");
        for (text, line, says) in [
            ("a read", 1, "a line is `NAME ROLE SHA256-HEX`"),
            ("# x\n\na read xelb_0123 x", 3, "a line is"),
            ("a read xelb_0123456789", 1, "the third word is not a SHA-256"),
            ("a read abcd", 1, "the third word is not a SHA-256"),
            (role.as_str(), 1, "`admin` is not a role"),
            (name.as_str(), 1, "`a:b` is not a name"),
            (twice.as_str(), 2, "occurs twice"),
            (alike.as_str(), 2, "occurs twice"),
            ("cert:carol", 1, "a line is"),
            ("cert: read", 1, "a line is"),
            ("cert:carol root", 1, "`root` is not a role"),
            ("cert:c\u{7}l read", 1, "a line is"),
            ("cert:carol read\ncert:carol read", 2, "`cert:carol` occurs twice"),
        ] {
            let error = Credentials::parse(text).unwrap_err().to_string();
            assert!(error.starts_with(&format!("line {line}: ")), "{text:?}: {error}");
            assert!(error.contains(says) && !error.contains("xelb_0"), "{text:?}: {error}");
        }
        for empty in ["", "\n# alice read\n"] {
            assert!(Credentials::parse(empty).unwrap().is_empty(), "{empty:?}");
        }
    }
}
