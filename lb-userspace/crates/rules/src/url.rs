//! PURE: whether a URL or host that a rule has made may be sent. Normalising what clients send is
//! done by the HTTP engine.

use crate::limits;

/// Why a URL or host cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// It does not begin with `/`.
    #[error("the path does not begin with /")]
    NotAbsolute,
    /// A control character, blank, or byte outside ASCII.
    #[error("it has the byte {0:#04x}, which must be percent-encoded")]
    Byte(u8),
    /// A `#`: the fragment never goes to a server.
    #[error("it has a fragment (#)")]
    Fragment,
    /// `%` without two hexadecimal digits, or an encoded control character such as `%00`.
    #[error("it has a percent-encoding that is not valid, or that hides a control character")]
    Escape,
    /// `.` or `..` as a segment, encoded or not: it would leave the place that the rule names.
    #[error("its path has a segment . or ..")]
    DotSegment,
    /// Longer than a request line may be.
    #[error("it is longer than {max} bytes", max = limits::URL_MAX)]
    TooLong,
    /// Not a host with an optional port.
    #[error("the host is empty, too long, or has a character that no host has")]
    Host,
}

/// Checks `path` or `path?query`.
///
/// # Errors
///
/// The first fault: RFC 3986, sections 2.1, 3.3 and 5.2.4, and `%00` to `%1F` and `%7F`.
pub fn check_url(url: &str) -> Result<(), UrlError> {
    if url.len() > limits::URL_MAX {
        return Err(UrlError::TooLong);
    }
    if !url.starts_with('/') {
        return Err(UrlError::NotAbsolute);
    }
    let bytes = url.as_bytes();
    for (place, byte) in bytes.iter().enumerate() {
        match byte {
            b'#' => return Err(UrlError::Fragment),
            b'%' => match decoded(bytes.get(place + 1..place + 3)) {
                Some(byte) if !byte.is_ascii_control() => {}
                _ => return Err(UrlError::Escape),
            },
            byte if !byte.is_ascii_graphic() => return Err(UrlError::Byte(*byte)),
            _ => {}
        }
    }
    let path = url.split('?').next().unwrap_or_default();
    if path.split('/').any(is_dot_segment) { Err(UrlError::DotSegment) } else { Ok(()) }
}

/// Checks a host with an optional port.
///
/// # Errors
///
/// [`UrlError::Host`].
pub fn check_host(host: &str) -> Result<(), UrlError> {
    let bracket = host.starts_with('[');
    let (name, rest) = match host.strip_prefix('[').and_then(|inner| inner.split_once(']')) {
        Some((address, rest)) => (address, rest),
        None if bracket => return Err(UrlError::Host),
        None => host.split_at(host.find(':').unwrap_or(host.len())),
    };
    let is_name = if bracket {
        name.parse::<std::net::Ipv6Addr>().is_ok()
    } else {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        !name.is_empty() && name.len() <= limits::HOST_MAX && name.bytes().all(allowed)
    };
    let is_port = match rest.strip_prefix(':') {
        Some(port) => {
            port.bytes().all(|byte| byte.is_ascii_digit())
                && port.parse::<u16>().is_ok_and(|p| p > 0)
        }
        None => rest.is_empty(),
    };
    if is_name && is_port { Ok(()) } else { Err(UrlError::Host) }
}

/// The byte that two hexadecimal digits stand for.
fn decoded(digits: Option<&[u8]>) -> Option<u8> {
    let [high, low] = digits? else { return None };
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}

fn is_dot_segment(segment: &str) -> bool {
    // What follows `;` is a parameter to some servers: `..;` leaves the folder there.
    let segment = segment.split(';').next().unwrap_or_default();
    if segment.len() > 6 {
        return false;
    }
    let plain = segment.to_ascii_lowercase().replace("%2e", ".");
    plain == "." || plain == ".."
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_that_hide_something_are_refused() {
        let long = format!("/{}", "a".repeat(limits::URL_MAX));
        let cases = [
            ("/", Ok(())),
            ("/a%20b/...;x?q=/../%2e%2e#".trim_end_matches('#'), Ok(())),
            ("/a%2Fb//c", Ok(())),
            ("", Err(UrlError::NotAbsolute)),
            ("a/b", Err(UrlError::NotAbsolute)),
            ("?a", Err(UrlError::NotAbsolute)),
            ("/a b", Err(UrlError::Byte(b' '))),
            ("/a\r\nx: y", Err(UrlError::Byte(b'\r'))),
            ("/\u{e9}", Err(UrlError::Byte(0xc3))),
            ("/a#b", Err(UrlError::Fragment)),
            ("/a%00", Err(UrlError::Escape)),
            ("/a?b=%0d", Err(UrlError::Escape)),
            ("/%7f", Err(UrlError::Escape)),
            ("/%", Err(UrlError::Escape)),
            ("/%2", Err(UrlError::Escape)),
            ("/%zz", Err(UrlError::Escape)),
            ("/%+1", Err(UrlError::Escape)),
            ("/a/../b", Err(UrlError::DotSegment)),
            ("/a/.%2E", Err(UrlError::DotSegment)),
            ("/.", Err(UrlError::DotSegment)),
            ("/a/..;x/b", Err(UrlError::DotSegment)),
            (long.as_str(), Err(UrlError::TooLong)),
        ];
        for (url, expected) in cases {
            assert_eq!(check_url(url), expected, "{url}");
        }
    }

    #[test]
    fn hosts_are_names_or_addresses_with_a_port() {
        let valid = ["a", "a-b.c_d.com", "10.0.0.1:80", "[::1]", "[2001:db8::1]:443"];
        let invalid = [
            "", ":80", "a:", "a:0", "a:65536", "a:+1", "a b", "a/b", "a@b", "[::1", "[]", "[x]:1",
            "[::1]x",
        ];
        assert!(valid.iter().all(|host| check_host(host).is_ok()));
        for host in invalid {
            assert_eq!(check_host(host), Err(UrlError::Host), "{host}");
        }
    }
}
