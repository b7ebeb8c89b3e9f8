//! PURE: reading `Cookie` and writing `Set-Cookie` (RFC 6265, sections 4.1 and 5.4).

use std::time::Duration;

use super::keys::ScopeKind;

/// Names that begin so are the load balancer's, as ALB's `AWSALB`, `AWSALBAPP`, `AWSALBTG`, and
/// those with `CORS` behind them.
const RESERVED_PREFIX: &str = "AWSALB";
/// Name of an application's cookie.
const NAME_MAX: usize = 256;
/// Cookies of one name that are tried: clients keep one for each path and domain.
const SAME_NAME_MAX: usize = 4;

/// Why a name cannot be that of an application's cookie.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CookieNameError {
    /// It is one of the load balancer's.
    #[error(
        "cookie name {0:?} begins with AWSALB, which is reserved for xelb: name another cookie"
    )]
    Reserved(String),
    /// Not a token.
    #[error(
        "cookie name {0:?} is empty, too long, or has a character that no name has: correct it"
    )]
    Malformed(String),
}

/// Whether an application's cookie may have this name.
///
/// # Errors
///
/// [`CookieNameError`].
pub fn check_app_cookie_name(name: &str) -> Result<(), CookieNameError> {
    let prefix = name.get(..RESERVED_PREFIX.len());
    if prefix.is_some_and(|prefix| prefix.eq_ignore_ascii_case(RESERVED_PREFIX)) {
        return Err(CookieNameError::Reserved(name.to_owned()));
    }
    let is_token = |byte: u8| byte.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?={}".contains(&byte);
    if name.is_empty() || name.len() > NAME_MAX || !name.bytes().all(is_token) {
        return Err(CookieNameError::Malformed(name.to_owned()));
    }
    Ok(())
}

/// The cookie's name, by kind.
#[must_use]
pub const fn name(kind: ScopeKind) -> &'static str {
    match kind {
        ScopeKind::LbCookie => "AWSALB",
        ScopeKind::AppCookie => "AWSALBAPP",
        ScopeKind::TargetGroup => "AWSALBTG",
    }
}

/// On which requests from other sites a browser sends the cookie.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SameSite {
    /// Only on links to here.
    #[default]
    Lax,
    /// On none.
    Strict,
    /// On all. Browsers want `Secure` for that; without TLS the cookie becomes `Lax`.
    None,
}

/// Attributes of the cookies of a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attributes {
    /// Whether the listener has TLS: the cookie is `Secure` then.
    pub tls: bool,
    /// `SameSite`.
    pub same_site: SameSite,
}

/// The value of a `Set-Cookie` header.
pub(super) fn set_cookie(name: &str, value: &str, age: Duration, attributes: Attributes) -> String {
    let same_site = match (attributes.same_site, attributes.tls) {
        (SameSite::Strict, _) => "Strict",
        (SameSite::None, true) => "None; Secure",
        (SameSite::Lax, true) => "Lax; Secure",
        (SameSite::Lax | SameSite::None, false) => "Lax",
    };
    let secure =
        if attributes.tls && attributes.same_site == SameSite::Strict { "; Secure" } else { "" };
    let seconds = age.as_secs();
    format!("{name}={value}; Max-Age={seconds}; Path=/; HttpOnly; SameSite={same_site}{secure}")
}

/// The values of a cookie in the lines of `Cookie`. Names are compared with case.
pub(super) fn values<'a>(lines: &'a [&'a [u8]], name: &str) -> impl Iterator<Item = &'a [u8]> {
    let pairs = lines.iter().flat_map(|line| line.split(|byte| *byte == b';'));
    let value = move |pair: &'a [u8]| {
        let pair = pair.trim_ascii();
        pair.strip_prefix(name.as_bytes()).and_then(|rest| rest.strip_prefix(b"="))
    };
    pairs.filter_map(value).take(SAME_NAME_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_are_found_by_their_whole_name() {
        let cases: &[(&[&str], &[&str])] = &[
            (&[], &[]),
            (&["AWSALB=x"], &["x"]),
            (&["a=1; AWSALB=x; b=2"], &["x"]),
            (&["a=1;AWSALB=x", "AWSALB=y=z "], &["x", "y=z"]),
            (&["AWSALBTG=x; xAWSALB=y; awsalb=z; AWSALB"], &[]),
            (&["AWSALB="], &[""]),
            (&["AWSALB=1;AWSALB=2;AWSALB=3;AWSALB=4;AWSALB=5"], &["1", "2", "3", "4"]),
        ];
        for (lines, expected) in cases {
            let lines: Vec<&[u8]> = lines.iter().map(|line| line.as_bytes()).collect();
            let found: Vec<_> =
                values(&lines, "AWSALB").map(|v| str::from_utf8(v).unwrap()).collect();
            assert_eq!(found, *expected);
        }
    }

    #[test]
    fn set_cookie_is_secure_with_tls() {
        let cases = [
            (true, SameSite::Lax, "SameSite=Lax; Secure"),
            (true, SameSite::Strict, "SameSite=Strict; Secure"),
            (true, SameSite::None, "SameSite=None; Secure"),
            (false, SameSite::Lax, "SameSite=Lax"),
            (false, SameSite::Strict, "SameSite=Strict"),
            (false, SameSite::None, "SameSite=Lax"),
        ];
        for (tls, same_site, expected) in cases {
            let attributes = Attributes { tls, same_site };
            let found = set_cookie("AWSALB", "v", Duration::from_mins(1), attributes);
            assert_eq!(found, format!("AWSALB=v; Max-Age=60; Path=/; HttpOnly; {expected}"));
        }
    }

    #[test]
    fn names_of_the_load_balancer_are_reserved() {
        for name in ["AWSALB", "AWSALBAPP", "AWSALBTG", "AWSALBTGCORS", "awsalb", "AwsAlbX"] {
            assert_eq!(
                check_app_cookie_name(name),
                Err(CookieNameError::Reserved(name.to_owned()))
            );
        }
        for name in ["", "a b", "a=b", "a;b", "\u{e9}", &"x".repeat(257)] {
            let expected = Err(CookieNameError::Malformed(name.to_owned()));
            assert_eq!(check_app_cookie_name(name), expected);
        }
        for name in ["JSESSIONID", "sid", "AWS", "__Host-id"] {
            assert_eq!(check_app_cookie_name(name), Ok(()));
        }
    }
}
