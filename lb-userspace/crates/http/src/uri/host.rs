//! PURE: the host of a request and its port (RFC 3986, section 3.2; RFC 9110, section 7.2).

use std::net::Ipv6Addr;

use crate::refusal::Refusal;

/// Bytes of a host name, as in DNS.
const NAME_MAX: usize = 253;

/// A host in lower case, without its port and without a final dot.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Host {
    /// The authority to forward: name, and port if there was one.
    authority: String,
    name_len: usize,
    port: Option<u16>,
}

impl Host {
    /// The name that rules match; an IPv6 address stands in brackets, in its shortest form.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.authority[..self.name_len]
    }

    /// The port, if there was one.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// The value of `Host` to forward: the name, and the port if there was one.
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// Whether a value of `Host` names this host and port, in whatever way it is written.
    #[must_use]
    pub fn is_named_by(&self, value: &[u8]) -> bool {
        Self::parse_into(value, None).is_ok_and(|host| host == *self)
    }

    /// Reads `host`, `host:port`, `[address]` or `[address]:port`, into the memory of another host.
    pub(super) fn parse_into(value: &[u8], memory: Option<Self>) -> Result<Self, Refusal> {
        if value.contains(&b'@') {
            return Err(Refusal::UserInfo);
        }
        let mut host = memory.unwrap_or_default();
        host.authority.clear();
        let after_name = if let Some(literal) = value.strip_prefix(b"[") {
            push_ipv6(literal, &mut host.authority)?
        } else {
            push_name(value, &mut host.authority)?
        };
        host.name_len = host.authority.len();
        host.port = match after_name {
            [] | [b':'] => None,
            [b':', digits @ ..] => Some(port(digits).ok_or(Refusal::BadHost)?),
            _ => return Err(Refusal::BadHost),
        };
        if let Some(port) = host.port {
            host.authority.push(':');
            host.authority.push_str(decimal(port, &mut [0; 5]));
        }
        Ok(host)
    }
}

/// Appends the address of `address]...` and gives what follows the bracket.
fn push_ipv6<'value>(literal: &'value [u8], out: &mut String) -> Result<&'value [u8], Refusal> {
    use std::fmt::Write as _;
    let end = memchr::memchr(b']', literal).ok_or(Refusal::BadHost)?;
    let (address, rest) = literal.split_at(end);
    let address = std::str::from_utf8(address).map_err(|_| Refusal::BadHost)?;
    let address: Ipv6Addr = address.parse().map_err(|_| Refusal::BadHost)?;
    // Writing to a string cannot fail.
    write!(out, "[{address}]").map_err(|_| Refusal::BadHost)?;
    Ok(&rest[1..])
}

/// Appends the name at the start and gives what follows it.
fn push_name<'value>(value: &'value [u8], out: &mut String) -> Result<&'value [u8], Refusal> {
    let end = memchr::memchr(b':', value).unwrap_or(value.len());
    let (name, rest) = value.split_at(end);
    let name = name.strip_suffix(b".").unwrap_or(name);
    // Names with underscores are no host names, but are used.
    let is_name_byte = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_".contains(byte);
    let is_label = |label: &[u8]| !label.is_empty() && label.iter().all(is_name_byte);
    if name.len() > NAME_MAX || !name.split(|byte| *byte == b'.').all(is_label) {
        return Err(Refusal::BadHost);
    }
    out.extend(name.iter().map(|byte| char::from(byte.to_ascii_lowercase())));
    Ok(rest)
}

fn port(digits: &[u8]) -> Option<u16> {
    let number = digits.iter().try_fold(0_u16, |number, digit| {
        let digit = digit.is_ascii_digit().then(|| u16::from(digit - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })?;
    (number > 0).then_some(number)
}

/// Decimal digits without an allocation.
fn decimal(mut number: u16, digits: &mut [u8; 5]) -> &str {
    let mut start = digits.len();
    while number > 0 && start > 0 {
        start -= 1;
        // A digit is below 10.
        digits[start] = b'0' + u8::try_from(number % 10).unwrap_or(0);
        number /= 10;
    }
    std::str::from_utf8(&digits[start..]).unwrap_or_default()
}
