//! A group whose members are real processes of the shipped driver: out, a member that dies, an agent
//! that starts again, in, and nothing is left. Time is virtual.

use std::{fs, path::Path, process::Command, sync::Arc, time::Duration};

use lb_drivers::{Driver as _, ExecDriver, Request};
use lb_members::{Action, Demand, Group, Input, Ledger, MemberSettings, Outputs, Phase};
use lb_scale::{Limits, Moment};
use serde_json::{Map, Value, json};
use tokio::net::TcpStream;

/// The most rounds until a state must be reached; each takes real time, too.
const ROUNDS_MAX: u64 = 600;

struct Life {
    group: Group,
    settings: Arc<MemberSettings>,
    driver: ExecDriver,
    parameters: Map<String, Value>,
    stored: String,
    now: u64,
    desired: u32,
}

impl Life {
    fn new(folder: &Path) -> Self {
        let program =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../deploy/drivers/local-processes");
        let parameters = json!({
            "command": ["/usr/bin/python3", "-m", "http.server", "--bind", "{address}", "{port}"],
            "ports": [18080, 18099],
            // Nobody else uses this address.
            "address": "127.73.80.1",
            "directory": folder,
        });
        let settings = Arc::new(MemberSettings {
            group: "web".to_owned(),
            template: "t".to_owned(),
            // They count rounds here.
            first_healthy_timeout: Duration::from_hours(9),
            ..MemberSettings::default()
        });
        let ledger = Ledger::new(1);
        let stored = serde_json::to_string(&ledger).unwrap();
        let (group, _) = Group::open(ledger, Arc::clone(&settings));
        Self {
            group,
            settings,
            driver: ExecDriver::new(program),
            parameters: parameters.as_object().unwrap().clone(),
            stored,
            now: 0,
            desired: 0,
        }
    }

    fn restart(&mut self) {
        let ledger = serde_json::from_str(&self.stored).unwrap();
        self.group = Group::open(ledger, Arc::clone(&self.settings)).0;
    }

    /// One step, and all that follows from it.
    async fn input(&mut self, input: Input) {
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            let wall = jiff::Timestamp::UNIX_EPOCH;
            let now = Moment { boot_id: 1, boot: Duration::from_secs(self.now), wall };
            let Outputs { store, actions, .. } = self.group.step(input, now);
            if store {
                self.stored = serde_json::to_string(self.group.ledger()).unwrap();
            }
            for action in actions {
                if let Action::Call(call) = action {
                    let request = Request::of(&call, "web", self.parameters.clone());
                    let result = self.driver.call(&request, call.deadline).await;
                    inputs.push(Input::Called { call: call.id, result });
                }
            }
        }
    }

    /// Rounds until a condition holds.
    async fn until(&mut self, what: &str, holds: impl Fn(&Group) -> bool) {
        for _ in 0..ROUNDS_MAX {
            if holds(&self.group) {
                return;
            }
            self.now += 5;
            let targets: Vec<_> = self
                .group
                .targets()
                .map(|(name, address, drains)| (name.to_owned(), address, drains))
                .collect();
            for (name, address, drains) in targets {
                let healthy = TcpStream::connect(address).await.is_ok();
                self.input(Input::Health { name: name.clone(), healthy }).await;
                if drains {
                    self.input(Input::Flows { name, flows: 0 }).await;
                }
            }
            let (desired, limits) = (self.desired, Limits { min: 0, max: 9 });
            let (launch, scale_in, replace) = (true, true, Vec::new());
            let demand = Demand { desired, limits, launch, scale_in, replace };
            self.input(Input::Demand(demand)).await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("not {what}: {:#?}", self.group.ledger());
    }
}

fn in_service(group: &Group) -> Vec<String> {
    let members = &group.ledger().members;
    let names = members.iter().filter(|(_, record)| record.phase == Phase::InService);
    names.map(|(name, _)| name.clone()).collect()
}

/// The processes of a directory's members.
fn processes(folder: &Path) -> Vec<String> {
    let mark = format!("XELB_MEMBER={}", folder.display());
    let is_member = |pid: &String| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|variable| variable.starts_with(mark.as_bytes()))
    };
    let entries = fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    entries.filter(is_member).collect()
}

#[tokio::test]
async fn members_that_are_processes() {
    let folder = tempfile::tempdir().unwrap();
    let mut life = Life::new(folder.path());
    life.desired = 3;
    life.until("three in service", |group| in_service(group).len() == 3).await;
    assert_eq!(processes(folder.path()).len(), 3);

    // One dies. Its health checks fail, two readings do not have it, and another one comes.
    let before = in_service(&life.group);
    let victim = processes(folder.path()).remove(0);
    assert!(Command::new("/bin/kill").args(["-9", &victim]).status().unwrap().success());
    life.until("replaced", |group| {
        let now = in_service(group);
        now.len() == 3 && now != before && group.ledger().members.len() == 3
    })
    .await;

    life.restart();
    life.desired = 1;
    life.until("one in service", |group| group.ledger().members.len() == 1).await;
    assert_eq!(processes(folder.path()).len(), 1);
    life.desired = 0;
    life.until("empty", |group| group.ledger().members.is_empty()).await;
    assert_eq!(processes(folder.path()), Vec::<String>::new());
}
