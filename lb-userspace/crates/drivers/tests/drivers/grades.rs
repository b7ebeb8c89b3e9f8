//! The check of drivers: the shipped example and the static driver pass, and each fault is found.

use std::{net::SocketAddr, path::Path, time::Duration};

use lb_drivers::{
    Calling, CheckOptions, Driver, ExecDriver, Grade, Report, Request, StaticDriver, check,
};
use lb_members::{Answer, Verb};
use serde_json::json;

fn options() -> CheckOptions {
    CheckOptions { poll_interval: Duration::from_millis(20), ..CheckOptions::new("web", "c0de") }
}

fn failed(report: &Report) -> Vec<&str> {
    let failed = report.findings.iter().filter(|finding| finding.grade == Grade::Failed);
    failed.map(|finding| finding.rule).collect()
}

fn static_driver(folder: &Path) -> StaticDriver {
    let addresses: Vec<SocketAddr> =
        (1..=4).map(|number| SocketAddr::from(([10, 0, 0, number], 80))).collect();
    StaticDriver::new(addresses, folder.join("assigned.json"))
}

#[tokio::test]
async fn the_static_driver_passes() {
    let folder = tempfile::tempdir().unwrap();
    let report = check(&static_driver(folder.path()), &options()).await;
    assert!(report.is_passed(), "\n{report}");
    let skipped = report.findings.iter().filter(|f| f.grade == Grade::NotSupported).count();
    assert_eq!(skipped, 1, "\n{report}");
}

#[tokio::test]
async fn the_driver_of_local_processes_passes() {
    let folder = tempfile::tempdir().unwrap();
    let program =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../deploy/drivers/local-processes");
    let driver = ExecDriver::new(program);
    let parameters = json!({
        "command": ["/bin/sh", "-c", "sleep 1000 & sleep 1001"],
        "ports": [9000, 9009],
        "directory": folder.path(),
    });
    let parameters = parameters.as_object().unwrap().clone();
    let report = check(&driver, &CheckOptions { parameters, ..options() }).await;
    assert!(report.findings.iter().all(|f| f.grade == Grade::Passed), "\n{report}");
}

/// A way to be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// `end` of what does not exist is an error.
    EndOfNothing,
    /// Another address each time.
    NewAddress,
    /// The template is not kept.
    NoTemplate,
    /// `end` does nothing.
    EndDoesNothing,
    /// `list` does not have everything.
    ListIsEmpty,
    /// All members have the same address.
    OneAddress,
}

#[derive(Debug)]
struct Faulty {
    inner: StaticDriver,
    fault: Fault,
    calls: std::sync::atomic::AtomicU16,
}

impl Driver for Faulty {
    fn call<'a>(&'a self, request: &'a Request, deadline: Duration) -> Calling<'a> {
        Box::pin(async move {
            let calls = self.calls.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            if request.verb == Verb::End && self.fault == Fault::EndDoesNothing {
                return Ok(Answer::Done);
            }
            if request.verb == Verb::End && self.fault == Fault::EndOfNothing {
                let describe = request.with(Verb::Describe, &request.name);
                drop(self.inner.call(&describe, deadline).await?);
            }
            let mut answer = self.inner.call(request, deadline).await?;
            match (&mut answer, self.fault) {
                (Answer::Members(members), Fault::ListIsEmpty) => members.clear(),
                (Answer::Members(members), Fault::NoTemplate) => {
                    for member in members {
                        member.template = None;
                    }
                }
                (Answer::Member(member), Fault::NewAddress) => member.port = Some(1000 + calls),
                (Answer::Member(member), Fault::OneAddress) => {
                    member.address = Some([10, 0, 0, 1].into());
                }
                _ => {}
            }
            Ok(answer)
        })
    }
}

#[tokio::test]
async fn faults_of_drivers_are_found() {
    // (fault, a rule that finds it)
    let cases = [
        (Fault::EndOfNothing, "`end` of a member that does not exist succeeds"),
        (Fault::NewAddress, "`ensure` twice is one member"),
        (Fault::NoTemplate, "a member runs, and `list` has it with its template"),
        (Fault::EndDoesNothing, "a member can be ended twice"),
        (Fault::ListIsEmpty, "a member runs, and `list` has it with its template"),
        (Fault::OneAddress, "members have addresses of their own"),
    ];
    for (fault, rule) in cases {
        let folder = tempfile::tempdir().unwrap();
        let inner = static_driver(folder.path());
        let options = CheckOptions { poll_interval: Duration::from_millis(1), ..options() };
        let report = check(&Faulty { inner, fault, calls: 0.into() }, &options).await;
        assert!(failed(&report).contains(&rule), "{fault:?}\n{report}");
    }
}
