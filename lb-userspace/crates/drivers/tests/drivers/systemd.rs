//! The systemd driver with a stub of `systemctl`. With systemd itself it is tested in the stage
//! `package`.

use std::{fs, path::Path, time::Duration};

use lb_drivers::{Driver as _, Grade, Request, SystemdDriver, SystemdSettings, check};
use lb_members::{Answer, CallResult, ErrorClass, MemberState, Verb};
use serde_json::Map;

use crate::stubs::{install, options};

const LONG: Duration = Duration::from_mins(1);

fn driver(folder: &Path, unit: &str) -> SystemdDriver {
    let settings = SystemdSettings {
        unit: unit.to_owned(),
        addresses: vec![[10, 0, 0, 5].into()],
        ports: [9000, 9009],
        directory: folder.join("members"),
    };
    SystemdDriver::with_systemctl(settings, &install(folder, "systemctl")).unwrap()
}

async fn call(driver: &SystemdDriver, verb: Verb, name: &str) -> CallResult {
    let (group, template) = ("web".to_owned(), "t".to_owned());
    let request = Request { verb, group, name: name.to_owned(), template, parameters: Map::new() };
    driver.call(&request, LONG).await
}

#[tokio::test]
async fn it_passes_the_check() {
    let folder = tempfile::tempdir().unwrap();
    let report = check(&driver(folder.path(), "app@.service"), &options()).await;
    assert!(report.is_passed(), "\n{report}");
    assert!(report.findings.iter().all(|f| f.grade != Grade::NotSupported), "\n{report}");
    let left: Vec<String> = fs::read_dir(folder.path().join("members"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(left, ["lock"]);
}

#[tokio::test]
async fn units_that_fail_or_do_not_exist_are_errors_of_the_template() {
    let folder = tempfile::tempdir().unwrap();
    let missing = driver(folder.path(), "missing@.service");
    let error = call(&missing, Verb::Ensure, "web-1-1").await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Template, "{error}");
    assert!(error.message.contains("no such template unit"), "{error}");
    // It has no address, and can be ended.
    assert_eq!(call(&missing, Verb::List, "").await, Ok(Answer::Members(Vec::new())));
    call(&missing, Verb::End, "web-1-1").await.unwrap();

    let driver = driver(folder.path(), "broken@.service");
    let error = call(&driver, Verb::Ensure, "web-1-2").await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Template, "{error}");
    assert!(error.message.contains("journalctl -u broken@web-1-2.service"), "{error}");
    // It is listed until it is ended.
    let Ok(Answer::Members(members)) = call(&driver, Verb::List, "").await else { panic!() };
    let failed = members.iter().find(|member| member.name == "web-1-2").unwrap();
    assert_eq!(failed.state, MemberState::Failed);
    call(&driver, Verb::End, "web-1-2").await.unwrap();
    let Ok(Answer::Members(members)) = call(&driver, Verb::List, "").await else { panic!() };
    assert!(members.iter().all(|member| member.name != "web-1-2"), "{members:?}");
}

#[tokio::test]
async fn an_instance_without_a_record_is_listed_and_can_be_ended() {
    let folder = tempfile::tempdir().unwrap();
    let driver = driver(folder.path(), "app@.service");
    call(&driver, Verb::Ensure, "web-1-1").await.unwrap();
    call(&driver, Verb::Ensure, "web-eu-1-1").await.unwrap();
    fs::remove_file(folder.path().join("members/web-1-1.env")).unwrap();
    fs::remove_file(folder.path().join("members/web-eu-1-1.env")).unwrap();
    let Ok(Answer::Members(members)) = call(&driver, Verb::List, "").await else { panic!() };
    let names: Vec<&str> = members.iter().map(|member| member.name.as_str()).collect();
    assert_eq!(names, ["web-1-1"], "the other is of group web-eu");
    call(&driver, Verb::End, "web-1-1").await.unwrap();
    assert_eq!(call(&driver, Verb::List, "").await, Ok(Answer::Members(Vec::new())));
}

#[tokio::test]
async fn all_ports_used_is_a_quota() {
    let folder = tempfile::tempdir().unwrap();
    let driver = driver(folder.path(), "app@.service");
    for number in 0..10 {
        call(&driver, Verb::Ensure, &format!("web-1-{number}")).await.unwrap();
    }
    let error = call(&driver, Verb::Ensure, "web-1-10").await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Quota, "{error}");
}
