//! PURE: one view of the URI, which rules match and targets get (RFC 9110, section 4; RFC 3986, section 6.2.2).
//!
//! Normalising what is normal changes nothing. The path of a request cannot mean one thing to a rule and another
//! thing to the target.

mod host;
mod path;
mod policy;
mod query;
#[cfg(test)]
mod tests;

pub use host::Host;
pub use policy::{
    BackslashPolicy, DoubleSlashPolicy, EncodedSlashPolicy, SemicolonPolicy, UriPolicy,
};

use crate::{
    desync::{Finding, Findings},
    field_name::FieldName,
    head::Head,
    refusal::Refusal,
};

/// The normalised URI of a request. It is used again for the next one, and allocates nothing then.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Uri {
    /// Path, and `?` with the query if there is one.
    text: String,
    path_len: usize,
    host: Option<Host>,
}

impl Uri {
    /// The path; begins with `/`, except for `*` of `OPTIONS *`.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.text[..self.path_len]
    }

    /// What follows `?`.
    #[must_use]
    pub fn query(&self) -> Option<&str> {
        self.text[self.path_len..].strip_prefix('?')
    }

    /// The request target to forward, in origin-form or asterisk-form.
    #[must_use]
    pub fn path_and_query(&self) -> &str {
        &self.text
    }

    /// The host; only requests of HTTP/1.0 may have none.
    #[must_use]
    pub fn host(&self) -> Option<&Host> {
        self.host.as_ref()
    }

    /// Reads target and `Host` of a request.
    ///
    /// The authority of a target in absolute-form replaces `Host` (RFC 9112, section 3.2.2).
    pub fn read(&mut self, head: &Head, policy: UriPolicy) -> Result<Findings, Refusal> {
        let target = head.target();
        refuse_forbidden_bytes(target)?;
        let mut findings = Findings::default();
        let field = head.values(FieldName::Host).next();
        let field_host =
            field.map(|value| Host::parse_into(value, self.host.take())).transpose()?;
        let (authority, rest) = split(target)?;
        let is_options = head.method() == b"OPTIONS";
        self.host = match authority {
            None => field_host,
            Some(authority) => {
                let host = Host::parse_into(authority, None)?;
                if field_host.is_some_and(|from_field| from_field != host) {
                    findings.add(Finding::HostMismatch);
                }
                Some(host)
            }
        };
        let is_server_wide = rest == b"*" || authority.is_some() && rest.is_empty();
        if is_options && is_server_wide {
            self.text.clear();
            self.text.push('*');
            self.path_len = 1;
            return Ok(findings);
        }
        findings.extend(self.set(rest, policy)?);
        Ok(findings)
    }

    /// Replaces path and query, after a rewrite; they are normalised again.
    pub fn set_path_and_query(
        &mut self,
        target: &str,
        policy: UriPolicy,
    ) -> Result<Findings, Refusal> {
        refuse_forbidden_bytes(target.as_bytes())?;
        self.set(target.as_bytes(), policy)
    }

    /// Replaces the host, after a rewrite.
    pub fn set_host(&mut self, authority: &str) -> Result<(), Refusal> {
        self.host = Some(Host::parse_into(authority.as_bytes(), self.host.take())?);
        Ok(())
    }

    fn set(&mut self, target: &[u8], policy: UriPolicy) -> Result<Findings, Refusal> {
        let path_end = memchr::memchr(b'?', target).unwrap_or(target.len());
        let (path, query) = target.split_at(path_end);
        let mut findings = Findings::default();
        self.text.clear();
        // Nothing but an absolute-form can leave the path out.
        let path = if path.is_empty() { b"/" } else { path };
        if path[0] != b'/' {
            return Err(Refusal::BadTarget);
        }
        let is_compliant = path::normalise(path, policy, &mut self.text)?;
        self.path_len = self.text.len();
        if !query::normalise(query, &mut self.text) || !is_compliant {
            findings.add(Finding::NonCompliantTarget);
        }
        Ok(findings)
    }
}

/// Refuses bytes that no part of a target may have.
fn refuse_forbidden_bytes(target: &[u8]) -> Result<(), Refusal> {
    if target.iter().any(|byte| byte.is_ascii_control() || *byte == b' ') {
        return Err(Refusal::ControlInTarget);
    }
    if memchr::memchr(b'#', target).is_some() {
        return Err(Refusal::FragmentInTarget);
    }
    Ok(())
}

/// The authority of a target in absolute-form, and its path with query.
fn split(target: &[u8]) -> Result<(Option<&[u8]>, &[u8]), Refusal> {
    if target.starts_with(b"/") || target == b"*" {
        return Ok((None, target));
    }
    let has_scheme = |scheme: &str| {
        target
            .get(..scheme.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(scheme.as_bytes()))
    };
    let scheme = ["http://", "https://"].into_iter().find(|scheme| has_scheme(scheme));
    let Some(scheme) = scheme else { return Err(Refusal::BadTarget) };
    let rest = &target[scheme.len()..];
    let end = rest.iter().position(|byte| matches!(byte, b'/' | b'?')).unwrap_or(rest.len());
    let (authority, rest) = rest.split_at(end);
    Ok((Some(authority), rest))
}
