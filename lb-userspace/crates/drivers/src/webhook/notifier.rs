//! An HTTP server that is told what has happened: a POST, of which only the status counts. It is no driver,
//! and has no redirects and no HTTP/2.

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, uri::PathAndQuery};
use lb_members::{CallError, ErrorClass};
use rustls::ClientConfig;

use super::{
    WebhookError,
    exchange::{Message, Server},
    failure, server, signature,
};

/// Header fields of a file.
const FIELDS_MAX: usize = 32;
/// Header fields that the client sets itself.
const RESERVED: [&str; 6] = [
    "host",
    "connection",
    "content-length",
    "content-type",
    "transfer-encoding",
    "idempotency-key",
];

/// The server.
pub struct WebhookNotifier {
    server: Server,
    path: PathAndQuery,
    secret: Option<Vec<u8>>,
    headers: HeaderMap,
}

impl WebhookNotifier {
    /// The server at a URL. With a secret, requests are signed as those of drivers are; `tls` says which
    /// certificates to trust.
    pub fn new(
        url: &str,
        secret: Option<Vec<u8>>,
        headers: HeaderMap,
        tls: Arc<ClientConfig>,
    ) -> Result<Self, String> {
        let uri: Uri = url.parse().map_err(|error| format!("{url}: {error}"))?;
        let (server, path) = server(&uri, tls).map_err(|error: WebhookError| error.to_string())?;
        Ok(Self { server, path, secret, headers })
    }

    /// Sends a body of JSON, once. The key is that of the body, also when it is sent again.
    pub async fn post(&self, body: Vec<u8>, key: &str) -> Result<(), NotifyError> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let secret = self.secret.as_deref();
        let signature = secret.map(|secret| signature::sign(secret, now, &body));
        let message = Message {
            method: Method::POST,
            path: self.path.clone(),
            body,
            key: key.to_owned(),
            signature,
            headers: self.headers.clone(),
        };
        let response = self.server.exchange(&message).await?;
        if response.status.is_success() { Ok(()) } else { Err(failure(response.status).into()) }
    }
}

/// Why a server was not told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotifyError {
    /// For people.
    pub message: String,
    /// Whether another try may help.
    pub is_transient: bool,
}

impl From<CallError> for NotifyError {
    fn from(error: CallError) -> Self {
        Self { message: error.message, is_transient: error.class == ErrorClass::Transient }
    }
}

/// The header fields in a text, a line each: `NAME: VALUE`. Empty lines and lines with `#` at their start
/// are comments. Errors do not repeat values, which are secrets.
pub fn header_fields(text: &str) -> Result<HeaderMap, String> {
    let mut fields = HeaderMap::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let wrong = |what: &str| format!("line {number}: {what}; write `NAME: VALUE`");
        let (name, value) = line.split_once(':').ok_or_else(|| wrong("there is no colon"))?;
        let name: HeaderName =
            name.trim().parse().map_err(|_| wrong("this is not the name of a header field"))?;
        if RESERVED.contains(&name.as_str()) {
            return Err(format!("line {number}: {name} is set by xelb itself; remove the line"));
        }
        let mut value: HeaderValue =
            value.trim().parse().map_err(|_| wrong("this is not the value of a header field"))?;
        value.set_sensitive(true);
        fields.append(name, value);
        if fields.len() > FIELDS_MAX {
            return Err(format!("has more than {FIELDS_MAX} header fields"));
        }
    }
    Ok(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_fields_are_lines() {
        let fields =
            header_fields("# of the chat\n\nAuthorization: Bearer a:b \nx-team: net\n").unwrap();
        assert_eq!(fields["authorization"], "Bearer a:b");
        assert_eq!((fields.len(), &fields["x-team"]), (2, &HeaderValue::from_static("net")));
        for (text, said) in [
            ("secret", "line 1: there is no colon; write `NAME: VALUE`"),
            ("a b: c", "line 1: this is not the name of a header field; write `NAME: VALUE`"),
            ("\na: \u{1}", "line 2: this is not the value of a header field; write `NAME: VALUE`"),
            ("Host: x", "line 1: host is set by xelb itself; remove the line"),
        ] {
            assert_eq!(header_fields(text).unwrap_err(), said);
        }
        let many = "a: b\n".repeat(FIELDS_MAX + 1);
        assert_eq!(header_fields(&many).unwrap_err(), "has more than 32 header fields");
    }
}
