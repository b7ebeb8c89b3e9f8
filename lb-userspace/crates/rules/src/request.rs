//! PURE: what rules see of a request. Parsing and normalising are not done here.

use std::{borrow::Cow, net::IpAddr};

/// The head of a request, as the HTTP engine has read and normalised it.
///
/// Matching and forwarding must see one URI: percent-encoded unreserved characters are decoded,
/// other escapes are in upper case, and dot segments are resolved (RFC 3986, section 6.2.2) before
/// this is made.
#[derive(Clone, Copy, Debug)]
pub struct RequestHead<'a> {
    /// The method.
    pub method: &'a str,
    /// The host of the URI or `Host`; upper case, a port and a final dot are allowed.
    pub host: &'a str,
    /// The path, which begins with `/` (`*` for `OPTIONS *`).
    pub path: &'a str,
    /// The query without `?`; `None`: the URI has no `?`.
    pub query: Option<&'a str>,
    /// All header lines in their order.
    pub headers: &'a [Header<'a>],
    /// The peer: of the connection, or of its PROXY header.
    pub peer: IpAddr,
}

/// One header line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header<'a> {
    /// Name, in any case.
    pub name: &'a str,
    /// Value without outer blanks: bytes, since RFC 9110 allows more than ASCII (section 5.5).
    pub value: &'a [u8],
}

impl<'a> RequestHead<'a> {
    /// The values of all lines of a header.
    pub fn header(&self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        let lines = self.headers.iter().filter(move |line| line.name.eq_ignore_ascii_case(name));
        lines.map(|line| line.value)
    }

    /// The parameters of the query: key, and value (empty without `=`).
    pub fn parameters(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        let parameters = self.query.unwrap_or_default().split('&');
        let parameters = parameters.filter(|parameter| !parameter.is_empty());
        parameters.map(|parameter| parameter.split_once('=').unwrap_or((parameter, "")))
    }

    /// The host as rules compare it: [`bare_host`] of `host`.
    #[must_use]
    pub fn bare_host(&self) -> Cow<'a, str> {
        bare_host(self.host)
    }
}

/// A host without port and final dot, in lower case. The brackets of an IPv6 address stay.
#[must_use]
pub fn bare_host(host: &str) -> Cow<'_, str> {
    let end_of_address = host.rfind(']').map_or(0, |bracket| bracket + 1);
    let end = host[end_of_address..].find(':').map_or(host.len(), |colon| end_of_address + colon);
    let bare = &host[..end];
    let bare = bare.strip_suffix('.').unwrap_or(bare);
    if bare.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(bare.to_ascii_lowercase())
    } else {
        Cow::Borrowed(bare)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn a_host_is_compared_without_port_final_dot_and_case() {
        let cases = [
            ("example.com", "example.com"),
            ("EXAMPLE.com:8080", "example.com"),
            ("example.com.", "example.com"),
            ("example.com.:443", "example.com"),
            ("example.com..", "example.com."),
            ("[2001:DB8::1]:443", "[2001:db8::1]"),
            ("[::1]", "[::1]"),
            ("[::1", "["),
            ("]:80", "]"),
            (":80", ""),
            ("", ""),
        ];
        for (host, expected) in cases {
            assert_eq!(bare_host(host), expected, "{host}");
        }
    }

    #[test]
    fn parameters_are_split_at_ampersand_and_first_equals_sign() {
        /// A query; its parameters.
        type Case = (Option<&'static str>, &'static [(&'static str, &'static str)]);
        let cases: &[Case] = &[
            (None, &[]),
            (Some(""), &[]),
            (Some("a"), &[("a", "")]),
            (Some("a=&=b&&c=d=e"), &[("a", ""), ("", "b"), ("c", "d=e")]),
        ];
        for (query, expected) in cases {
            let request = RequestHead {
                method: "GET",
                host: "",
                path: "/",
                query: *query,
                headers: &[],
                peer: Ipv4Addr::LOCALHOST.into(),
            };
            assert_eq!(request.parameters().collect::<Vec<_>>(), *expected, "{query:?}");
        }
    }
}
