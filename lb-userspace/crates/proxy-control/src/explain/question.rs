//! PURE: a question for people's URLs to a listener and the bytes that a client would send.

use std::{net::IpAddr, sync::Arc};

use lb_config::{HttpListener, TlsListener};
use lb_rules::{Protocol, bare_host};
use thiserror::Error;

use super::HttpQuestion;

/// The listeners of a proxy.
#[derive(Clone, Copy, Debug)]
pub struct ServedListeners<'config> {
    /// Those of `http` and `https`, which have rules.
    pub http: &'config [Arc<HttpListener>],
    /// Those of `tls`, which have none.
    pub tls: &'config [Arc<TlsListener>],
}

/// Why a question has no answer.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ExplainHttpError {
    /// The URL.
    #[error("{0:?} is no URL of http or https: for example https://shop.example/order/7")]
    Url(String),
    /// The method.
    #[error("{0:?} is no method: for example GET")]
    Method(String),
    /// A header field.
    #[error("{0:?} is no header field: write NAME: VALUE, for example 'x-canary: 1'")]
    Header(String),
    /// The client's address.
    #[error("{0:?} is no address of a client: for example 198.51.100.7")]
    From(String),
    /// No listener, or several.
    #[error("{0}")]
    Listener(String),
}

/// A URL in its parts.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Url<'text> {
    pub(super) protocol: Protocol,
    pub(super) authority: &'text str,
    pub(super) port: u16,
    /// What the request line has: path and query, without the fragment.
    pub(super) target: &'text str,
}

impl<'text> Url<'text> {
    pub(super) fn parse(text: &'text str) -> Result<Self, ExplainHttpError> {
        Self::parts(text).ok_or_else(|| ExplainHttpError::Url(text.to_owned()))
    }

    fn parts(text: &'text str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        let protocol = match scheme.to_ascii_lowercase().as_str() {
            "http" => Protocol::Http,
            "https" => Protocol::Https,
            _ => return None,
        };
        // A client keeps the fragment for itself (RFC 9110, section 7.1).
        let rest = rest.split('#').next().unwrap_or_default();
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at(end);
        let unsent = |byte: u8| byte.is_ascii_control() || byte == b' ';
        if authority.is_empty() || authority.contains('@') || text.bytes().any(unsent) {
            return None;
        }
        let behind_address = &authority[authority.rfind(']').map_or(0, |end| end + 1)..];
        let port = match behind_address.rsplit_once(':') {
            Some((_, port)) => port.parse().ok()?,
            None => protocol.default_port(),
        };
        Some(Self { protocol, authority, port, target })
    }

    /// The host, if it is an address.
    fn address(&self) -> Option<IpAddr> {
        let host = bare_host(self.authority);
        host.trim_start_matches('[').trim_end_matches(']').parse().ok()
    }
}

/// The listener that gets the request.
pub(super) fn listener<'all>(
    served: &ServedListeners<'all>,
    url: &Url<'_>,
    name: Option<&str>,
) -> Result<&'all HttpListener, ExplainHttpError> {
    let listeners = served.http;
    let is_it = |listener: &&Arc<HttpListener>| match name {
        Some(name) => listener.name == name,
        None => {
            listener.protocol() == url.protocol
                && listener.port == url.port
                && url.address().is_none_or(|address| listener.address.contains(&address))
        }
    };
    let found: Vec<&Arc<HttpListener>> = listeners.iter().filter(is_it).collect();
    if found.is_empty()
        && let Some(tls) = tls_listener(served.tls, url, name)
    {
        let TlsListener { name, address, port, target_group, .. } = tls.as_ref();
        return Err(ExplainHttpError::Listener(format!(
            "listener {name} (tls at {}, port {port}) answers, and knows no requests: it ends TLS, and what \
             is inside goes to target group {target_group} as it is",
            address.addr()
        )));
    }
    let names = |all: &[&Arc<HttpListener>]| {
        let shown = all.iter().map(|one| {
            format!(
                "{} ({} at {}, port {})",
                one.name,
                one.protocol(),
                one.address.addr(),
                one.port
            )
        });
        shown.collect::<Vec<_>>().join(", ")
    };
    let all: Vec<&Arc<HttpListener>> = listeners.iter().collect();
    match (found.as_slice(), name) {
        ([one], _) => Ok(one),
        ([], _) if all.is_empty() => {
            Err(ExplainHttpError::Listener("there are no listeners of http or https".to_owned()))
        }
        ([], Some(name)) => Err(ExplainHttpError::Listener(format!(
            "there is no listener {name} of http or https: there are {}",
            names(&all)
        ))),
        ([], None) => Err(ExplainHttpError::Listener(format!(
            "no listener is for {}://{}: there are {}; name one with `--listener`",
            url.protocol,
            url.authority,
            names(&all)
        ))),
        (several, _) => Err(ExplainHttpError::Listener(format!(
            "several listeners are for {}://{}: {}; name one with `--listener`",
            url.protocol,
            url.authority,
            names(several)
        ))),
    }
}

/// The listener of `tls` that a URL or a name is for.
fn tls_listener<'all>(
    listeners: &'all [Arc<TlsListener>],
    url: &Url<'_>,
    name: Option<&str>,
) -> Option<&'all Arc<TlsListener>> {
    listeners.iter().find(|listener| match name {
        Some(name) => listener.name == name,
        None => {
            url.protocol == Protocol::Https
                && listener.port == url.port
                && url.address().is_none_or(|address| listener.address.contains(&address))
        }
    })
}

/// What a client of HTTP/1.1 sends.
pub(super) fn bytes(question: &HttpQuestion, url: &Url<'_>) -> Result<Vec<u8>, ExplainHttpError> {
    let method = &question.method;
    let is_token = |byte: u8| byte.is_ascii_graphic();
    if method.is_empty() || !method.bytes().all(is_token) {
        return Err(ExplainHttpError::Method(method.clone()));
    }
    let target = match url.target {
        "" => "/".to_owned(),
        query if query.starts_with('?') => format!("/{query}"),
        path => path.to_owned(),
    };
    let mut text = format!("{method} {target} HTTP/1.1\r\n");
    let mut has_host = false;
    for line in &question.headers {
        let (name, value) = line
            .split_once(':')
            .filter(|(name, _)| !name.is_empty() && !line.contains(['\r', '\n', '\0']))
            .ok_or_else(|| ExplainHttpError::Header(line.clone()))?;
        has_host |= name.eq_ignore_ascii_case("host");
        text.extend([name, ": ", value.trim(), "\r\n"]);
    }
    if !has_host {
        text.extend(["Host: ", url.authority, "\r\n"]);
    }
    text.push_str("\r\n");
    Ok(text.into_bytes())
}

/// The client's address.
pub(super) fn client(question: &HttpQuestion) -> Result<IpAddr, ExplainHttpError> {
    let Some(from) = &question.from else { return Ok(IpAddr::from([127, 0, 0, 1])) };
    from.parse().map_err(|_| ExplainHttpError::From(from.clone()))
}
