//! The check of drivers: the shipped example and the static driver pass, and each fault is found.

use std::{net::SocketAddr, path::Path, time::Duration};

use lb_drivers::{
    Calling, CheckOptions, Driver, ExecDriver, Grade, Report, Request, StaticDriver, check,
    end_members_of_check,
};
use lb_members::{Answer, Verb};
use serde_json::{Map, json};

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
    let count = |grade| report.findings.iter().filter(|f| f.grade == grade).count();
    // It does not stop members; it has no clock, and its calls are not signed.
    assert_eq!((count(Grade::NotSupported), count(Grade::NotExamined)), (1, 2), "\n{report}");
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
    // Calls of a program are not signed, and a wrong clock needs libfaketime.
    let may_be_missing =
        ["with a wrong clock, nothing is lost or doubled", "calls of others are refused"];
    let is_kept = |f: &lb_drivers::Finding| {
        f.grade == Grade::Passed
            || (f.grade == Grade::NotExamined && may_be_missing.contains(&f.rule))
    };
    assert!(report.findings.iter().all(is_kept), "\n{report}");
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
    /// `list` has members of all groups.
    AnyGroup,
    /// With a clock that is late, it forgets.
    LateClockForgets,
    /// With another clock, it has another address.
    ClockIsAddress,
    /// It obeys everybody.
    NoSignature,
}

#[derive(Debug)]
struct Faulty {
    inner: StaticDriver,
    fault: Fault,
    calls: std::sync::atomic::AtomicU16,
    clock_offset_seconds: i64,
}

impl Faulty {
    fn new(folder: &Path, fault: Fault) -> Self {
        let inner = static_driver(folder);
        Self { inner, fault, calls: 0.into(), clock_offset_seconds: 0 }
    }

    fn again(&self, clock_offset_seconds: i64) -> Box<dyn Driver> {
        let (inner, calls) = (self.inner.clone(), 0.into());
        Box::new(Self { inner, fault: self.fault, calls, clock_offset_seconds })
    }
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
            let mut asked = request.clone();
            if self.fault == Fault::AnyGroup {
                "web".clone_into(&mut asked.group);
            }
            let mut answer = self.inner.call(&asked, deadline).await?;
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
                (Answer::Members(members), Fault::LateClockForgets)
                    if self.clock_offset_seconds < 0 =>
                {
                    members.clear();
                }
                (Answer::Member(member), Fault::ClockIsAddress)
                    if self.clock_offset_seconds > 0 =>
                {
                    member.port = Some(1);
                }
                _ => {}
            }
            Ok(answer)
        })
    }

    fn with_clock_offset(&self, seconds: i64) -> Result<Box<dyn Driver>, String> {
        Ok(self.again(seconds))
    }

    fn impostors(&self) -> Vec<(&'static str, Box<dyn Driver>)> {
        match self.fault {
            Fault::NoSignature => vec![("without a signature", self.again(0))],
            _ => Vec::new(),
        }
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
        (Fault::AnyGroup, "`list` of another group does not have it"),
        (Fault::LateClockForgets, "with a wrong clock, nothing is lost or doubled"),
        (Fault::ClockIsAddress, "with a wrong clock, nothing is lost or doubled"),
        (Fault::NoSignature, "calls of others are refused"),
    ];
    for (fault, rule) in cases {
        let folder = tempfile::tempdir().unwrap();
        let options = CheckOptions { poll_interval: Duration::from_millis(1), ..options() };
        let report = check(&Faulty::new(folder.path(), fault), &options).await;
        assert!(failed(&report).contains(&rule), "{fault:?}\n{report}");
    }
}

#[tokio::test]
async fn a_group_with_members_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let driver = static_driver(folder.path());
    let (group, template) = ("web".to_owned(), "t".to_owned());
    let name = "web-3f2a-1".to_owned();
    let ensure = Request { verb: Verb::Ensure, group, name, template, parameters: Map::new() };
    let member = driver.call(&ensure, Duration::from_mins(1)).await.unwrap();
    let report = check(&driver, &options()).await;
    let rules = report.findings.len();
    let examined = report.findings.iter().filter(|f| f.grade != Grade::NotExamined).count();
    assert_eq!((failed(&report).len(), examined, rules > 10), (1, 1, true), "\n{report}");
    assert!(report.findings[0].detail.contains("web-3f2a-1"), "\n{report}");
    assert!(end_members_of_check(&driver, &options()).await.is_empty());
    let list = driver.call(&ensure.with(Verb::List, ""), Duration::from_mins(1)).await;
    let Answer::Member(member) = member else { panic!("{member:?}") };
    assert_eq!(list, Ok(Answer::Members(vec![member])));
}

#[tokio::test]
async fn a_check_that_is_broken_off_can_be_cleaned_up() {
    let folder = tempfile::tempdir().unwrap();
    let driver = static_driver(folder.path());
    let options = options();
    let mut left = None;
    for number in [1, 2] {
        let name = format!("web-c0de-{number}");
        let (group, template) = ("web".to_owned(), "t".to_owned());
        let ensure = Request { verb: Verb::Ensure, group, name, template, parameters: Map::new() };
        driver.call(&ensure, options.deadline).await.unwrap();
        left = Some(ensure);
    }
    assert!(end_members_of_check(&driver, &options).await.is_empty());
    let list = driver.call(&left.unwrap().with(Verb::List, ""), options.deadline).await;
    assert_eq!(list, Ok(Answer::Members(Vec::new())));
    let faulty = Faulty::new(folder.path(), Fault::EndDoesNothing);
    let (group, template) = ("web".to_owned(), "t".to_owned());
    let name = "web-c0de-3".to_owned();
    let ensure = Request { verb: Verb::Ensure, group, name, template, parameters: Map::new() };
    driver.call(&ensure, options.deadline).await.unwrap();
    assert_eq!(end_members_of_check(&faulty, &options).await, ["web-c0de-3"]);
}
