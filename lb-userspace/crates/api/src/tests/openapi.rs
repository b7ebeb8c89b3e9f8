//! The OpenAPI document: it is the one that is checked in, has every route, and says what is sent.
//! Requests made from it, by the thousand and to a real agent, are in tests/agent/contract.rs.

use std::{collections::BTreeSet, fs, path::Path};

use http::Method;
use jsonschema::{Registry, Validator};
use lb_agent::{Event, ProxyChange, ProxySnapshot};
use lb_config::SCHEMA;
use serde::Serialize;
use serde_json::{Value, json};

use super::{
    access::all_routes,
    fake::{Answer, Fake, loaded, revision},
};
use crate::{ExplainView, StateView, access::needed, openapi_document};

fn document() -> Value {
    serde_json::from_str(openapi_document()).unwrap()
}

/// Whether a value is as the schema of this name says.
fn validator(name: &str) -> Validator {
    let base = "https://xelb.invalid/openapi.json";
    let configuration: Value = serde_json::from_str(SCHEMA).unwrap();
    let registry = Registry::new()
        .add(base, document())
        .unwrap()
        .add("https://xelb.invalid/xelb.schema.json", configuration)
        .unwrap()
        .prepare()
        .unwrap();
    let schema = json!({ "$ref": format!("{base}#/components/schemas/{name}") });
    jsonschema::options().with_registry(&registry).build(&schema).unwrap()
}

#[test]
fn the_document_is_checked_in() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../docs/openapi.json");
    let kept = fs::read_to_string(path).unwrap_or_default();
    assert!(
        kept == openapi_document(),
        "docs/openapi.json is not what the code says; to write it anew:\n\
         cargo run -p lb-userspace -- schema --openapi > docs/openapi.json"
    );
    assert_eq!(document()["openapi"], "3.1.0");
}

#[tokio::test]
async fn the_document_has_every_route_with_its_role() {
    let mut described = BTreeSet::new();
    for (path, item) in document()["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let method = method.to_uppercase();
            let role = needed(&Method::from_bytes(method.as_bytes()).unwrap(), path).unwrap();
            let by = |scheme: &str| json!({ scheme: [role.name()] });
            let case = format!("{method} {path}");
            assert_eq!(operation["security"], json!([by("token"), by("certificate")]), "{case}");
            let said = operation["description"].as_str().unwrap();
            assert!(said.ends_with(&format!("Needs the role `{role}`.")), "{case}: {said}");
            for status in ["401", "403"] {
                assert!(operation["responses"][status].is_object(), "{case}: {status}");
            }
            described.insert((method, path.clone()));
        }
    }
    let routes = all_routes(&Fake::start(Answer::Done)).await;
    // Where there is GET there is HEAD, which needs no words of its own.
    let routes = routes.into_iter().filter(|(method, _)| method != "HEAD");
    assert_eq!(described, routes.collect::<BTreeSet<_>>());
}

#[tokio::test]
async fn both_documents_are_served() {
    let fake = Fake::start(Answer::Done);
    let answer = fake.http("GET", "/v1/openapi.json", "").await;
    assert_eq!((answer.status, answer.body), (200, document()));
    let answer = fake.http("GET", "/v1/xelb.schema.json", "").await;
    assert_eq!((answer.status, answer.body), (200, serde_json::from_str(SCHEMA).unwrap()));
}

/// Every reference resolves, in the document or in the schema of the configuration.
#[test]
fn nothing_is_missing() {
    let whole = document();
    let mut open = vec![&whole];
    let mut count = 0;
    while let Some(value) = open.pop() {
        if let Some(name) = value.get("$ref").and_then(Value::as_str) {
            let found = name.strip_prefix('#').map(|pointer| whole.pointer(pointer).is_some());
            assert!(found.unwrap_or(name == "./xelb.schema.json"), "{name}");
            count += 1;
        }
        open.extend(value.as_object().into_iter().flat_map(|fields| fields.values()));
        open.extend(value.as_array().into_iter().flatten());
    }
    assert!(count > 40, "{count} references");
    for name in whole["components"]["schemas"].as_object().unwrap().keys() {
        validator(name);
    }
}

/// What a stream says, and what a fake has no data path for.
#[test]
fn responses_that_the_contract_tests_do_not_cover_are_described() {
    fn is<T: Serialize>(name: &str, value: &T) {
        let value = serde_json::to_value(value).unwrap();
        let errors: Vec<_> =
            validator(name).iter_errors(&value).map(|one| one.to_string()).collect();
        assert!(errors.is_empty(), "{name}: {errors:?}");
    }
    is("StateView", &StateView::default());
    is("Event", &Event { address: Some([10, 0, 0, 1].into()), ..Event::default() });
    is("ProxySnapshot", &ProxySnapshot::default());
    is("ProxyChange", &ProxyChange::default());
    is("ExplainView", &ExplainView { slot: Some(1), ..ExplainView::default() });
    is("Snapshot", &loaded());
    is("Configuration", &revision(1).document);
    let wrong = json!({ "interfaces": ["eth0"], "lisseners": [] });
    assert!(!validator("Configuration").is_valid(&wrong), "any configuration is described");
    assert!(!validator("StateView").is_valid(&json!({ "targets": 1 })), "any state is described");
    for (patch, good) in [
        (json!({ "weight": 1 }), true),
        (json!({ "drain": false }), true),
        (json!({}), false),
        (json!({ "weight": 1, "drain": true }), false),
        (json!({ "weight": null }), false),
    ] {
        assert_eq!(validator("TargetPatch").is_valid(&patch), good, "{patch}");
    }
}
