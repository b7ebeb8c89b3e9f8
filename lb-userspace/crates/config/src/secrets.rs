//! PURE: a document without what only those may see who may change everything: the seed of the flow
//! hash, what health checks run and send, parameters of drivers, and the headers that rules add to
//! requests.

use std::sync::Arc;

use super::{
    document::Document,
    tree::{Node, Value},
};

/// Replaces a secret. No key takes it for a value, so that a document without its secrets is not
/// applied by mistake.
pub const HIDDEN: &str = "(hidden: needs the role configure)";

/// Keys of secrets, by section.
const OF_DOCUMENT: &[&str] = &["hash_seed"];
/// Of hooks: URLs of chats are passwords.
const OF_HOOK: &[&str] = &["exec", "webhook"];
/// Of the driver of a scaled group.
const OF_DRIVER: &[&str] = &["parameters", "command", "environment"];
const OF_HEALTH_CHECK: &[&str] = &["command", "payload", "payload_hex", "expect", "expect_hex"];

impl Document {
    /// The same without its secrets.
    #[must_use]
    pub fn without_secrets(&self) -> Self {
        let mut document = self.clone();
        hide(&mut document.0, OF_DOCUMENT);
        if !document.0.items("on_event").is_empty()
            && let Some(hooks) = document.0.list_mut("on_event")
        {
            for hook in hooks {
                hide(hook, OF_HOOK);
            }
        }
        let of_defaults = document.0.get_mut("defaults");
        if let Some(check) = of_defaults.and_then(|one| one.get_mut("health_check")) {
            hide(check, OF_HEALTH_CHECK);
        }
        let groups = document.0.items("target_groups");
        let any = |group: &Node| group.get("health_check").is_some_and(has);
        if groups.iter().any(any)
            && let Some(groups) = document.0.list_mut("target_groups")
        {
            for check in groups.iter_mut().filter_map(|group| group.get_mut("health_check")) {
                hide(check, OF_HEALTH_CHECK);
            }
        }
        if document.0.items("target_groups").iter().any(|group| driver(group).is_some())
            && let Some(groups) = document.0.list_mut("target_groups")
        {
            for driver in groups.iter_mut().filter_map(driver_mut) {
                hide(driver, OF_DRIVER);
            }
        }
        hide_programs_of_metrics(&mut document.0);
        if document.0.items("listeners").iter().any(|one| one.items("rules").iter().any(changes))
            && let Some(listeners) = document.0.list_mut("listeners")
        {
            for listener in listeners.iter_mut().filter(|one| !one.items("rules").is_empty()) {
                listener.list_mut("rules").into_iter().flatten().for_each(hide_headers);
            }
        }
        document
    }
}

/// The driver of a scaled group that has parameters.
fn driver(group: &Node) -> Option<&'static str> {
    let driver = group.get("scaling")?.get("driver")?;
    ["exec", "webhook", "docker"].into_iter().find(|kind| {
        driver.get(kind).is_some_and(|driver| OF_DRIVER.iter().any(|key| driver.get(key).is_some()))
    })
}

fn driver_mut(group: &mut Node) -> Option<&mut Node> {
    let kind = driver(group)?;
    group.get_mut("scaling")?.get_mut("driver")?.get_mut(kind)
}

/// Hides the programs that print metrics of scaled groups.
fn hide_programs_of_metrics(document: &mut Node) {
    let has_program = |group: &Node| {
        let metrics = group.get("scaling").map(|scaling| scaling.items("metrics"));
        metrics.unwrap_or_default().iter().any(|metric| metric.get("exec").is_some())
    };
    if !document.items("target_groups").iter().any(has_program) {
        return;
    }
    for group in
        document.list_mut("target_groups").into_iter().flatten().filter(|one| has_program(one))
    {
        let scaling = group.get_mut("scaling");
        for metric in scaling.and_then(|one| one.list_mut("metrics")).into_iter().flatten() {
            if let Some(exec) = metric.get_mut("exec") {
                hide(exec, OF_HEALTH_CHECK);
            }
        }
    }
}

/// Whether a rule changes headers of requests.
fn changes(rule: &Node) -> bool {
    rule.get("headers").and_then(|headers| headers.get("request")).is_some()
}

/// Hides the values of the headers that a rule adds to requests.
fn hide_headers(rule: &mut Node) {
    let Some(request) = rule.get_mut("headers").and_then(|headers| headers.get_mut("request"))
    else {
        return;
    };
    for key in ["set", "add"] {
        if let Some(Node { value: Value::Map(headers), .. }) = request.get_mut(key) {
            for (_, value) in Arc::make_mut(headers) {
                value.value = Value::Text(HIDDEN.to_owned());
            }
        }
    }
}

fn has(section: &Node) -> bool {
    OF_HEALTH_CHECK.iter().any(|key| section.get(key).is_some())
}

/// Hides the values of these keys, each time that one is there.
fn hide(section: &mut Node, keys: &[&str]) {
    let Value::Map(entries) = &mut section.value else {
        return;
    };
    let is_secret = |name: &Node| name.as_text().is_some_and(|name| keys.contains(&name));
    if !entries.iter().any(|(name, _)| is_secret(name)) {
        return;
    }
    for (_, value) in Arc::make_mut(entries).iter_mut().filter(|(name, _)| is_secret(name)) {
        value.value = match value.value {
            Value::List(_) => Value::List(Arc::new(vec![Node::text(HIDDEN)])),
            _ => Value::Text(HIDDEN.to_owned()),
        };
    }
}
