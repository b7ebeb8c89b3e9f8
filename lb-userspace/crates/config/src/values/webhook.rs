//! URLs of webhooks, and of servers of metrics.

use super::text;
use crate::{error::brief, tree::Node};

/// A URL that is called with secrets: of https, or of http with a loopback address. Whether its host makes
/// sense is known to who calls it.
pub(crate) fn webhook_url(node: &Node, example: &str) -> Result<String, String> {
    let text = text(node)?;
    let rest = text.strip_prefix("https://").or_else(|| {
        let rest = text.strip_prefix("http://")?;
        let host = rest.split(['/', '?']).next().unwrap_or_default();
        let is_loopback = host == "[::1]"
            || host.starts_with("[::1]:")
            || host.split(':').next().is_some_and(|host| host.starts_with("127."));
        is_loopback.then_some(rest)
    });
    let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#');
    match rest {
        Some(rest) if is_plain && !rest.is_empty() && !rest.starts_with('/') => Ok(text),
        _ => Err(format!(
            "`{}` is not a URL of a webhook: https, or http with a loopback address, such as {example}",
            brief(&text)
        )),
    }
}

/// The URL of a Prometheus server, to which the path of its API is added.
pub(crate) fn prometheus_url(node: &Node) -> Result<String, String> {
    let text = text(node)?;
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic() && !b"#?".contains(&byte));
    match rest {
        Some(rest) if is_plain && !rest.is_empty() && !rest.starts_with('/') => Ok(text),
        _ => Err(format!(
            "`{}` is not the URL of a Prometheus server, such as http://127.0.0.1:9090",
            brief(&text)
        )),
    }
}
