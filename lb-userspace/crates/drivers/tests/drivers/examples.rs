//! The drivers of deploy/drivers with stubs of their tools: each passes the check, and says what kind
//! of error it meets.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use lb_drivers::{CheckOptions, Driver as _, ExecDriver, Grade, Request, check};
use lb_members::{CallResult, ErrorClass, Verb};
use serde_json::{Map, Value, json};

use crate::stubs::{install, options};

const DOMAIN: &str = "<domain type='kvm'><name>base</name><uuid>x</uuid>\
    <devices><disk><source file='{disk}'/></disk></devices></domain>";
const POD: &str = r#"{"apiVersion": "v1", "kind": "Pod", "metadata": {"labels": {"app": "web"}},
    "spec": {"containers": [{"name": "web", "image": "web:1"}]}}"#;
const JOB: &str = r#"{"Job": {"Type": "service", "TaskGroups": [{"Name": "{name}"}]}}"#;

fn driver(name: &str) -> ExecDriver {
    ExecDriver::new(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../deploy/drivers").join(name),
    )
}

fn map(value: &Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

fn file(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, text).unwrap();
    path
}

/// Whether a driver passes with these parameters, and supports `stop`.
async fn passes(name: &str, tool: &str, parameters: impl Fn(&Path) -> Value, can_stop: bool) {
    let folder = tempfile::tempdir().unwrap();
    let mut parameters = map(&parameters(folder.path()));
    parameters.insert("tool".to_owned(), json!(install(folder.path(), tool)));
    let report = check(&driver(name), &CheckOptions { parameters, ..options() }).await;
    let not_supported = report.findings.iter().filter(|f| f.grade == Grade::NotSupported).count();
    assert!(report.is_passed(), "{name}\n{report}");
    assert_eq!(not_supported, usize::from(!can_stop), "{name}\n{report}");
}

#[tokio::test]
async fn libvirt_passes() {
    let parameters = |folder: &Path| {
        let xml = file(folder, "domain.xml", DOMAIN);
        json!({ "xml": xml, "port": 80, "pool": "p", "base": "base.qcow2", "capacity": "10G" })
    };
    passes("libvirt", "virsh", parameters, true).await;
}

#[tokio::test]
async fn incus_passes() {
    let parameters = |_: &Path| json!({ "image": "images:debian/12", "port": 80 });
    passes("incus", "incus", parameters, true).await;
}

#[tokio::test]
async fn aws_passes() {
    passes("aws", "aws", |_| json!({ "launch_template": "web:3", "port": 80 }), true).await;
}

#[tokio::test]
async fn nomad_passes() {
    passes("nomad", "nomad", |folder| json!({ "job": file(folder, "job.json", JOB) }), false).await;
}

#[tokio::test]
async fn kubernetes_passes() {
    let parameters = |folder: &Path| json!({ "pod": file(folder, "pod.json", POD), "port": 80 });
    passes("kubernetes", "kubectl", parameters, false).await;
}

#[tokio::test]
async fn proxmox_passes() {
    let parameters = |folder: &Path| {
        let directory = folder.join("numbers");
        json!({ "node": "n", "clone": 100, "ids": [9001, 9050], "port": 80, "directory": directory })
    };
    passes("proxmox", "pvesh", parameters, true).await;
}

/// The example of docs/drivers.md.
#[tokio::test]
async fn the_documented_driver_passes() {
    let folder = tempfile::tempdir().unwrap();
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../docs/drivers.md");
    let page = fs::read_to_string(page).unwrap();
    let code = page.split("<!-- driver -->\n```python\n").nth(1).unwrap();
    let path = file(folder.path(), "new", code.split("```").next().unwrap());
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    let program = folder.path().join("driver");
    fs::rename(path, &program).unwrap();
    let parameters = map(&json!({ "directory": folder.path().join("members") }));
    let report = check(&ExecDriver::new(program), &CheckOptions { parameters, ..options() }).await;
    assert!(report.is_passed(), "\n{report}");
}

async fn ensure(name: &str, tool: &str, folder: &Path, parameters: Value) -> CallResult {
    let mut parameters = map(&parameters);
    parameters.entry("tool").or_insert_with(|| json!(install(folder, tool)));
    let request = Request {
        verb: Verb::Ensure,
        group: "web".to_owned(),
        name: "web-1-1".to_owned(),
        template: "t".to_owned(),
        parameters,
    };
    driver(name).call(&request, options().deadline).await
}

#[tokio::test]
async fn errors_have_their_class() {
    let folder = tempfile::tempdir().unwrap();
    let bad = file(folder.path(), "bad", "no XML, no JSON");
    let job = file(folder.path(), "job.json", "{}");
    let ids = json!({ "node": "n", "clone": 101, "ids": [9001, 9050], "port": 80,
                      "directory": folder.path().join("numbers") });
    let full = json!({ "node": "n", "clone": 100, "ids": [100, 100], "port": 80,
                       "directory": folder.path().join("full") });
    // (driver, tool, parameters, class, part of the message)
    let cases = [
        (
            "incus",
            "incus",
            json!({ "image": "missing", "port": 80 }),
            "template",
            "Image not found",
        ),
        ("incus", "incus", json!({ "port": 80 }), "template", "`image` is not set"),
        ("incus", "incus", json!({ "tool": "/nonexistent" }), "fatal", "/nonexistent"),
        ("aws", "aws", json!({ "launch_template": "full", "port": 80 }), "quota", "vCPU"),
        ("libvirt", "virsh", json!({ "xml": bad, "port": 80 }), "template", "syntax error"),
        ("nomad", "nomad", json!({ "job": job }), "template", "missing task groups"),
        ("kubernetes", "kubectl", json!({ "pod": bad, "port": 80 }), "template", "Expecting value"),
        ("proxmox", "pvesh", ids, "template", "does not exist"),
        ("proxmox", "pvesh", full, "quota", "all numbers from 100 to 100 are used"),
    ];
    for (name, tool, parameters, class, message) in cases {
        let folder = tempfile::tempdir().unwrap();
        let error = ensure(name, tool, folder.path(), parameters).await.unwrap_err();
        let expected: ErrorClass = serde_json::from_value(json!(class)).unwrap();
        assert_eq!(error.class, expected, "{name}: {error}");
        assert!(error.message.contains(message), "{name}: {error}");
    }
}
