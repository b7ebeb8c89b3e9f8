//! The examples of docs/cli.md and docs/api.md match the API.

use std::{collections::BTreeMap, fmt::Debug, fs, path::Path};

use lb_agent::{ListenerView, Snapshot, TargetGroupView, TargetView};
use lb_config::{Difference, Document};
use lb_proxy_control::HttpExplainView;
use lb_store::RevisionHead;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::fake::{Answer, Fake};
use crate::{
    ErrorBody, ExplainView, Message, PartChanges, PreviewView, StateView, StatsView, TargetAdd,
    TargetPatch,
};

fn read(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../docs").join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The blocks of JSON after a comment `checked: NAME`.
fn checked(text: &str) -> BTreeMap<&str, &str> {
    text.split("<!-- checked: ")
        .skip(1)
        .map(|part| {
            let (name, rest) = part.split_once(" -->\n```json\n").expect("a block of JSON");
            (name, rest.split("```").next().unwrap())
        })
        .collect()
}

/// The text has all fields of the type, and no others.
fn complete<T: DeserializeOwned + Serialize + Debug>(name: &str, text: &str) {
    let written: Value = serde_json::from_str(text).unwrap();
    let read: T = serde_json::from_str(text).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(serde_json::to_value(&read).unwrap(), written, "{name}");
}

#[test]
fn json_of_the_command_line_is_as_documented() {
    let text = read("cli.md");
    let blocks = checked(&text);
    complete::<Vec<ListenerView>>("listeners", blocks["listeners"]);
    complete::<Vec<TargetGroupView>>("target groups", blocks["target-groups"]);
    complete::<Vec<TargetView>>("targets", blocks["targets"]);
    complete::<Snapshot>("status", blocks["status"]);
    complete::<StatsView>("stats", blocks["stats"]);
    complete::<ExplainView>("explain", blocks["explain"]);
    complete::<HttpExplainView>("explain http", blocks["explain http"]);
    complete::<Vec<RevisionHead>>("revisions", blocks["revisions"]);
    complete::<Vec<Difference>>("differences", blocks["differences"]);
    complete::<PreviewView>("preview", blocks["preview"]);
}

#[test]
fn answers_of_the_api_are_as_documented() {
    let text = read("api.md");
    let blocks = checked(&text);
    complete::<Message>("message", blocks["message"]);
    complete::<ErrorBody>("error", blocks["error"]);
    complete::<StateView>("state", blocks["state"]);
}

/// Every field of JSON is named in a table or in the text.
#[test]
fn every_field_is_explained() {
    let text = read("cli.md");
    let prose: String = text.split("```").step_by(2).collect();
    for (name, block) in checked(&text) {
        let mut open = vec![serde_json::from_str::<Value>(block).unwrap()];
        while let Some(value) = open.pop() {
            match value {
                Value::Object(fields) => {
                    for (field, value) in fields {
                        let explained = prose.contains(&format!("`{field}`"))
                            || prose.contains(&format!(".{field}`"))
                            || prose.contains(&format!("`{field}."));
                        assert!(explained, "{name}: {field}");
                        open.push(value);
                    }
                }
                Value::Array(values) => open.extend(values),
                _ => {}
            }
        }
    }
}

/// What a proxy says.
const REPORT: &str = r#"{"name": "edge", "pid": 1, "software": "", "digest": "", "revision": null, "version": 0, "refused": "", "connections": 0, "stopping": false}"#;

#[tokio::test]
async fn documented_routes_exist() {
    let text = read("api.md");
    let fake = Fake::start(Answer::Done);
    let mut count = 0;
    for line in text.lines().filter_map(|line| line.strip_prefix("| `")) {
        let Some((route, _)) = line.split_once('`') else {
            continue;
        };
        let Some((method, path)) = route.split_once(' ') else {
            continue;
        };
        let path = path.replace("GROUP", "web").replace("ADDRESS", "10.0.1.13");
        let path = path.replace("NUMBER", "1").replace("OTHER", "2");
        let body = match method {
            "POST" if path.starts_with("/v1/config/changes") => {
                r#"{"changes": [{"op": "set", "path": "interfaces", "value": ["eth0"]}]}"#
            }
            "POST" if path.starts_with("/v1/config") => "{}",
            "POST" if path.ends_with("/scaling") => r#"{"command": "refresh"}"#,
            "PATCH" if path.ends_with("/limits") => r#"{"max": 9}"#,
            "POST" if path == "/v1/proxies" => REPORT,
            "POST" if path == "/v1/explain/http" => r#"{"method": "GET", "url": "http://x/"}"#,
            "POST" => r#"{"address": "10.0.1.13"}"#,
            "PATCH" => r#"{"weight": 1}"#,
            "PUT" => "{}",
            _ => "",
        };
        // It needs two ends, and a data path, which the fake has not.
        let (path, status) = match path.as_str() {
            // It needs a listener, which the fake has not.
            "/v1/explain/http" => (path, 400),
            "/v1/explain" => (format!("{path}?from=10.1.1.2:4000&to=10.9.9.9:80"), 503),
            _ => (path, 200),
        };
        count += 1;
        if ["/v1/watch", "/v1/proxies/feed"].contains(&path.as_str()) {
            // It has no end; watch.rs and proxies.rs look at it.
            continue;
        }
        let answer = fake.http(method, &path, body).await;
        assert_eq!(answer.status, status, "{route}");
    }
    assert_eq!(count, 31, "routes of the server");
}

#[test]
fn documented_requests_are_understood() {
    let text = read("api.md");
    let mut count = 0;
    for line in text.lines().filter(|line| line.starts_with("$ curl $S -X")) {
        let method = line.split(' ').nth(4).unwrap();
        let Some(body) = line.split("-d '").nth(1).and_then(|rest| rest.split('\'').next()) else {
            assert_eq!(method, "DELETE", "{line}");
            continue;
        };
        match method {
            "POST" if line.contains("/v1/config/changes") => complete::<PartChanges>(line, body),
            "POST" => complete::<TargetAdd>(line, body),
            "PATCH" => complete::<TargetPatch>(line, body),
            "PUT" => complete::<Document>(line, body),
            _ => panic!("{line}"),
        }
        count += 1;
    }
    assert_eq!(count, 7, "requests with a body");
}
