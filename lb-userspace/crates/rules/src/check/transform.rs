//! PURE: whether the transforms of a rule can be used.

use regex::{Regex, RegexBuilder};

use super::text;
use crate::{
    error::Problem,
    limits,
    transform::{Rewrite, Transforms},
};

pub(super) fn check(transforms: &Transforms, problems: &mut Vec<Problem>) {
    if let Some(url) = &transforms.url {
        rewrite("url_rewrite", url, problems);
    }
    if let Some(host) = &transforms.host {
        rewrite("host_rewrite", host, problems);
    }
}

fn rewrite(what: &'static str, rewrite: &Rewrite, problems: &mut Vec<Problem>) {
    text::size(what, &rewrite.regex, limits::TRANSFORM_MAX, problems);
    text::length("replacement", &rewrite.replace, limits::TRANSFORM_MAX, problems);
    text::characters("replacement", &rewrite.replace, |c| c.is_ascii_graphic(), problems);
    match RegexBuilder::new(&rewrite.regex).size_limit(limits::REGEX_MEMORY_MAX).build() {
        Ok(regex) => groups(&regex, rewrite, problems),
        Err(error) => {
            let (regex, reason) = (rewrite.regex.clone(), error.to_string());
            problems.push(Problem::Regex { what, regex, reason });
        }
    }
}

/// Groups of the replacement that the expression does not have: the `regex` crate would replace
/// them by nothing.
fn groups(regex: &Regex, rewrite: &Rewrite, problems: &mut Vec<Problem>) {
    for group in used_groups(&rewrite.replace) {
        let known = match group.parse::<usize>() {
            Ok(number) => number < regex.captures_len(),
            Err(_) => regex.capture_names().flatten().any(|name| name == group),
        };
        if !known {
            let (regex, replace) = (rewrite.regex.clone(), rewrite.replace.clone());
            problems.push(Problem::Group { regex, replace, group: group.to_owned() });
        }
    }
}

/// What stands after each `$`, as the `regex` crate reads it: the longest name, or what is in
/// braces.
fn used_groups(replace: &str) -> Vec<&str> {
    let mut used = Vec::new();
    let mut rest = replace;
    while let Some(dollar) = rest.find('$') {
        rest = &rest[dollar + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            rest = after;
            continue;
        }
        let name = if let Some(braced) = rest.strip_prefix('{') {
            braced.split('}').next().unwrap_or_default()
        } else {
            let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
            &rest[..rest.find(|c| !is_name(c)).unwrap_or(rest.len())]
        };
        used.push(name);
        rest = &rest[name.len()..];
    }
    used
}
