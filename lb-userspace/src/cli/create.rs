//! `xelb create`.

use clap::{Args, Subcommand};
use lb_config::{Change, Part};
use serde_json::{Value, json};

use super::{
    assignment::{self, Assignment},
    complete,
    object::{self, Kind, Object},
    part_change::{How, wrong},
};

/// Add a listener, a target group, a rule or a target to the configuration of a running agent
///
/// Everything that has no option is given as KEY=VALUE, as with `xelb set`.
///
/// Example: xelb create target-group web --protocol tcp --port 80 --forwarding ipip --target 10.0.1.11
///
/// Example: xelb create listener web --address 203.0.113.10 --port 80 --protocol tcp --target-group web
#[derive(Debug, Subcommand)]
pub(super) enum Create {
    /// Add a listener
    ///
    /// Example: xelb create listener web --address 203.0.113.10 --port 80 --protocol tcp --target-group web
    #[command(aliases = ["lb", "l"])]
    Listener(CreateListener),
    /// Add a target group
    ///
    /// Example: xelb create target-group web --protocol tcp --port 80 --forwarding ipip interval=2s
    #[command(aliases = ["tg", "group"])]
    TargetGroup(CreateTargetGroup),
    /// Add a rule to a listener of http or https
    ///
    /// Example: xelb create rule shop/orders --priority 10 --path /order/* --target-group orders
    Rule(CreateRule),
    /// Register a target, as `xelb target add` does
    ///
    /// Example: xelb create target web/10.0.1.13 --weight 50
    #[command(aliases = ["t"])]
    Target(CreateTarget),
}

#[derive(Debug, Args)]
pub(super) struct CreateListener {
    /// Name of the listener
    name: String,
    /// Address that clients connect to, or a prefix of addresses
    #[arg(long, value_name = "ADDRESS")]
    address: Option<String>,
    /// Port, a range of ports such as 8000-8099, or all
    #[arg(long, value_name = "PORT")]
    port: Option<String>,
    /// Protocol: tcp, udp, quic, http, https or tls
    #[arg(long, value_name = "PROTOCOL")]
    protocol: Option<String>,
    /// Target group that the listener forwards to
    #[arg(long, value_name = "NAME", add = complete::groups())]
    target_group: Option<String>,
    #[command(flatten)]
    more: More,
}

#[derive(Debug, Args)]
pub(super) struct CreateTargetGroup {
    /// Name of the target group
    name: String,
    /// Protocol: tcp, udp, quic, http, https or grpc
    #[arg(long, value_name = "PROTOCOL")]
    protocol: Option<String>,
    /// Default port of its targets
    #[arg(long, value_name = "PORT")]
    port: Option<String>,
    /// Forwarding mode: ipip, gue, l2dsr, nat or fullnat
    #[arg(long, value_name = "MODE")]
    forwarding: Option<String>,
    /// A target; may be repeated
    #[arg(long = "target", value_name = "ADDRESS[:PORT]")]
    targets: Vec<String>,
    #[command(flatten)]
    more: More,
}

#[derive(Debug, Args)]
pub(super) struct CreateRule {
    /// Names of the listener and of the rule
    #[arg(value_name = "LISTENER/RULE")]
    name: String,
    /// Place among the rules of the listener: the lowest number is tried first
    #[arg(long, value_name = "N")]
    priority: Option<u32>,
    /// Condition: path of the request, with * and ?; may be repeated
    #[arg(long = "path", value_name = "PATTERN")]
    paths: Vec<String>,
    /// Condition: host of the request, with * and ?; may be repeated
    #[arg(long = "host", value_name = "PATTERN")]
    hosts: Vec<String>,
    /// Target group that the rule forwards to
    #[arg(long, value_name = "NAME", add = complete::groups())]
    target_group: Option<String>,
    #[command(flatten)]
    more: More,
}

#[derive(Debug, Args)]
pub(super) struct CreateTarget {
    /// Name of the target group, and address of the target
    #[arg(value_name = "GROUP/ADDRESS[:PORT]")]
    name: String,
    /// Its share of the flows relative to other targets: 0 (none) to 1000 [default: 100]
    #[arg(long, value_name = "N")]
    weight: Option<u32>,
    #[command(flatten)]
    more: More,
}

/// What all of them take.
#[derive(Debug, Args)]
struct More {
    /// Further keys with their values
    #[arg(value_name = "KEY=VALUE")]
    pairs: Vec<String>,
    #[command(flatten)]
    how: How,
}

/// What the options and pairs of a command say of the new object.
struct New {
    object: Object,
    assignments: Vec<Assignment>,
}

impl New {
    fn named(kind: Kind, name: &str) -> Result<Self, String> {
        let object = object::object(kind, name)?;
        Ok(Self { object, assignments: Vec::new() })
    }

    /// Sets a key to a value, if there is one.
    fn set(mut self, key: &str, value: Option<Value>) -> Result<Self, String> {
        if let Some(value) = value {
            let key = key.parse().map_err(|error| format!("{error}"))?;
            let value: Part = serde_json::from_value(value).map_err(|error| error.to_string())?;
            self.assignments.push(Assignment { key, value });
        }
        Ok(self)
    }

    /// The same for a text that is written as in a configuration file.
    fn read(self, key: &str, text: Option<&str>) -> Result<Self, String> {
        let value = text.map(assignment::value).transpose()?;
        let value = value.map(serde_json::to_value).transpose();
        self.set(key, value.map_err(|error| error.to_string())?)
    }

    fn change(mut self, pairs: &[String]) -> Result<Change, String> {
        for pair in pairs {
            self.assignments.push(assignment::parse(self.object.kind, pair)?);
        }
        let value = assignment::object(&self.assignments)?;
        Ok(Change::Create { path: self.object.path, value })
    }
}

/// A text, or nothing for nothing.
fn text(text: Option<&String>) -> Option<Value> {
    text.map(|text| json!(text))
}

/// A list, or nothing for an empty one.
fn list(texts: &[String]) -> Option<Value> {
    (!texts.is_empty()).then(|| json!(texts))
}

/// `ADDRESS`, `ADDRESS:PORT` or `[ADDRESS]:PORT` as a target of a configuration.
fn target(name: &str) -> Value {
    if let Ok(place) = name.parse::<std::net::SocketAddr>() {
        return json!({ "address": place.ip().to_string(), "port": place.port() });
    }
    let bare = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(name);
    // A host by its name.
    let parts = bare.rsplit_once(':').filter(|(host, _)| !host.contains(':'));
    match parts.and_then(|(host, port)| Some((host, port.parse::<u16>().ok()?))) {
        Some((host, port)) => json!({ "address": host, "port": port }),
        None => json!({ "address": bare }),
    }
}

impl Create {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let (change, how) = match self {
            Self::Listener(command) => (command.change(), command.more.how),
            Self::TargetGroup(command) => (command.change(), command.more.how),
            Self::Rule(command) => (command.change(), command.more.how),
            Self::Target(command) => (command.change(), command.more.how),
        };
        how.make(vec![change.map_err(wrong)?], None).await
    }
}

impl CreateListener {
    fn change(&self) -> Result<Change, String> {
        New::named(Kind::Listener, &self.name)?
            .set("name", Some(json!(self.name)))?
            .set("address", text(self.address.as_ref()))?
            .read("port", self.port.as_deref())?
            .set("protocol", text(self.protocol.as_ref()))?
            .set("default_action.forward.target_group", text(self.target_group.as_ref()))?
            .change(&self.more.pairs)
    }
}

impl CreateTargetGroup {
    fn change(&self) -> Result<Change, String> {
        let targets: Vec<Value> = self.targets.iter().map(|name| target(name)).collect();
        New::named(Kind::TargetGroup, &self.name)?
            .set("name", Some(json!(self.name)))?
            .set("protocol", text(self.protocol.as_ref()))?
            .read("port", self.port.as_deref())?
            .set("forwarding", text(self.forwarding.as_ref()))?
            .set("targets", (!targets.is_empty()).then(|| json!(targets)))?
            .change(&self.more.pairs)
    }
}

impl CreateRule {
    fn change(&self) -> Result<Change, String> {
        let conditions = [("path", list(&self.paths)), ("host", list(&self.hosts))];
        let conditions: Vec<Value> = conditions
            .into_iter()
            .filter_map(|(key, values)| Some(json!({ key: values? })))
            .collect();
        let name = self.name.split_once('/').map_or("", |(_, rule)| rule);
        New::named(Kind::Rule, &self.name)?
            .set("name", Some(json!(name)))?
            .set("priority", self.priority.map(|priority| json!(priority)))?
            .set("conditions", (!conditions.is_empty()).then(|| json!(conditions)))?
            .set("action.forward.target_group", text(self.target_group.as_ref()))?
            .change(&self.more.pairs)
    }
}

impl CreateTarget {
    fn change(&self) -> Result<Change, String> {
        let place = self.name.split_once('/').map_or("", |(_, place)| place);
        let part = target(place);
        New::named(Kind::Target, &self.name)?
            .set("address", part.get("address").cloned())?
            .set("port", part.get("port").cloned())?
            .set("weight", self.weight.map(|weight| json!(weight)))?
            .change(&self.more.pairs)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(subcommand)]
        create: Create,
    }

    fn change(line: &str) -> Result<(String, Value), String> {
        let line = Line::try_parse_from(std::iter::once("create").chain(line.split(' ')));
        let change = match line.map_err(|error| error.to_string())?.create {
            Create::Listener(command) => command.change(),
            Create::TargetGroup(command) => command.change(),
            Create::Rule(command) => command.change(),
            Create::Target(command) => command.change(),
        };
        match change? {
            Change::Create { path, value } => {
                Ok((path.to_string(), serde_json::to_value(value).unwrap()))
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn options_and_pairs_make_an_object() {
        for (line, path, value) in [
            (
                "listener web --address 203.0.113.10 --port 80 --protocol tcp --target-group web",
                "listeners[web]",
                json!({
                    "name": "web", "address": "203.0.113.10", "port": 80, "protocol": "tcp",
                    "default_action": { "forward": { "target_group": "web" } },
                }),
            ),
            (
                "listener web --port 8000-8099 idle_timeout=10s",
                "listeners[web]",
                json!({ "name": "web", "port": "8000-8099", "attributes": { "idle_timeout": "10s" } }),
            ),
            (
                "tg web --port 80 --target 10.0.1.11 --target [2001:db8::1]:81 interval=2s",
                "target_groups[web]",
                json!({
                    "name": "web", "port": 80,
                    "targets": [{ "address": "10.0.1.11" }, { "address": "2001:db8::1", "port": 81 }],
                    "health_check": { "interval": "2s" },
                }),
            ),
            (
                "rule shop/orders --priority 10 --path /order/* --target-group orders",
                "listeners[shop].rules[orders]",
                json!({
                    "name": "orders", "priority": 10, "conditions": [{ "path": ["/order/*"] }],
                    "action": { "forward": { "target_group": "orders" } },
                }),
            ),
            (
                "target web/10.0.1.13:81 --weight 50",
                "target_groups[web].targets[10.0.1.13:81]",
                json!({ "address": "10.0.1.13", "port": 81, "weight": 50 }),
            ),
            (
                "target web/2001:db8::13",
                "target_groups[web].targets[2001:db8::13]",
                json!({ "address": "2001:db8::13" }),
            ),
            (
                "target web/app.example:81",
                "target_groups[web].targets[app.example:81]",
                json!({ "address": "app.example", "port": 81 }),
            ),
        ] {
            assert_eq!(change(line), Ok((path.to_owned(), value)), "{line}");
        }
        for (line, why) in [
            ("target web", "is not GROUP/ADDRESS"),
            ("rule shop", "is not LISTENER/RULE"),
            ("listener web --port 80 port=81", "is given twice"),
            ("listener web --port [", "the value `[`"),
        ] {
            let error = change(line).unwrap_err();
            assert!(error.contains(why), "{line}: {error}");
        }
    }
}
