//! What a DNS name is.

use rustls_pki_types::ServerName;

/// A DNS name, in lower case and without its final dot.
pub(crate) fn dns_name(text: &str) -> Option<String> {
    match ServerName::try_from(text) {
        Ok(ServerName::DnsName(name)) => {
            Some(name.as_ref().trim_end_matches('.').to_ascii_lowercase())
        }
        _ => None,
    }
}
