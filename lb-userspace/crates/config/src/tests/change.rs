//! Changes of parts by their paths. The table is frozen: a revision is the changes that made it, so
//! no row may ever have another result.

use serde_json::{Value, json};

use super::super::{Change, Document, Edit, Part, PartPath};

/// A configuration of two listeners, one with rules, and a group.
fn document() -> Value {
    json!({
        "interfaces": ["eth0"],
        "target_groups": [{
            "name": "web", "port": 80,
            "targets": [
                { "address": "10.0.1.11" },
                { "address": "10.0.1.12", "port": 8080 },
                { "address": "10.0.1.12", "port": 8081 },
                { "address": "2001:db8::1", "weight": 5 },
                { "address": "app.example", "port": 80 },
            ],
        }],
        "listeners": [
            { "name": "web", "port": 80 },
            { "name": "shop", "rules": [{ "name": "a", "priority": 1 }, { "priority": 2 }] },
        ],
    })
}

fn read(value: Value) -> Document {
    serde_json::from_value(value).unwrap()
}

/// The document after the changes, or the error.
fn changed(changes: &Value) -> Result<Value, String> {
    let changes: Vec<Change> =
        serde_json::from_value(changes.clone()).map_err(|error| error.to_string())?;
    let mut after = read(document());
    let before = after.clone();
    let edit = Edit::ChangeParts { changes };
    // As the store keeps it.
    let edit: Edit = serde_json::from_str(&serde_json::to_string(&edit).unwrap()).unwrap();
    let done = edit.apply(&mut after);
    if let Err(error) = done {
        assert_eq!(after, before, "{error}");
        return Err(error.to_string());
    }
    Ok(serde_json::to_value(&after).unwrap())
}

/// Each change, the place to look at afterwards, and what is there.
fn expect(cases: &[(Value, &str, Value)]) {
    for (change, pointer, expected) in cases {
        let after = changed(&json!([change])).unwrap_or_else(|error| panic!("{change}: {error}"));
        assert_eq!(after.pointer(pointer), Some(expected), "{change}: {after}");
    }
}

#[test]
fn parts_are_set() {
    let web = "target_groups[web]";
    expect(&[
        (
            json!({ "op": "set", "path": "listeners[web].port", "value": 81 }),
            "/listeners/0/port",
            json!(81),
        ),
        (
            json!({ "op": "set", "path": format!("{web}.attributes.slow_start"), "value": "30s" }),
            "/target_groups/0/attributes",
            json!({ "slow_start": "30s" }),
        ),
        (
            json!({ "op": "set", "path": format!("{web}.targets[10.0.1.11].weight"), "value": 7 }),
            "/target_groups/0/targets/0",
            json!({ "address": "10.0.1.11", "weight": 7 }),
        ),
        // The group's port is the target's.
        (
            json!({ "op": "set", "path": format!("{web}.targets[10.0.1.11:80].weight"), "value": 7 }),
            "/target_groups/0/targets/0/weight",
            json!(7),
        ),
        (
            json!({ "op": "set", "path": format!("{web}.targets[[2001:db8:0::1]:80].weight"), "value": 7 }),
            "/target_groups/0/targets/3/weight",
            json!(7),
        ),
        (
            json!({ "op": "set", "path": format!("{web}.targets[app.example].weight"), "value": 1 }),
            "/target_groups/0/targets/4/weight",
            json!(1),
        ),
        (
            json!({ "op": "set", "path": "listeners[web]", "value": { "name": "www" } }),
            "/listeners/0",
            json!({ "name": "www" }),
        ),
        (
            json!({ "op": "set", "path": "listeners[shop].rules[2].x", "value": 1 }),
            "/listeners/1/rules/1/x",
            json!(1),
        ),
        (
            json!({ "op": "set", "path": "", "value": { "interfaces": [] } }),
            "",
            json!({ "interfaces": [] }),
        ),
    ]);
}

#[test]
fn parts_are_created_and_deleted() {
    let web = "target_groups[web]";
    expect(&[
        (
            json!({ "op": "delete", "path": format!("{web}.targets[10.0.1.12:8081]") }),
            "/target_groups/0/targets/2/address",
            json!("2001:db8::1"),
        ),
        (
            json!({ "op": "create", "path": format!("{web}.targets[10.0.1.11:81]"),
                    "value": { "address": "10.0.1.11", "port": 81 } }),
            "/target_groups/0/targets/5/port",
            json!(81),
        ),
        (
            json!({ "op": "create", "path": "listeners[dns]", "value": { "name": "dns" } }),
            "/listeners/2",
            json!({ "name": "dns" }),
        ),
        (json!({ "op": "delete", "path": "listeners[web]" }), "/listeners/0/name", json!("shop")),
        (
            json!({ "op": "delete", "path": "listeners[shop].rules[a]" }),
            "/listeners/1/rules/0/priority",
            json!(2),
        ),
        (
            json!({ "op": "delete", "path": "listeners[shop].rules[1]" }),
            "/listeners/1/rules/0/priority",
            json!(2),
        ),
        (
            json!({ "op": "create", "path": "listeners[web].rules[b]", "value": { "name": "b" } }),
            "/listeners/0/rules",
            json!([{ "name": "b" }]),
        ),
        (
            json!({ "op": "create", "path": "interfaces[eth1]", "value": "eth1" }),
            "/interfaces",
            json!(["eth0", "eth1"]),
        ),
        (json!({ "op": "delete", "path": "interfaces[eth0]" }), "/interfaces", json!([])),
        (
            json!({ "op": "delete", "path": "listeners[web].port" }),
            "/listeners/0",
            json!({ "name": "web" }),
        ),
    ]);
}

#[test]
fn an_impossible_change_changes_nothing() {
    let web = "target_groups[web]";
    let cases: &[(Value, &str)] = &[
        (
            json!({ "op": "set", "path": "listeners[wed].port", "value": 81 }),
            "there is no listener wed (there are web, shop)",
        ),
        (
            json!({ "op": "delete", "path": format!("{web}.targets[10.0.1.99]") }),
            "there is no target web/10.0.1.99 (there are 10.0.1.11, 10.0.1.12, 10.0.1.12, \
             2001:db8::1, app.example)",
        ),
        (
            json!({ "op": "delete", "path": format!("{web}.targets[10.0.1.12]") }),
            "target web/10.0.1.12 is ambiguous: give its port",
        ),
        (
            json!({ "op": "create", "path": format!("{web}.targets[10.0.1.11:80]"),
                    "value": { "address": "10.0.1.11", "port": 80 } }),
            "target web/10.0.1.11:80 exists already; use `set`, or delete it first",
        ),
        (
            json!({ "op": "create", "path": "listeners[web]", "value": { "name": "web" } }),
            "listener web exists already; use `set`, or delete it first",
        ),
        (
            json!({ "op": "create", "path": "listeners[web].port", "value": 1 }),
            "listeners[web].port exists already; use `set`, or delete it first",
        ),
        (
            json!({ "op": "create", "path": "listeners[dns]", "value": { "name": "dnss" } }),
            "the value of listeners[dns] has another name or address than its path",
        ),
        (json!({ "op": "delete", "path": "listeners[web].x" }), "there is no listeners[web].x"),
        (json!({ "op": "delete", "path": "x.y" }), "there is no x"),
        (
            json!({ "op": "set", "path": "listeners[web].port.x", "value": 1 }),
            "listeners[web].port is a number, not a section with keys",
        ),
        (
            json!({ "op": "set", "path": "listeners[web].port[x]", "value": 1 }),
            "listeners[web].port[x] is a number, not an item of a list",
        ),
        (
            json!({ "op": "delete", "path": "" }),
            "the configuration exists already; use `set`, or delete it first",
        ),
        (
            json!({ "op": "set", "path": "a..b", "value": 1 }),
            "`a..b` is not a path: a key is empty; for example target_groups[web].attributes.slow_start",
        ),
    ];
    for (change, message) in cases {
        assert_eq!(changed(&json!([change])).unwrap_err(), *message, "{change}");
    }
    // The second change fails, and the first one is not there either.
    let good = json!({ "op": "set", "path": "listeners[web].port", "value": 81 });
    assert!(changed(&json!([good, { "op": "delete", "path": "listeners[x]" }])).is_err());
}

#[test]
fn the_history_names_objects_and_no_values() {
    let change = |text: Value| -> Change { serde_json::from_value(text).unwrap() };
    let all = [
        json!({ "op": "create", "path": "listeners[dns]", "value": { "name": "dns" } }),
        json!({ "op": "set", "path": "target_groups[web].health_check.payload", "value": "secret" }),
        json!({ "op": "delete", "path": "target_groups[web].targets[10.0.1.11]" }),
        json!({ "op": "delete", "path": "listeners[a]" }),
    ];
    let changes = all.map(change).to_vec();
    assert_eq!(
        Edit::ChangeParts { changes }.to_string(),
        "create listener dns, set target_groups[web].health_check.payload, delete target \
         web/10.0.1.11 and 1 more"
    );
}

#[test]
fn parts_are_found() {
    let document = read(document());
    let part = |path: &str| document.part(&path.parse::<PartPath>().unwrap());
    for (path, expected) in [
        ("listeners[web]", json!({ "name": "web", "port": 80 })),
        ("target_groups[web].targets[10.0.1.12:8081].port", json!(8081)),
        ("listeners[shop].rules[2]", json!({ "priority": 2 })),
        ("interfaces[eth0]", json!("eth0")),
    ] {
        assert_eq!(serde_json::to_value(part(path).unwrap()).unwrap(), expected, "{path}");
    }
    let error = part("listeners[dns]").unwrap_err().to_string();
    assert_eq!(error, "there is no listener dns (there are web, shop)");
    assert_eq!(part("listeners[web].x").unwrap_err().to_string(), "there is no listeners[web].x");
    assert_eq!(part("interfaces.x").unwrap_err().to_string(), "there is no interfaces.x");
}

#[test]
fn an_item_of_a_list_that_is_not_there_is_named_as_itself() {
    let mut empty = read(json!({}));
    let expected = "there is no target group web (there are none)";
    for path in ["target_groups[web]", "target_groups[web].targets[10.0.1.11]"] {
        let part = empty.part(&path.parse().unwrap()).unwrap_err().to_string();
        assert_eq!(part, expected, "{path}");
        let change = json!({ "op": "delete", "path": path });
        let edit = Edit::ChangeParts { changes: vec![serde_json::from_value(change).unwrap()] };
        assert_eq!(edit.apply(&mut empty).unwrap_err().to_string(), expected, "{path}");
    }
}

#[test]
fn parts_are_read_as_configurations_are() {
    let json = |text: &str| serde_json::to_value(Part::parse(text).unwrap()).unwrap();
    assert_eq!(json("on"), json!("on"));
    assert_eq!(json("80"), json!(80));
    assert_eq!(json("[a, 1]"), json!(["a", 1]));
    assert_eq!(json("203.0.113.10"), json!("203.0.113.10"));
    assert_eq!(json("2001:db8::1"), json!("2001:db8::1"));
    assert!(Part::parse("a: 1\na: 2").unwrap_err().contains("the key `a` occurs twice"));
}
