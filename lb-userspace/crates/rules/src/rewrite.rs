//! PURE: the transforms of a rule, applied to a request. They come after matching.

use std::borrow::Cow;

use regex::{Regex, RegexBuilder};

use crate::{
    limits,
    request::RequestHead,
    transform::{Rewrite, Transforms},
    url::{self, UrlError},
};

/// The compiled transforms of a rule.
#[derive(Clone, Debug, Default)]
pub struct Rewriter {
    url: Option<(Regex, String)>,
    host: Option<(Regex, String)>,
}

/// What a request has after the transforms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rewritten<'a> {
    /// The path, with `?` and the query if it has one.
    pub url: Cow<'a, str>,
    /// The new host; `None`: `Host` stays as the client sent it, with its port.
    pub host: Option<String>,
}

/// A transform whose result cannot be sent: answer 500, as ALB does.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the transform {transform} gives {result:?}, which cannot be sent: {reason}")]
pub struct RewriteError {
    /// Key of the transform.
    pub transform: &'static str,
    /// What it gives.
    pub result: String,
    /// Why that cannot be sent.
    #[source]
    pub reason: UrlError,
}

impl Rewriter {
    /// Compiles the transforms of a checked rule.
    ///
    /// # Errors
    ///
    /// Those of the `regex` crate; a checked rule has none.
    pub fn new(transforms: &Transforms) -> Result<Self, regex::Error> {
        Ok(Self {
            url: compile(transforms.url.as_ref())?,
            host: compile(transforms.host.as_ref())?,
        })
    }

    /// Applies them. What an expression does not match stays as it is, and is not checked again.
    pub fn apply<'a>(&self, request: &RequestHead<'a>) -> Result<Rewritten<'a>, RewriteError> {
        let url = match request.query {
            Some(query) => Cow::Owned(format!("{}?{query}", request.path)),
            None => Cow::Borrowed(request.path),
        };
        let url = match replaced(self.url.as_ref(), &url) {
            Some(new) => Cow::Owned(checked("url_rewrite", new, url::check_url)?),
            None => url,
        };
        let host = replaced(self.host.as_ref(), &request.bare_host());
        let host = host.map(|new| checked("host_rewrite", new, url::check_host)).transpose()?;
        Ok(Rewritten { url, host })
    }
}

fn compile(rewrite: Option<&Rewrite>) -> Result<Option<(Regex, String)>, regex::Error> {
    let Some(rewrite) = rewrite else { return Ok(None) };
    let regex = RegexBuilder::new(&rewrite.regex).size_limit(limits::REGEX_MEMORY_MAX).build()?;
    Ok(Some((regex, rewrite.replace.clone())))
}

/// The text with the first match replaced; `None` without a match.
fn replaced(rewrite: Option<&(Regex, String)>, text: &str) -> Option<String> {
    let (regex, replace) = rewrite?;
    match regex.replace(text, replace.as_str()) {
        Cow::Owned(new) => Some(new),
        Cow::Borrowed(_) => None,
    }
}

fn checked(
    transform: &'static str,
    result: String,
    check: impl Fn(&str) -> Result<(), UrlError>,
) -> Result<String, RewriteError> {
    match check(&result) {
        Ok(()) => Ok(result),
        Err(reason) => Err(RewriteError { transform, result, reason }),
    }
}
