//! `on_event`: hooks on events.

use std::{collections::HashMap, time::Duration};

use super::program::program;
use crate::{
    error::At,
    model::{EventCall, EventHook, EventName, EventWebhook},
    named_file::NamedFile,
    section::{List, Section, nearest},
    tree::Node,
    values,
};

const TIMEOUT: Duration = Duration::from_secs(10);
const TIMEOUT_MIN: Duration = Duration::from_secs(1);
const TIMEOUT_MAX: Duration = Duration::from_mins(5);
const RETRIES: u32 = 2;
const RETRIES_MAX: u32 = 5;
const EXAMPLE: &str = "exec: [/etc/xelb/checks/notify]";

/// Reads the hooks. Those with errors are left out.
pub(super) fn event_hooks(root: &Section<'_>) -> Vec<EventHook> {
    let Some(list) = root.list("on_event") else { return Vec::new() };
    if list.items().len() > EventHook::MAX {
        let message = format!("has more than {} hooks", EventHook::MAX);
        root.findings.error(&list.at, message);
        return Vec::new();
    }
    let mut names: HashMap<String, At> = HashMap::new();
    let mut hooks = Vec::new();
    for entry in list.entries() {
        let at = entry.at.clone();
        let section = Section::new(entry.node, entry.at, root.findings);
        let Some(hook) = section.and_then(hook) else { continue };
        if let Some(other) = names.insert(hook.name.clone(), at.clone()) {
            let other = root.findings.elsewhere(&at, &other);
            root.findings.error(&at, format!("there are two hooks named {}{other}", hook.name));
        }
        hooks.push(hook);
    }
    hooks
}

fn hook(section: Section<'_>) -> Option<EventHook> {
    let errors = section.findings.count();
    let name = section.require("name", "name: pager", values::name);
    let events = events(&section);
    let range = TIMEOUT_MIN..=TIMEOUT_MAX;
    let timeout = section.read("timeout", |node| values::seconds(node, range));
    let given = ["exec", "webhook"].map(|key| section.entry(key));
    let call = match &given {
        [Some(_), None] => {
            for key in ["secret_file", "headers_file", "ca", "retries"] {
                section.refuse(key, "belongs to hooks with `webhook`; this one has `exec`");
            }
            program(&section, "exec", EXAMPLE).map(EventCall::Exec)
        }
        [None, Some(_)] => webhook(&section).map(EventCall::Webhook),
        [None, None] => {
            let message = format!("calls nothing: write `{EXAMPLE}`, or `webhook` with a URL");
            section.findings.error(&section.at, message);
            None
        }
        [Some(_), Some(webhook)] => {
            section.findings.error(&webhook.at, "contradicts `exec`: a hook calls one of them");
            None
        }
    };
    // Known, whatever is called.
    for key in ["secret_file", "headers_file", "ca", "retries"] {
        let _known = section.entry(key);
    }
    section.finish_since(errors)?;
    let timeout = timeout.unwrap_or(TIMEOUT);
    Some(EventHook { name: name?, events: events?, call: call?, timeout })
}

fn events(section: &Section<'_>) -> Option<Vec<EventName>> {
    section.required("events", "events: [target_unhealthy]")?;
    let list = section.list("events")?;
    if list.items().len() == 0 {
        section.findings.error(&list.at, "is empty; name at least one event");
    }
    let mut events = Vec::new();
    for entry in List::entries(&list) {
        match event(entry.node) {
            Ok(event) if events.contains(&event) => {
                section.findings.error(&entry.at, format!("{} is named twice", event.name()));
            }
            Ok(event) => events.push(event),
            Err(message) => section.findings.error(&entry.at, message),
        }
    }
    Some(events)
}

fn event(node: &Node) -> Result<EventName, String> {
    let name = values::text(node)?;
    let known = EventName::ALL.iter().find(|event| event.name() == name);
    known.copied().ok_or_else(|| {
        let names: Vec<&str> = EventName::ALL.iter().map(|event| event.name()).collect();
        let hint = match nearest(&name, &names) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("there are {}", names.join(", ")),
        };
        format!("there is no event `{}`; {hint}", crate::error::brief(&name))
    })
}

fn webhook(section: &Section<'_>) -> Option<EventWebhook> {
    let url =
        section.read("webhook", |node| values::webhook_url(node, "https://hooks.example.org/xelb"));
    let file = |key, example: &'static str, kind: fn(std::path::PathBuf) -> NamedFile| {
        let file = section.read(key, |node| values::file(node, example));
        if let (Some(file), Some(entry)) = (&file, section.entry(key)) {
            section.findings.file(&entry.at, kind(file.clone()));
        }
        file
    };
    let secret_file = file("secret_file", "/etc/xelb/webhook-secret", NamedFile::Secret);
    let headers_file = file("headers_file", "/etc/xelb/webhook-headers", NamedFile::Headers);
    let ca = file("ca", "/etc/xelb/ca.pem", NamedFile::Authorities);
    let retries = section.read("retries", |node| values::number(node, 0..=RETRIES_MAX));
    let retries = retries.unwrap_or(RETRIES);
    Some(EventWebhook { url: url?, secret_file, headers_file, ca, retries })
}
