//! What is refused, and with which message.

use std::time::Duration;

use super::rules::{HTTP, HTTPS, host, path, query, rule, strings};
use crate::{
    Action, Condition, FixedResponse, Forward, HeaderChange, ListenerEnd, PathStep, Protocol,
    Redirect, Rewrite, Rule, RuleSet, WeightedGroup,
};

fn errors(rules: Vec<Rule>, listener: ListenerEnd) -> Vec<String> {
    match RuleSet::new(rules, Action::forward("rest"), listener) {
        Ok(_) => Vec::new(),
        Err(errors) => errors.iter().map(ToString::to_string).collect(),
    }
}

/// One rule with these conditions: its only error begins so; empty: it has none.
fn check(rule: &Rule, listener: ListenerEnd, expected: &str) {
    let found = errors(vec![rule.clone()], listener);
    if expected.is_empty() {
        assert!(found.is_empty(), "{rule:?}: {found:?}");
    } else {
        assert_eq!(found.len(), 1, "{rule:?}: {found:?}");
        let expected = format!("rule {}: {expected}", rule.name);
        assert!(found[0].starts_with(&expected), "{found:?}, expected {expected}");
    }
}

#[test]
fn priorities_are_unique_and_in_range() {
    let any = || vec![path(&["*"])];
    for (priority, valid) in [(0, false), (1, true), (50_000, true), (50_001, false)] {
        let expected = format!("priority {priority} is not between 1 and 50000");
        check(&rule(priority, any()), HTTPS, if valid { "" } else { &expected });
    }
    let mut twin = rule(7, any());
    twin.name = "twin".to_owned();
    let found = errors(vec![rule(7, any()), twin], HTTPS);
    assert_eq!(
        found,
        ["rule twin: priority 7 is that of rule rule-7, too: give one of them another priority"]
    );
    let mut namesake = rule(8, any());
    namesake.name = "rule-7".to_owned();
    let found = errors(vec![rule(7, any()), namesake], HTTPS);
    assert_eq!(found, ["rule rule-7: another rule has the same name: rename one of them"]);
}

#[test]
fn conditions_that_cannot_be_used_are_refused() {
    let long = "a".repeat(257);
    let slash = format!("/{}", "a".repeat(256));
    let header = |name: &str, value: &str| Condition::Header {
        name: name.to_owned(),
        values: strings(&[value]),
    };
    let cases = [
        (host(&[]), "condition host has no value"),
        (host(&[""]), "host is empty"),
        (host(&[&long]), "host has 257 bytes, and 256 are the limit"),
        (host(&["a/b"]), "host \"a/b\" has the character '/'"),
        (host(&["a.com:80"]), "host \"a.com:80\" has the character ':'"),
        (host(&["a.com."]), "end of host \"a.com.\" has the character '.'"),
        (path(&[&slash]), "path has 257 bytes"),
        (path(&["order"]), "path \"order\" can match no request"),
        (path(&["/a b"]), "path \"/a b\" has the character ' '"),
        (path(&["/a#b"]), "path \"/a#b\" has the character '#'"),
        (Condition::Method(strings(&["G*"])), "method \"G*\" has a wildcard"),
        (Condition::Method(strings(&["get"])), "method \"get\" has the character 'g'"),
        (header("x-*", "1"), "header name \"x-*\" has a wildcard"),
        (header("x y", "1"), "header name \"x y\" has the character ' '"),
        (header("x", "a\nb"), "header value \"a\\nb\" has the character '\\n'"),
        (header(&"x".repeat(65), "1"), "header name has 65 bytes"),
        (query(None, "a\\"), "query value \"a\\\\\" has a backslash that escapes nothing"),
        (query(Some("a\\b"), ""), "query value \"a\\\\b\" has a backslash"),
        (Condition::PathRegex(strings(&["("])), "path_regex \"(\" is not a regular expression"),
        (Condition::PathRegex(strings(&["(?=a)"])), "path_regex \"(?=a)\" is not a regular"),
        (Condition::HostRegex(strings(&["(a{999}){999}"])), "host_regex \"(a{999}){999}\" is not"),
        (path(&["/*a"; 101]), "its conditions have 101 values, and 100 are the limit"),
        (path(&[&format!("/{}", "*".repeat(101))]), "its conditions have 101 wildcards"),
        (host(&["*.a.com", "a?c.*", "a_b.com", "[::1]"]), ""),
        (path(&["/**/a", "*", "?"]), ""),
    ];
    for (condition, expected) in cases {
        if expected.contains("101 values") {
            let found = errors(vec![rule(1, vec![condition])], HTTPS);
            assert!(found[0].contains(expected), "{found:?}");
        } else {
            check(&rule(1, vec![condition]), HTTPS, expected);
        }
    }
    check(&rule(1, vec![]), HTTPS, "it has no condition");
}

fn groups(weights: &[(&str, u32)], stickiness: Option<u64>) -> Action {
    let target_groups = weights
        .iter()
        .map(|(name, weight)| WeightedGroup { name: (*name).to_owned(), weight: *weight })
        .collect();
    Action::Forward(Forward { target_groups, stickiness: stickiness.map(Duration::from_secs) })
}

fn fixed(status: u16, content_type: Option<&str>, body: &str) -> Action {
    let content_type = content_type.map(str::to_owned);
    Action::FixedResponse(FixedResponse { status, content_type, body: body.to_owned() })
}

#[test]
fn actions_that_cannot_be_used_are_refused() {
    let six: Vec<(String, u32)> = (0..6).map(|n| (format!("g{n}"), 1)).collect();
    let six: Vec<(&str, u32)> = six.iter().map(|(name, weight)| (name.as_str(), *weight)).collect();
    let plain = Some("text/plain");
    let cases = [
        (groups(&[("a", 999), ("b", 0)], Some(604_800)), ""),
        (groups(&[], None), "its forward action names no target group"),
        (groups(&six, None), "its forward action has 6 target groups, and 5 are the limit"),
        (groups(&[("a", 1000)], None), "weight 1000 of target group a is not between 0 and 999"),
        (groups(&[("a", 0), ("b", 0)], None), "all weights are 0"),
        (groups(&[("a", 1), ("a", 2)], None), "target group a is named twice"),
        (groups(&[("a", 1)], Some(0)), "stickiness of 0 s is not between"),
        (groups(&[("a", 1)], Some(604_801)), "stickiness of 604801 s is not between"),
        (fixed(503, plain, "later"), ""),
        (fixed(204, None, ""), ""),
        (fixed(301, None, ""), "fixed_response cannot have status 301"),
        (fixed(100, None, ""), "fixed_response cannot have status 100"),
        (fixed(200, Some("image/png"), "x"), "content type \"image/png\" is not possible"),
        (fixed(200, None, "x"), "its body has no content type"),
        (fixed(204, plain, "x"), "status 204 has no body"),
        (fixed(200, plain, &"x".repeat(8193)), "fixed_response body has 8193 bytes"),
    ];
    for (action, expected) in cases {
        let rule = Rule { actions: vec![action], ..rule(1, vec![path(&["*"])]) };
        check(&rule, HTTPS, expected);
    }
    let none = Rule { actions: vec![], ..rule(1, vec![path(&["*"])]) };
    check(&none, HTTPS, "it has 0 actions that end it");
    let two = vec![Action::forward("a"), fixed(200, None, "")];
    check(&Rule { actions: two, ..rule(1, vec![path(&["*"])]) }, HTTPS, "it has 2 actions");
}

#[test]
fn redirects_that_loop_or_lose_protection_are_refused() {
    let same = || Redirect {
        protocol: None,
        host: None,
        port: None,
        path: None,
        query: None,
        status: 301,
    };
    let own = |text: &str| Some(text.to_owned());
    let cases = [
        (HTTPS, same(), "it redirects every request to its own URL"),
        (HTTPS, Redirect { query: own("a=1"), ..same() }, "it redirects every request"),
        (
            HTTPS,
            Redirect { protocol: Some(Protocol::Https), ..same() },
            "it redirects every request",
        ),
        (HTTPS, Redirect { port: Some(443), host: own("#{host}"), ..same() }, "it redirects every"),
        (HTTPS, Redirect { path: own("/#{path}"), ..same() }, "it redirects every request"),
        (HTTP, Redirect { protocol: Some(Protocol::Https), ..same() }, ""),
        (
            HTTPS,
            Redirect { protocol: Some(Protocol::Http), ..same() },
            "it redirects from HTTPS to HTTP",
        ),
        (HTTPS, Redirect { host: own("www.#{host}"), ..same() }, ""),
        (
            HTTPS,
            Redirect { path: own("/new/#{path}"), query: own("#{query}&p=#{protocol}"), ..same() },
            "",
        ),
        (
            HTTPS,
            Redirect { host: own("#{port}"), ..same() },
            "redirect host \"#{port}\" has the placeholder",
        ),
        (
            HTTPS,
            Redirect { path: own("/#{query}"), ..same() },
            "redirect path \"/#{query}\" has the",
        ),
        (HTTPS, Redirect { path: own("/#{user}"), ..same() }, "redirect path \"/#{user}\" has the"),
        (HTTPS, Redirect { path: own("/#{path"), ..same() }, "redirect path \"/#{path\" has the"),
        (
            HTTPS,
            Redirect { path: own("new"), ..same() },
            "redirect path \"new\" does not begin with /",
        ),
        (
            HTTPS,
            Redirect { path: own("/a\r\nb"), ..same() },
            "redirect path \"/a\\r\\nb\" has the character",
        ),
        (
            HTTPS,
            Redirect { host: own("a/b"), ..same() },
            "redirect host \"a/b\" has the character '/'",
        ),
        (HTTPS, Redirect { host: own(""), ..same() }, "redirect host is empty"),
        (HTTPS, Redirect { port: Some(0), ..same() }, "port 0 cannot be connected to"),
        (
            HTTPS,
            Redirect { host: own("b.com"), status: 200, ..same() },
            "redirect cannot have status 200",
        ),
    ];
    for (listener, redirect, expected) in cases {
        let actions = vec![Action::Redirect(redirect)];
        check(&Rule { actions, ..rule(1, vec![path(&["*"])]) }, listener, expected);
    }
}

#[test]
fn transforms_and_header_changes_that_cannot_be_used_are_refused() {
    let cases = [
        ("^/a/(.*)$", "/$1", ""),
        ("^/(?<id>.*)$", "/${id}$$1", ""),
        ("^/a/(.*)$", "/$2", "replacement \"/$2\" uses group 2"),
        ("^/a/(.*)$", "/$1x", "replacement \"/$1x\" uses group 1x"),
        ("(", "/", "url_rewrite \"(\" is not a regular expression"),
        ("a", "/ b", "replacement \"/ b\" has the character ' '"),
        ("", "/", "url_rewrite is empty"),
    ];
    for (regex, replace, expected) in cases {
        let mut changed = rule(1, vec![path(&["*"])]);
        let (regex, replace) = (regex.to_owned(), replace.to_owned());
        changed.transforms.url = Some(Rewrite { regex, replace });
        check(&changed, HTTPS, expected);
    }
    let set = |name: &str, value: &str| HeaderChange::Set {
        name: name.to_owned(),
        value: value.to_owned(),
    };
    let remove = |name: &str| HeaderChange::Remove { name: name.to_owned() };
    let cases: &[(&[HeaderChange], &str)] = &[
        (&[set("x-a", "1"), remove("x-b")], ""),
        (&[set("Connection", "close")], "header \"Connection\" belongs to the connection"),
        (&[set("x-a", "1\r\nx-b: 2")], "header value \"1\\r\\nx-b: 2\" has the character '\\r'"),
        (&[set("x-a", "1"), remove("X-A")], "header \"X-A\" is set or removed twice"),
        (&[set("x-a", " 1")], "outside of header value \" 1\" has the character ' '"),
        (&[remove("x a")], "header name \"x a\" has the character ' '"),
    ];
    for (changes, expected) in cases {
        let mut changed = rule(1, vec![path(&["*"])]);
        changed.headers.response = changes.to_vec();
        check(&changed, HTTPS, expected);
    }
}

#[test]
fn transforms_need_a_target_and_every_fault_is_found() {
    let mut faulty = rule(0, vec![host(&["a b"]), path(&["x"])]);
    faulty.transforms.host = Some(Rewrite { regex: "a".to_owned(), replace: "b".to_owned() });
    faulty.actions = vec![fixed(200, None, "")];
    let found = errors(vec![faulty], HTTPS).join("\n");
    for expected in ["priority 0", "host \"a b\"", "path \"x\"", "without a forward action"] {
        assert!(found.contains(expected), "{found}");
    }
}

/// Each fault has the keys that lead to it in a configuration.
#[test]
fn faults_have_their_path() {
    let change = |name: &str, value: &str| HeaderChange::Set {
        name: name.to_owned(),
        value: value.to_owned(),
    };
    let faulty = Rule {
        transforms: crate::Transforms {
            url: Some(Rewrite { regex: "a".to_owned(), replace: "/$7".to_owned() }),
            host: Some(Rewrite { regex: "(".to_owned(), replace: "b".to_owned() }),
        },
        headers: crate::HeaderChanges {
            request: vec![change("x-a", "a\nb")],
            response: vec![
                HeaderChange::Remove { name: "x-b".to_owned() },
                HeaderChange::Remove { name: "te".to_owned() },
            ],
        },
        actions: vec![groups(&[("a", 1), ("b", 1000)], None)],
        ..rule(
            0,
            vec![
                host(&["a.com", "a b"]),
                query(None, "a\\"),
                Condition::Header { name: "x".to_owned(), values: strings(&["1", "\n"]) },
                Condition::PathRegex(strings(&["("])),
            ],
        )
    };
    let rules = vec![rule(1, vec![path(&["*"])]), faulty];
    let redirect = Redirect {
        protocol: None,
        host: None,
        port: Some(0),
        path: None,
        query: None,
        status: 301,
    };
    let errors = RuleSet::new(rules, Action::Redirect(redirect), HTTPS).unwrap_err();
    let shown = |step: &PathStep| match step {
        PathStep::Key(key) => format!(".{key}"),
        PathStep::Item(place) => format!("[{place}]"),
    };
    let found: Vec<String> = errors
        .iter()
        .map(|error| {
            let rule = error.index.map_or_else(|| "default".to_owned(), |index| index.to_string());
            rule + &error.path.iter().map(shown).collect::<String>()
        })
        .collect();
    let expected = [
        "default.redirect.port",
        "1.priority",
        "1.conditions[0].host[1]",
        "1.conditions[1].query[0].value",
        "1.conditions[2].header.values[1]",
        "1.conditions[3].path_regex[0]",
        "1.transforms.url_rewrite.replace",
        "1.transforms.host_rewrite.regex",
        "1.headers.request.set.x-a",
        "1.headers.response.remove[1]",
        "1.action.forward.target_groups[1].weight",
    ];
    assert_eq!(found, expected);
    // The compiler of expressions draws them over several lines.
    assert!(errors.iter().all(|error| !error.to_string().contains('\n')), "{errors:?}");
}
