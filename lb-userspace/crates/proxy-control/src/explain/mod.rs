//! PURE: what becomes of a request: the rules that are tried, and what follows from the one that matches. It
//! reads the request with the engine of the proxy and asks the same index; it sends nothing.

mod forward;
mod question;
#[cfg(test)]
mod tests;
mod view;

use std::{net::IpAddr, sync::Arc};

use lb_config::{HttpTargetGroup, TargetKey};
use lb_http::{
    connection::{Event, ServerConnection},
    head::Head,
    uri::{Uri, UriPolicy},
};
use lb_rules::{
    Action, Header, HeaderChange, Index, Match, RequestHead, Rewriter, Rule, explain as try_rules,
    location,
};

pub use question::{ExplainHttpError, ServedListeners};
pub use view::{ExplainedGroup, ExplainedTarget, HttpExplainView, HttpQuestion, TriedRule};

use crate::listeners;

/// What is known of a target: its state, and its part of the requests to its group.
#[derive(Clone, Debug, PartialEq)]
pub struct KnownTarget {
    /// `initial`, `healthy`, `unhealthy` or `draining`.
    pub state: String,
    /// 0 to 1.
    pub share: f64,
}

/// Says what becomes of a request. `known` is what an agent knows of a target.
///
/// # Errors
///
/// The question is wrong, or no listener alone is for it.
pub fn explain_http(
    served: &ServedListeners<'_>,
    groups: &[Arc<HttpTargetGroup>],
    known: impl Fn(&TargetKey) -> Option<KnownTarget>,
    question: &HttpQuestion,
) -> Result<HttpExplainView, ExplainHttpError> {
    let url = question::Url::parse(&question.url)?;
    let from = question::client(question)?.to_canonical();
    let bytes = question::bytes(question, &url)?;
    let listener = question::listener(served, &url, question.listener.as_deref())?;
    let rules = listeners::rules(listener).map_err(ExplainHttpError::Listener)?;
    let mut view = HttpExplainView {
        listener: listener.name.clone(),
        method: question.method.clone(),
        from: from.to_string(),
        ..HttpExplainView::default()
    };
    let options = listeners::attributes(&listener.attributes, false).http;
    let mut connection = ServerConnection::new(options);
    match connection.read(&bytes).event {
        Event::Head => {}
        Event::Refused { reason, status } => {
            view.refused = Some(reason.as_str().to_owned());
            view.status = Some(status);
            return Ok(view);
        }
        // The bytes are a whole head.
        other => return Err(ExplainHttpError::Listener(format!("the request is {other:?}"))),
    }
    let headers = fields(connection.head());
    let request = request_head(&connection, &headers, from);
    let known: &dyn Fn(&TargetKey) -> Option<KnownTarget> = &known;
    follow(&mut view, &rules, &request, &Backends { groups, known, policy: options.uri_policy });
    Ok(view)
}

/// The groups of the configuration, and what is known of their targets.
struct Backends<'config> {
    groups: &'config [Arc<HttpTargetGroup>],
    known: &'config dyn Fn(&TargetKey) -> Option<KnownTarget>,
    policy: UriPolicy,
}

fn fields(head: &Head) -> Vec<Header<'_>> {
    head.fields()
        .map(|field| Header {
            name: str::from_utf8(field.name).unwrap_or_default(),
            value: field.value,
        })
        .collect()
}

/// What rules see of the request.
fn request_head<'request>(
    connection: &'request ServerConnection,
    headers: &'request [Header<'request>],
    peer: IpAddr,
) -> RequestHead<'request> {
    let uri = connection.uri();
    RequestHead {
        method: str::from_utf8(connection.head().method()).unwrap_or_default(),
        host: uri.host().map_or("", |host| host.name()),
        path: uri.path(),
        query: uri.query(),
        headers,
        peer,
    }
}

/// Tries the rules, and says what the one that matches does.
fn follow(
    view: &mut HttpExplainView,
    rules: &Index,
    request: &RequestHead<'_>,
    groups: &Backends<'_>,
) {
    view.host = request.bare_host().into_owned();
    request.path.clone_into(&mut view.path);
    view.query = request.query.map(str::to_owned);
    let explanation = try_rules(rules.rules(), request);
    view.tried = explanation
        .tried
        .iter()
        .map(|tried| TriedRule {
            rule: tried.rule.to_owned(),
            priority: tried.priority,
            failed: tried.failed.as_ref().map(ToString::to_string),
        })
        .collect();
    let found = rules.find(request);
    let place = match found {
        Match::Rule { place, .. } => Some(place),
        Match::Default(_) => None,
    };
    if place != explanation.matched {
        view.notes.push(
            "the index of the proxy and the rules one by one differ: this is a fault of xelb, report \
             it with the configuration and this request"
                .to_owned(),
        );
    }
    let rule = match found {
        Match::Rule { rule, .. } => Some(rule),
        Match::Default(_) => None,
    };
    view.rule = Some(rule.map_or_else(|| "default".to_owned(), |rule| rule.name.clone()));
    if let Some(rule) = rule {
        view.headers = header_changes(rule);
    }
    let Some(action) = found.action() else { return };
    match action {
        Action::Forward(forward) => {
            view.action = Some("forward".to_owned());
            if let Some(rule) = rule {
                transforms(view, rule, request, groups.policy);
            }
            if view.refused.is_none() {
                forward::targets(view, forward, request, groups);
            }
        }
        Action::Redirect(redirect) => {
            view.action = Some("redirect".to_owned());
            match location(redirect, request, rules.rules().listener()) {
                Ok(url) => (view.status, view.location) = (Some(redirect.status), Some(url)),
                Err(error) => (view.status, view.refused) = (Some(500), Some(error.to_string())),
            }
        }
        Action::FixedResponse(fixed) => {
            view.action = Some("fixed_response".to_owned());
            view.status = Some(fixed.status);
        }
    }
}

/// What the transforms of a rule make of a request. The result is normalised again.
fn transforms(
    view: &mut HttpExplainView,
    rule: &Rule,
    request: &RequestHead<'_>,
    policy: UriPolicy,
) {
    let Ok(rewriter) = Rewriter::new(&rule.transforms) else { return };
    let mut uri = Uri::default();
    let rewritten = rewriter.apply(request).map_err(|error| error.to_string());
    let rewritten =
        rewritten.and_then(|rewritten| match uri.set_path_and_query(&rewritten.url, policy) {
            Err(refusal) if rewritten.url != "*" => Err(format!(
                "the transform url_rewrite gives {:?}, which is refused: {}",
                rewritten.url,
                refusal.as_str()
            )),
            _ => Ok(rewritten),
        });
    let rewritten = match rewritten {
        Ok(rewritten) => rewritten,
        Err(why) => {
            (view.status, view.refused) = (Some(500), Some(why));
            return;
        }
    };
    if rule.transforms.url.is_some() {
        let before = match request.query {
            Some(query) => format!("{}?{query}", request.path),
            None => request.path.to_owned(),
        };
        view.transforms.push(if rewritten.url == before {
            format!("url_rewrite changes nothing: the target gets {before}")
        } else {
            format!("url_rewrite: {before} becomes {}", uri.path_and_query())
        });
    }
    if rule.transforms.host.is_some() {
        let host = request.bare_host();
        view.transforms.push(match rewritten.host {
            Some(new) => format!("host_rewrite: {host} becomes {new}"),
            None => format!("host_rewrite changes nothing: the target gets {host}"),
        });
    }
}

fn header_changes(rule: &Rule) -> Vec<String> {
    let sides = [("request", &rule.headers.request), ("response", &rule.headers.response)];
    let shown = |side: &str, change: &HeaderChange| match change {
        HeaderChange::Set { name, value } => format!("{side}: set {name}: {value}"),
        HeaderChange::Add { name, value } => format!("{side}: add {name}: {value}"),
        HeaderChange::Remove { name } => format!("{side}: remove {name}"),
    };
    sides.iter().flat_map(|(side, all)| all.iter().map(|one| shown(side, one))).collect()
}
