//! PURE: the rules of a configuration, one row for each, in the order in which they are tried.

use lb_config::Tags;
use serde::Serialize;
use serde_json::Value;

use super::{
    get::tables::tags,
    list::{Column, Listing},
    table::or_dash,
};

/// A rule as it is written. Values that the caller may not see are hidden in it.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct RuleRow {
    listener: String,
    /// `null` for the default action, which is last.
    priority: Option<u64>,
    /// Empty if it has none.
    name: String,
    /// As configured.
    conditions: Value,
    /// As configured.
    action: Value,
    pub(super) tags: Tags,
}

/// All rules of a document, listener by listener.
pub(super) fn of(document: &impl Serialize) -> serde_json::Result<Vec<RuleRow>> {
    let document = serde_json::to_value(document)?;
    let mut rows = Vec::new();
    for listener in list(&document, "listeners") {
        if !matches!(listener["protocol"].as_str(), Some("http" | "https")) {
            continue;
        }
        let name = text(&listener["name"]);
        let row = |rule: &Value| RuleRow {
            listener: name.clone(),
            priority: rule["priority"].as_u64(),
            name: text(&rule["name"]),
            conditions: rule["conditions"].clone(),
            action: rule["action"].clone(),
            tags: tags_of(&rule["tags"]),
        };
        let mut rules: Vec<RuleRow> = list(listener, "rules").iter().map(row).collect();
        rules.sort_by_key(|rule| rule.priority);
        let (conditions, action) = (Value::Null, listener["default_action"].clone());
        rules.push(RuleRow {
            listener: name.clone(),
            priority: None,
            name: "default".to_owned(),
            conditions,
            action,
            tags: Tags::new(),
        });
        rows.append(&mut rules);
    }
    Ok(rows)
}

impl RuleRow {
    /// Whether it is the default action, which is no rule.
    pub(super) const fn is_default(&self) -> bool {
        self.priority.is_none()
    }

    /// Whether it forwards to this target group.
    pub(super) fn uses(&self, group: &str) -> bool {
        self.groups().iter().any(|(name, _)| name == group)
    }

    /// The groups that it forwards to, and their weights.
    fn groups(&self) -> Vec<(String, Option<u64>)> {
        let forward = &self.action["forward"];
        if let Some(name) = forward["target_group"].as_str() {
            return vec![(name.to_owned(), None)];
        }
        let groups = list(forward, "target_groups").iter();
        groups.map(|group| (text(&group["name"]), group["weight"].as_u64())).collect()
    }

    fn conditions_text(&self) -> String {
        let conditions = self.conditions.as_array().map_or(&[][..], Vec::as_slice);
        let parts = conditions.iter().filter_map(Value::as_object).flatten();
        let parts: Vec<String> =
            parts.map(|(key, values)| format!("{key} {}", values_text(values))).collect();
        parts.join("; ")
    }

    fn action_text(&self) -> String {
        let groups = self.groups();
        if !groups.is_empty() {
            let shown = groups.iter().map(|(name, weight)| match weight {
                Some(weight) => format!("{name} ({weight})"),
                None => name.clone(),
            });
            return format!("forward to {}", shown.collect::<Vec<_>>().join(", "));
        }
        let fixed = &self.action["fixed_response"];
        if fixed.is_object() {
            return format!("fixed response {}", values_text(&fixed["status"]));
        }
        format!("redirect {}", values_text(&self.action["redirect"]))
    }
}

pub(super) static RULES: Listing<RuleRow> = Listing {
    columns: &[
        Column::new("LISTENER", "listener", |rule, _| rule.listener.clone()),
        Column::new("PRIORITY", "priority", |rule, _| {
            or_dash(&rule.priority.map(|number| number.to_string()).unwrap_or_default())
        }),
        Column::new("NAME", "name", |rule, _| or_dash(&rule.name)),
        Column::new("CONDITIONS", "conditions", |rule, _| or_dash(&rule.conditions_text())),
        Column::new("ACTION", "action", |rule, _| rule.action_text()),
        Column::new("TAGS", "tags", |rule: &RuleRow, _| tags(&rule.tags)).wide(),
    ],
    fields: &["listener", "priority", "name", "conditions", "action", "tags"],
    // The default action is a key of its listener.
    name: |rule| {
        let priority = rule.priority?.to_string();
        let name = if rule.name.is_empty() { &priority } else { &rule.name };
        Some(format!("rule/{}/{name}", rule.listener))
    },
    nothing: "no rules: there are no listeners of http or https",
};

fn list<'value>(value: &'value Value, key: &str) -> &'value [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}

fn tags_of(value: &Value) -> Tags {
    let entries = value.as_object().into_iter().flatten();
    entries.map(|(key, value)| (key.clone(), text(value))).collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Values on one line.
fn values_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(values) => values.iter().map(values_text).collect::<Vec<_>>().join(" or "),
        Value::Object(entries) => {
            let entries =
                entries.iter().map(|(key, value)| format!("{key}={}", values_text(value)));
            entries.collect::<Vec<_>>().join(" ")
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::list::tests::table, *};

    #[test]
    fn rules_are_rows_in_the_order_in_which_they_are_tried() {
        let text = r#"{"listeners": [
            {"name": "packets", "protocol": "tcp", "default_action": {"forward": {"target_group": "p"}}},
            {"name": "shop", "protocol": "https", "rules": [
                {"priority": 20, "tags": {"team": "shop"}, "conditions": [{"path": ["/old"]}],
                 "action": {"redirect": {"path": "/new", "status": 301}}},
                {"priority": 10, "name": "orders",
                 "conditions": [{"path": ["/order/*", "/o/*"]}, {"header": {"name": "x-a", "values": ["1"]}}],
                 "action": {"forward": {"target_groups": [{"name": "a", "weight": 9}, {"name": "b", "weight": 1}]}}}],
             "default_action": {"fixed_response": {"status": 404}}}]}"#;
        let rows = of(&serde_json::from_str::<Value>(text).unwrap()).unwrap();
        let names: Vec<_> = rows.iter().filter_map(RULES.name).collect();
        assert_eq!(names, ["rule/shop/orders", "rule/shop/20"]);
        let of_b: Vec<Option<u64>> =
            rows.iter().filter(|row| row.uses("b")).map(|row| row.priority).collect();
        assert_eq!(of_b, [Some(10)]);
        let tagged: Vec<Option<u64>> = rows
            .iter()
            .filter(|row| row.tags.contains_key("team"))
            .map(|row| row.priority)
            .collect();
        assert_eq!(tagged, [Some(20)]);
        assert_eq!(
            table(&RULES, rows),
            "LISTENER  PRIORITY  NAME     CONDITIONS                                       ACTION\n\
             shop      10        orders   path /order/* or /o/*; header name=x-a values=1  forward to a (9), b (1)\n\
             shop      20        -        path /old                                        redirect path=/new status=301\n\
             shop      -         default  -                                                fixed response 404\n"
        );
        assert_eq!(table(&RULES, vec![]), "no rules: there are no listeners of http or https\n");
    }
}
