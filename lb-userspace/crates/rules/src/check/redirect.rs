//! PURE: whether a redirect can be used.

use super::text;
use crate::{
    action::{Protocol, Redirect},
    error::Problem,
    limits,
    problems::Problems,
    rule::ListenerEnd,
    template::{self, Part},
};

pub(super) fn check(redirect: &Redirect, listener: ListenerEnd, problems: &mut Problems) {
    if !limits::REDIRECT_STATUSES.contains(&redirect.status) {
        let (action, status) = ("redirect", redirect.status);
        let allowed = "301, 302, 303, 307 and 308";
        problems.key("status", |problems| {
            problems.push(Problem::Status { action, status, allowed });
        });
    }
    if listener.protocol == Protocol::Https && redirect.protocol == Some(Protocol::Http) {
        problems.key("protocol", |problems| problems.push(Problem::RedirectToHttp));
    }
    if redirect.port == Some(0) {
        problems.key("port", |problems| problems.push(Problem::Port));
    }
    if let Some(host) = &redirect.host {
        let is_host = |c: char| c.is_ascii_alphanumeric() || "-._[:]".contains(c);
        problems.key("host", |problems| {
            part("redirect host", host, "#{host}", is_host, problems);
            if host.is_empty() {
                problems.push(Problem::Empty { what: "redirect host" });
            }
        });
    }
    if let Some(path) = &redirect.path {
        let is_path = |c: char| c.is_ascii_graphic() && !"#?".contains(c);
        problems.key("path", |problems| {
            if !path.starts_with('/') {
                problems.push(Problem::RedirectPath(path.clone()));
            }
            part("redirect path", path, "#{host}, #{port} and #{path}", is_path, problems);
        });
    }
    if let Some(query) = &redirect.query {
        let allowed = "#{protocol}, #{host}, #{port}, #{path} and #{query}";
        let is_query = |c: char| c.is_ascii_graphic() && c != '#';
        problems.key("query", |problems| {
            part("redirect query", query, allowed, is_query, problems);
        });
    }
    if is_loop(redirect, listener) {
        problems.push(Problem::RedirectLoop);
    }
}

fn part(
    what: &'static str,
    value: &str,
    allowed: &'static str,
    is_allowed: impl Fn(char) -> bool,
    problems: &mut Problems,
) {
    text::length(what, value, limits::REDIRECT_PART_MAX, problems);
    for part in template::parts(value) {
        match part {
            Part::Text(literal) => text::characters(what, literal, &is_allowed, problems),
            Part::Placeholder(name) => {
                let placeholder = format!("#{{{name}}}");
                let whole = value.contains(&placeholder);
                if !whole || !allowed.split([',', ' ']).any(|one| one == placeholder) {
                    let value = value.to_owned();
                    problems.push(Problem::Placeholder { what, value, placeholder, allowed });
                }
            }
        }
    }
}

/// Whether protocol, host, port and path stay as they are. As ALB: another query is not enough,
/// since the next request would match the same rule.
fn is_loop(redirect: &Redirect, listener: ListenerEnd) -> bool {
    let protocol = redirect.protocol.is_none_or(|protocol| protocol == listener.protocol);
    let port = redirect.port.is_none_or(|port| port == listener.port);
    let host = redirect.host.as_deref().is_none_or(|host| host == "#{host}");
    let path = redirect.path.as_deref().is_none_or(|path| path == "/#{path}");
    protocol && port && host && path
}
