//! `on_event`: right hooks, and exact messages for wrong ones.

use std::time::Duration;

use super::{config, errors_by_line};
use crate::{EventCall, EventName, FileText, Limits, parse, parse_directory};

fn text(hooks: &str) -> String {
    format!("interfaces: [eth0]\non_event:\n{hooks}\n")
}

fn errors(hooks: &str) -> String {
    errors_by_line(&text(hooks))
}

#[test]
fn hooks_and_their_defaults() {
    let config = config(&text(
        "  - { name: pager, events: [target_unhealthy, agent_started], exec: [/etc/xelb/checks/page, --team, net] }
  - name: chat
    events: [configuration_refused]
    webhook: https://hooks.example.org/services/T0
    secret_file: /etc/xelb/secret
    headers_file: /etc/xelb/headers
    ca: /etc/xelb/ca.pem
    retries: 5
    timeout: 30s",
    ));
    let [pager, chat] = config.on_event.as_slice() else { panic!() };
    assert_eq!(pager.events, [EventName::TargetUnhealthy, EventName::AgentStarted]);
    assert!(pager.is_for(EventName::AgentStarted) && !pager.is_for(EventName::DrainDone));
    assert_eq!(pager.timeout, Duration::from_secs(10));
    let EventCall::Exec(words) = &pager.call else { panic!() };
    assert_eq!(words, &["/etc/xelb/checks/page", "--team", "net"]);
    let EventCall::Webhook(webhook) = &chat.call else { panic!() };
    assert_eq!((webhook.retries, chat.timeout), (5, Duration::from_secs(30)));
    let files = [&webhook.secret_file, &webhook.headers_file, &webhook.ca];
    let files = files.map(|file| file.as_ref().unwrap().display().to_string());
    assert_eq!(files, ["/etc/xelb/secret", "/etc/xelb/headers", "/etc/xelb/ca.pem"]);
}

#[test]
fn wrong_hooks() {
    let cases = [
        (
            "  - { name: a, events: [target_unhealty], exec: [/x] }",
            "x:3: on_event[0].events[0]: there is no event `target_unhealty`; did you mean `target_unhealthy`?",
        ),
        (
            "  - { name: a, events: [], exec: [/x] }",
            "x:3: on_event[0].events: is empty; name at least one event",
        ),
        (
            "  - { name: a, events: [drain_done, drain_done], exec: [/x] }",
            "x:3: on_event[0].events[1]: drain_done is named twice",
        ),
        (
            "  - { name: a, events: [drain_done] }",
            "x:3: on_event[0]: calls nothing: write `exec: [/etc/xelb/checks/notify]`, or `webhook` with a URL",
        ),
        (
            "  - { name: a, events: [drain_done], exec: [/x], webhook: 'https://a.b/' }",
            "x:3: on_event[0].webhook: contradicts `exec`: a hook calls one of them",
        ),
        (
            "  - { name: a, events: [drain_done], exec: [notify] }",
            "x:3: on_event[0].exec: notify is not an absolute path; programs run without a shell",
        ),
        (
            "  - { name: a, events: [drain_done], exec: [/x], retries: 1 }",
            "x:3: on_event[0].retries: belongs to hooks with `webhook`; this one has `exec`",
        ),
        (
            "  - { name: a, events: [drain_done], webhook: 'http://chat.example.org/' }",
            "x:3: on_event[0].webhook: `http://chat.example.org/` is not a URL of a webhook: https, or http \
             with a loopback address, such as https://hooks.example.org/xelb",
        ),
        (
            "  - { events: [drain_done], exec: [/x] }",
            "x:3: on_event[0]: `name` is missing; for example `name: pager`",
        ),
        (
            "  - { name: a, events: [drain_done], exec: [/x], timeout: 10m }",
            "x:3: on_event[0].timeout: `10m` is not a duration of whole seconds from 1s to 300s, such as \
             `90s` or `2m`",
        ),
        (
            "  - { name: a, events: [drain_done], exec: [/x] }\n  - { name: a, events: [drain_done], exec: [/x] }",
            "x:4: on_event[1]: there are two hooks named a",
        ),
        (
            "  - { name: a, event: drain_done, exec: [/x] }",
            "x:3: on_event[0]: `events` is missing; for example `events: [target_unhealthy]`\nx:3: on_event[0].event: unknown key; did you mean `events`?",
        ),
    ];
    for (hooks, said) in cases {
        assert_eq!(errors(hooks), said, "{hooks}");
    }
    let many = "  - { name: a, events: [drain_done], exec: [/x] }\n".repeat(33);
    assert_eq!(errors(&many), "x:2: on_event: has more than 32 hooks");
    assert!(
        errors("  - { name: a, events: [nothing_like_it], exec: [/x] }")
            .contains("there are target_initial, ")
    );
}

/// Programs are refused where checks run none, and files that are not there are said.
#[test]
fn programs_and_files_are_looked_at() {
    let hooks = text("  - { name: a, events: [drain_done], exec: [/x] }");
    let within = Limits { exec_checks: false, ..Limits::MOST };
    let said = crate::parse_within(&hooks, "", &within).unwrap_err().to_string();
    assert_eq!(said, format!("on_event[0].exec: {}", crate::EXEC_CHECKS_OFF));
    let config = config(&hooks);
    assert!(Limits::use_of(&config).exec_checks);
    let file = "  - { name: a, events: [drain_done], webhook: 'https://a.b/', headers_file: /h }";
    let missing = |_: &_| Err("is missing".to_owned());
    let said = crate::parse_with_files(&text(file), "", &Limits::MOST, &missing).unwrap_err();
    assert_eq!(said.to_string(), "on_event[0].headers_file: is missing");
}

#[test]
fn hooks_of_several_files_are_joined() {
    let hook = |name: &str| {
        format!("on_event:\n  - {{ name: {name}, events: [drain_done], exec: [/x] }}\n")
    };
    let file = |name: &str, text: String| FileText { name: name.to_owned(), text };
    let base = file("a", "interfaces: [eth0]\n".to_owned());
    let read = |second: &str| {
        let files = [base.clone(), file("b", hook("one")), file("c", hook(second))];
        parse_directory(&files, "d", &Limits::MOST, &|_| Ok(()))
    };
    assert_eq!(read("two").unwrap().1.on_event.len(), 2);
    let said = read("one").unwrap_err().to_string();
    assert_eq!(said, "c:2:5: on_event[0]: there are two hooks named one; the other is in b:2");
}

/// URLs of chats are passwords, and arguments of programs may be.
#[test]
fn readers_do_not_see_what_is_called() {
    let (document, ..) =
        parse(&text("  - { name: a, events: [drain_done], webhook: 'https://a.b/T0' }"), "x")
            .unwrap();
    let shown = serde_json::to_string(&document.without_secrets()).unwrap();
    assert!(!shown.contains("T0") && shown.contains("drain_done"), "{shown}");
}
