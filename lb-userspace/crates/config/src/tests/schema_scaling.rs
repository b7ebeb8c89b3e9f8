//! The `scaling` of documents for the schema, and what only the reader refuses there.

use serde_json::{Value, json};

/// A valid `scaling` in which the key of a path may be.
pub(super) fn scaling(path: &str) -> Value {
    let Some((_, path)) = path.split_once("scaling") else {
        return json!({ "min": 0, "max": 1000, "driver": driver("") });
    };
    let mut scaling = json!({
        "min": 0, "max": 1000, "driver": driver(path),
        "policies": [policy(path)],
        "metrics": [metric(path)],
        "replacement": {},
        "hooks": {},
        "warm_pool": { "size": 1 },
        "termination": ["newest"],
    });
    for hook in ["launch", "terminate"] {
        if path.contains(&format!("hooks.{hook}")) {
            scaling["hooks"][hook] = json!({ "program": "/bin/true" });
        }
    }
    if path.ends_with(".termination") {
        scaling.as_object_mut().unwrap().remove("termination");
    }
    if path.ends_with(".scale_in_window") {
        scaling["sample_interval"] = json!("1s");
    }
    if path.ends_with(".sample_interval") {
        scaling["scale_in_window"] = json!("1h");
    }
    if let Some(key) = ["scale_out_rate", "scale_in_rate"].iter().find(|key| path.contains(**key)) {
        scaling["sample_interval"] = json!("1s");
        scaling[key] = match path.rsplit('.').next() {
            Some("targets") => json!({ "percent": "1%", "period": "60s" }),
            _ => json!({ "targets": 1, "period": "60s" }),
        };
    }
    scaling
}

/// The same for a group of the proxy.
pub(super) fn scaling_of_requests(path: &str) -> Value {
    let text = scaling(path).to_string().replace("bytes_per_target", "requests_per_target");
    serde_json::from_str(&text).unwrap()
}

fn driver(path: &str) -> Value {
    if path.contains("static") {
        json!({ "static": { "targets": [{ "address": "10.0.1.12" }] } })
    } else if path.contains("systemd") {
        let mut driver = json!({ "systemd": {
            "unit": "a@.service", "addresses": ["10.0.0.1"], "ports": [1, 65535],
        } });
        if path.contains("ports") {
            driver["systemd"]["ports"] = json!([65535, 65535]);
        }
        driver
    } else if path.contains("docker") {
        json!({ "docker": { "image": "web", "command": ["a"], "environment": {} } })
    } else if path.contains("webhook") {
        json!({ "webhook": { "url": "https://a.example/", "secret_file": "/secret" } })
    } else {
        json!({ "exec": { "program": "/bin/true" } })
    }
}

fn metric(path: &str) -> Value {
    if path.contains("metrics[0].post") {
        json!({ "name": "queue", "post": {} })
    } else if path.contains("metrics[0].exec") {
        json!({ "name": "queue", "exec": { "command": ["/bin/true"] } })
    } else if path.contains("metrics[0].report") {
        let place = if path.rsplit('.').next() == Some("json") { "json" } else { "header" };
        json!({ "name": "queue", "report": { place: "x-load" } })
    } else {
        let prometheus = json!({ "url": "http://a.example", "query": "up" });
        json!({ "name": "queue", "prometheus": prometheus })
    }
}

fn policy(path: &str) -> Value {
    if path.contains("step") {
        let step = match path.rsplit('.').next() {
            Some("upper") => json!({ "adjust": "-10%" }),
            _ => json!({ "lower": 0, "adjust": "+10%" }),
        };
        json!({ "name": "a", "step": { "metric": "bytes_per_target", "threshold": 1, "steps": [step] } })
    } else if path.contains("simple") {
        json!({ "name": "a", "simple": {
            "metric": "bytes_per_target", "threshold": 1, "breach": "above", "adjust": "+10%",
        } })
    } else if path.contains("schedule") {
        let mut schedule = json!({ "cron": "0 0 * * *" });
        if !path.ends_with("desired") {
            schedule["desired"] = json!(0);
        }
        if path.ends_with("desired") || path.ends_with("schedule.min") {
            schedule["max"] = json!(1000);
            schedule["desired"] = json!(1000);
        }
        json!({ "name": "a", "schedule": schedule })
    } else {
        json!({ "name": "a", "target_tracking": { "metric": "bytes_per_target", "value": 1 } })
    }
}

/// A path and a value a line.
pub(super) const UNSEEN: &str = r#"
    target_groups[0].scaling.driver.static.targets[0].address "12345::"
    target_groups[0].scaling.driver.static.targets[0].address "1:2:3:4:5:6:7:8:9"
    target_groups[0].scaling.driver.static.targets[0].address "1::2::3"
    target_groups[0].scaling.driver.static.targets[0].address "::ffff:10.0.0.1"
    target_groups[0].scaling.driver.systemd.addresses[0] "12345::"
    target_groups[0].scaling.driver.systemd.addresses[0] "1:2:3:4:5:6:7:8:9"
    target_groups[0].scaling.driver.systemd.addresses[0] "1::2::3"
    target_groups[0].scaling.driver.systemd.addresses[0] "::ffff:10.0.0.1"
    target_groups[0].scaling.policies[0].simple.adjust 0
"#;
