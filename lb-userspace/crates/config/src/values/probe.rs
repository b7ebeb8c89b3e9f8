//! PURE: single values of health checks, and what is wrong with them.

use super::{Read, text, wrong};
use crate::{
    model::{Matcher, Verify},
    secrets::HIDDEN,
    tree::{Node, Value},
};

/// The protocol of a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProbeKind {
    Tcp,
    Http,
    Https,
    Grpc,
    Udp,
    Icmp,
    Exec,
}

impl ProbeKind {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Http => "http",
            Self::Https => "https",
            Self::Grpc => "grpc",
            Self::Udp => "udp",
            Self::Icmp => "icmp",
            Self::Exec => "exec",
        }
    }
}

pub(crate) fn probe(node: &Node) -> Read<ProbeKind> {
    const ALL: [ProbeKind; 7] = [
        ProbeKind::Tcp,
        ProbeKind::Http,
        ProbeKind::Https,
        ProbeKind::Grpc,
        ProbeKind::Udp,
        ProbeKind::Icmp,
        ProbeKind::Exec,
    ];
    let found = ALL.into_iter().find(|kind| node.as_text() == Some(kind.name()));
    found.ok_or_else(|| wrong(node, "a health check: tcp, http, https, grpc, udp, icmp or exec"))
}

/// A text of at least one and at most so many bytes.
pub(crate) fn short_text(node: &Node, most: usize) -> Read<String> {
    let text = text(node)?;
    if text == HIDDEN {
        return Err(
            "is the placeholder of a secret: get the configuration with the role `configure`"
                .to_owned(),
        );
    }
    if text.is_empty() || text.len() > most {
        return Err(wrong(node, &format!("a text of 1 to {most} bytes; it has {}", text.len())));
    }
    Ok(text)
}

/// Pairs of hexadecimal digits.
pub(crate) fn hex(node: &Node, most: usize) -> Read<Vec<u8>> {
    let wanted =
        format!("1 to {most} bytes as pairs of hexadecimal digits in quotes, such as \"00ff\"");
    let text = node.as_text().ok_or_else(|| wrong(node, &wanted))?;
    let sound = !text.is_empty()
        && text.len().is_multiple_of(2)
        && text.len() <= 2 * most
        && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !sound {
        return Err(wrong(node, &wanted));
    }
    let digits = text.as_bytes().chunks_exact(2);
    let byte = |pair: &[u8]| {
        let digits = str::from_utf8(pair).map_err(|_| wrong(node, &wanted))?;
        u8::from_str_radix(digits, 16).map_err(|_| wrong(node, &wanted))
    };
    digits.map(byte).collect()
}

/// The value of a header `host`: a name or an address, maybe with a port.
pub(crate) fn host(node: &Node) -> Read<String> {
    let host = text(node)?;
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-._:[]".contains(c);
    if host.is_empty() || host.len() > 255 || !host.chars().all(allowed) {
        return Err(wrong(node, "a host, such as www.example.org or www.example.org:8080"));
    }
    Ok(host)
}

/// A DNS name, for SNI.
pub(crate) fn server_name(node: &Node) -> Read<String> {
    let name = text(node)?;
    let sound = matches!(
        rustls_pki_types::ServerName::try_from(name.as_str()),
        Ok(rustls_pki_types::ServerName::DnsName(_))
    );
    if sound { Ok(name) } else { Err(wrong(node, "a DNS name, such as www.example.org")) }
}

/// `false`, `true` or the path of a file.
pub(crate) fn verify(node: &Node) -> Read<Verify> {
    match &node.value {
        Value::Bool(false) => Ok(Verify::None),
        Value::Bool(true) => Ok(Verify::System),
        Value::Text(path) if path.starts_with('/') => Ok(Verify::File(path.into())),
        _ => Err(wrong(
            node,
            "true, false, or the absolute path of a file of certificates (PEM), such as /etc/ssl/ca.pem",
        )),
    }
}

/// `200`, `"200-399"`, `"200,204,300-399"`.
pub(crate) fn matcher(node: &Node) -> Read<Matcher> {
    let wanted = "a matcher such as 200, \"200-399\" or \"200,204\", with codes from 100 to 599";
    codes(node, 100, 599, wanted)
}

/// The same for the codes of gRPC.
pub(crate) fn grpc_matcher(node: &Node) -> Read<Matcher> {
    codes(node, 0, 99, "a matcher such as 0, \"0,12\" or \"0-5\", with gRPC codes from 0 to 99")
}

fn codes(node: &Node, lowest: u16, highest: u16, wanted: &str) -> Read<Matcher> {
    let text = match &node.value {
        Value::Integer(number) => number.to_string(),
        _ => text(node).map_err(|_| wrong(node, wanted))?,
    };
    let code = |text: &str| {
        let text = text.trim();
        let code: u16 =
            text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())??;
        (lowest..=highest).contains(&code).then_some(code)
    };
    let range = |part: &str| match part.split_once('-') {
        Some((low, high)) => Some((code(low)?, code(high)?)).filter(|(low, high)| low <= high),
        None => code(part).map(|code| (code, code)),
    };
    let ranges: Option<Vec<(u16, u16)>> = text.split(',').map(range).collect();
    ranges.map(Matcher).ok_or_else(|| wrong(node, wanted))
}
