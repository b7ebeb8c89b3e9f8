//! PURE: the `Location` of a redirect.

use crate::{
    action::{Protocol, Redirect},
    request::RequestHead,
    rule::ListenerEnd,
    template::{self, Part},
    url::{self, UrlError},
};

/// Why there is no `Location`: answer 500.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RedirectError {
    /// It is the URL of the request.
    #[error(
        "the redirect leads to the URL of the request, {0}: a client would never come to an end"
    )]
    Loop(String),
    /// It cannot be sent.
    #[error("the redirect leads to {location:?}, which cannot be sent: {reason}")]
    Url {
        /// Where it leads.
        location: String,
        /// Why that cannot be sent.
        #[source]
        reason: UrlError,
    },
}

/// The parts of a URL.
struct Parts<'a> {
    protocol: Protocol,
    host: &'a str,
    port: u16,
    path: &'a str,
    query: Option<&'a str>,
}

/// The absolute URL for `Location` (RFC 9110, section 10.2.2). Protocol and port of the request are
/// those of the listener; default ports are left out.
///
/// # Errors
///
/// [`RedirectError`].
pub fn location(
    redirect: &Redirect,
    request: &RequestHead<'_>,
    listener: ListenerEnd,
) -> Result<String, RedirectError> {
    let host = request.bare_host();
    let own = Parts {
        protocol: listener.protocol,
        host: &host,
        port: listener.port,
        path: request.path,
        query: request.query,
    };
    let protocol = redirect.protocol.unwrap_or(own.protocol);
    let kept_port = if protocol == own.protocol { own.port } else { protocol.default_port() };
    let new_host = redirect.host.as_ref().map(|host| own.fill(host));
    let new_path = redirect.path.as_ref().map(|path| own.fill(path));
    let new_query = redirect.query.as_ref().map(|query| own.fill(query));
    let new = Parts {
        protocol,
        host: new_host.as_deref().unwrap_or(own.host),
        port: redirect.port.unwrap_or(kept_port),
        path: new_path.as_deref().unwrap_or(own.path),
        query: new_query.as_deref().or(own.query).filter(|query| !query.is_empty()),
    };
    let location = new.url();
    let refuse = |reason| RedirectError::Url { location: location.clone(), reason };
    url::check_host(new.host).map_err(refuse)?;
    url::check_url(&new.path_and_query()).map_err(refuse)?;
    let empty_query = Parts { query: own.query.filter(|query| !query.is_empty()), ..own };
    if location == empty_query.url() {
        return Err(RedirectError::Loop(location));
    }
    Ok(location)
}

impl Parts<'_> {
    /// A template with these parts in it.
    fn fill(&self, template: &str) -> String {
        let mut filled = String::new();
        for part in template::parts(template) {
            match part {
                Part::Text(text) => filled.push_str(text),
                Part::Placeholder("protocol") => filled.push_str(&self.protocol.to_string()),
                Part::Placeholder("host") => filled.push_str(self.host),
                Part::Placeholder("port") => filled.push_str(&self.port.to_string()),
                Part::Placeholder("path") => {
                    filled.push_str(self.path.strip_prefix('/').unwrap_or(self.path));
                }
                Part::Placeholder("query") => filled.push_str(self.query.unwrap_or_default()),
                // `check` has refused others.
                Part::Placeholder(_) => {}
            }
        }
        filled
    }

    fn path_and_query(&self) -> String {
        match self.query {
            Some(query) => format!("{}?{query}", self.path),
            None => self.path.to_owned(),
        }
    }

    fn url(&self) -> String {
        let (protocol, host, rest) = (self.protocol, self.host, self.path_and_query());
        if self.port == protocol.default_port() {
            format!("{protocol}://{host}{rest}")
        } else {
            format!("{protocol}://{host}:{}{rest}", self.port)
        }
    }
}
