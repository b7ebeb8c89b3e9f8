//! PURE: whether the transforms of a rule can be used.

use regex::{Regex, RegexBuilder};

use super::text;
use crate::{
    error::Problem,
    limits,
    problems::Problems,
    transform::{Rewrite, Transforms},
};

pub(super) fn check(transforms: &Transforms, problems: &mut Problems) {
    let all = [("url_rewrite", &transforms.url), ("host_rewrite", &transforms.host)];
    problems.key("transforms", |problems| {
        for (key, transform) in all {
            if let Some(transform) = transform {
                problems.key(key, |problems| rewrite(key, transform, problems));
            }
        }
    });
}

fn rewrite(what: &'static str, rewrite: &Rewrite, problems: &mut Problems) {
    problems.key("replace", |problems| {
        text::length("replacement", &rewrite.replace, limits::TRANSFORM_MAX, problems);
        text::characters("replacement", &rewrite.replace, |c| c.is_ascii_graphic(), problems);
    });
    let regex = &rewrite.regex;
    problems.key("regex", |problems| text::size(what, regex, limits::TRANSFORM_MAX, problems));
    if regex.len() > limits::TRANSFORM_MAX {
        // It would take long to compile.
        return;
    }
    match RegexBuilder::new(regex).size_limit(limits::REGEX_MEMORY_MAX).build() {
        Ok(regex) => problems.key("replace", |problems| groups(&regex, rewrite, problems)),
        Err(error) => problems.key("regex", |problems| {
            problems.push(Problem::regex(what, regex, &error));
        }),
    }
}

/// Groups of the replacement that the expression does not have: the `regex` crate would replace
/// them by nothing.
fn groups(regex: &Regex, rewrite: &Rewrite, problems: &mut Problems) {
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
