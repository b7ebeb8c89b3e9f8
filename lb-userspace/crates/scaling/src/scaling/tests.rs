//! Groups with the static driver and a store in memory, in real time.

use std::{collections::BTreeMap, path::Path, time::Duration};

use lb_health::{ExecUser, Programs};
use tokio::time::timeout;

use super::*;
use crate::{ProblemKind, ScaleCommand, TargetSeen};

/// A store that can fail.
#[derive(Debug, Default)]
struct Memory {
    states: BTreeMap<(String, String), Vec<u8>>,
    commits: usize,
    fails: bool,
}

impl GroupStore for Memory {
    fn names(&mut self) -> Result<Vec<String>, String> {
        let main = self.states.keys().filter(|(_, part)| part.is_empty());
        Ok(main.map(|(group, _)| group.clone()).collect())
    }

    fn load(&mut self, group: &str, parts: &[&str]) -> Result<Vec<Option<Vec<u8>>>, String> {
        let state = |part: &&str| self.states.get(&(group.to_owned(), (*part).to_owned())).cloned();
        Ok(parts.iter().map(state).collect())
    }

    fn keep(&mut self, changes: &[PartChange<'_>]) -> Result<(), String> {
        if self.fails {
            return Err("the disk is full".to_owned());
        }
        self.commits += 1;
        for &PartChange { group, part, state } in changes {
            let key = (group.to_owned(), part.to_owned());
            match state {
                Some(state) => drop(self.states.insert(key, state.to_vec())),
                None => drop(self.states.remove(&key)),
            }
        }
        Ok(())
    }
}

fn context(folder: &Path) -> DriverContext {
    DriverContext {
        programs: Programs::Off,
        user: ExecUser::nobody(),
        state_dir: folder.to_owned(),
        read_secret: |_| Err("there is none".to_owned()),
    }
}

fn config(scaling: &str) -> Config {
    let targets = "targets: [{ address: 10.0.1.1 }, { address: 10.0.1.2 }, { address: 10.0.1.3 }]";
    let driver = format!("driver: {{ static: {{ {targets} }} }}");
    let scaling = scaling.replace("DRIVER", &driver);
    let text = format!(
        "interfaces: [eth0]\ntarget_groups:\n  - name: web\n    protocol: tcp\n    port: 80\n    \
         forwarding: ipip\n    attributes: {{ deregistration_delay: 0s }}\n{scaling}\n"
    );
    lb_config::parse(&text, "").unwrap_or_else(|error| panic!("{error}\n{text}")).1
}

fn scaled() -> Config {
    config("    scaling: { min: 2, max: 3, DRIVER }")
}

/// All that is a target is healthy.
fn seen(scaling: &Scaling) -> BTreeMap<Arc<str>, GroupSeen> {
    let mut seen: BTreeMap<Arc<str>, GroupSeen> =
        BTreeMap::from([("web".into(), GroupSeen::default())]);
    for (key, drains) in scaling.keys() {
        let target = TargetSeen { healthy: Some(true), drains, ..TargetSeen::default() };
        let group = seen.entry(key.group).or_default();
        group.targets.insert(SocketAddr::new(key.address, key.port), target);
    }
    seen
}

/// Takes in what ends within some time.
async fn settle(scaling: &mut Scaling, store: &mut Memory) {
    while let Ok(finished) = timeout(Duration::from_millis(300), scaling.finished()).await {
        scaling.finish(finished, store);
    }
    let seen = seen(scaling);
    scaling.tick(&seen, store);
}

fn targets(scaling: &Scaling) -> Vec<String> {
    scaling.keys().map(|(key, _)| key.place()).collect()
}

fn states(scaling: &Scaling) -> Vec<String> {
    scaling.members().into_iter().map(|member| member.state).collect()
}

async fn started(folder: &Path, store: &mut Memory) -> Scaling {
    let mut scaling = Scaling::new(context(folder));
    scaling.configure(&scaled(), store).unwrap();
    scaling.tick(&seen(&scaling), store);
    settle(&mut scaling, store).await;
    scaling
}

#[tokio::test]
async fn members_are_launched_and_become_targets() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Memory::default();
    let scaling = started(folder.path(), &mut store).await;
    assert_eq!(targets(&scaling), ["10.0.1.1:80", "10.0.1.2:80"]);
    assert_eq!(states(&scaling), ["in-service", "in-service"]);
    let config = scaling.effective().unwrap();
    assert_eq!(config.target_groups[0].targets.len(), 2);
    let described = scaling.describe("web").unwrap();
    assert!(described.explanation.starts_with("2 targets, unchanged"), "{described:?}");
    let outcomes: Vec<&str> =
        described.activities.iter().map(|activity| activity.outcome.as_str()).collect();
    assert_eq!(outcomes, ["successful", "successful"]);
    assert_eq!(scaling.problems().count(), 0);
}

#[tokio::test]
async fn what_is_not_stored_is_not_done() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Memory { fails: true, ..Memory::default() };
    let mut scaling = started(folder.path(), &mut store).await;
    assert!(!folder.path().join("static-targets").exists(), "the driver was called");
    let problems: Vec<ProblemKind> = scaling.problems().map(|(_, problem)| problem.kind).collect();
    assert_eq!(problems, [ProblemKind::NotStored]);
    let refused = scaling.command("web", &ScaleCommand::SetDesired { capacity: 3 }, &mut store);
    assert!(matches!(refused, Err(crate::CommandError::NotStored(_))), "{refused:?}");
    store.fails = false;
    settle(&mut scaling, &mut store).await;
    settle(&mut scaling, &mut store).await;
    assert_eq!(targets(&scaling).len(), 2);
    assert_eq!(scaling.problems().count(), 0);
}

#[tokio::test]
async fn the_next_agent_goes_on_with_the_same_members() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Memory::default();
    let mut first = started(folder.path(), &mut store).await;
    first.command("web", &ScaleCommand::SetDesired { capacity: 3 }, &mut store).unwrap();
    let suspend = ScaleCommand::Suspend { processes: vec!["terminate".to_owned()] };
    first.command("web", &suspend, &mut store).unwrap();
    // It is killed while it launches the third one.
    let names: Vec<String> = first.members().into_iter().map(|member| member.name).collect();
    drop(first);
    let mut second = Scaling::new(context(folder.path()));
    second.configure(&scaled(), &mut store).unwrap();
    assert_eq!(targets(&second), ["10.0.1.1:80", "10.0.1.2:80"], "at once, without a call");
    settle(&mut second, &mut store).await;
    settle(&mut second, &mut store).await;
    assert_eq!(targets(&second).len(), 3);
    let after: Vec<String> = second.members().into_iter().map(|member| member.name).collect();
    assert_eq!(after, names, "no member is created twice");
    let group = second.groups().remove(0);
    assert_eq!((group.desired, group.suspended), (3, vec!["terminate".to_owned()]));
}

#[tokio::test]
async fn members_of_a_group_that_is_not_scaled_any_more_are_ended() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Memory::default();
    let mut scaling = started(folder.path(), &mut store).await;
    let fixed = config("");
    assert_eq!(scaling.outline().changes(&fixed).len(), 1);
    scaling.configure(&fixed, &mut store).unwrap();
    assert_eq!(targets(&scaling), [""; 0], "they leave with their group");
    // The agent is restarted before they have ended.
    drop(scaling);
    let mut scaling = Scaling::new(context(folder.path()));
    scaling.configure(&fixed, &mut store).unwrap();
    settle(&mut scaling, &mut store).await;
    settle(&mut scaling, &mut store).await;
    let file = std::fs::read_to_string(folder.path().join("static-targets/web.json")).unwrap();
    assert_eq!(file, "{}", "the driver was told to end them");
    let refused = scaling.command("web", &ScaleCommand::Refresh, &mut store);
    assert!(matches!(refused, Err(crate::CommandError::NotNow(_))), "{refused:?}");
}

#[tokio::test]
async fn wrong_commands_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Memory::default();
    let mut scaling = started(folder.path(), &mut store).await;
    let before = store.states.clone();
    let member = || "web-0000-99".to_owned();
    let cases = [
        ("api", ScaleCommand::Refresh, "there is no target group api; scaled are: web"),
        ("web", ScaleCommand::SetDesired { capacity: 9 }, "9 is outside the limits 2 to 3"),
        ("web", ScaleCommand::SetDesired { capacity: 1 }, "1 is outside the limits 2 to 3"),
        ("web", ScaleCommand::Suspend { processes: vec!["all".to_owned()] }, "`all` is no process"),
        ("web", ScaleCommand::End { member: member() }, "group web has no member web-0000-99"),
        ("web", ScaleCommand::CancelRefresh, "no refresh is in progress"),
        (
            "web",
            ScaleCommand::Standby { member: "10.0.1.1:80".to_owned(), standby: false },
            "is not on standby",
        ),
    ];
    for (group, command, expected) in cases {
        let error = scaling.command(group, &command, &mut store).unwrap_err().to_string();
        assert!(error.contains(expected), "{command:?}: {error}");
    }
    assert_eq!(store.states, before);
}

/// A message about one group of a thousand does not list the others.
#[tokio::test]
async fn few_groups_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let mut scaling = Scaling::new(context(folder.path()));
    assert_eq!(scaling.known(), "none");
    let group = |number: u8| {
        format!(
            "  - {{ name: g{number}, protocol: tcp, port: 80, forwarding: ipip, scaling: {{ min: 0, \
             max: 1, driver: {{ static: {{ targets: [{{ address: 10.0.1.{number} }}] }} }} }} }}"
        )
    };
    let groups: Vec<String> = (1..=8).map(group).collect();
    let groups = groups.join("\n");
    let text = format!("interfaces: [eth0]\ntarget_groups:\n{groups}");
    let config = lb_config::parse(&text, "").unwrap().1;
    let mut store = Memory::default();
    scaling.configure(&config, &mut store).unwrap();
    assert_eq!(scaling.known(), "g1, g2, g3, g4, g5 and 3 more");
    // What all of them have to store is one commit, and nothing is stored again until a minute later.
    scaling.tick(
        &scaling.watched().into_keys().map(|name| (name, GroupSeen::default())).collect(),
        &mut store,
    );
    assert_eq!((store.commits, store.names().unwrap().len()), (1, 8));
    scaling.tick(&BTreeMap::new(), &mut store);
    assert_eq!(store.commits, 1);
}

#[tokio::test]
async fn standby_takes_a_member_out_and_another_comes() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Memory::default();
    let mut scaling = started(folder.path(), &mut store).await;
    let standby = |standby| ScaleCommand::Standby { member: "10.0.1.1:80".to_owned(), standby };
    scaling.command("web", &standby(true), &mut store).unwrap();
    assert_eq!(scaling.drained().len(), 1, "it takes no new flows");
    settle(&mut scaling, &mut store).await;
    settle(&mut scaling, &mut store).await;
    assert_eq!(states(&scaling), ["standby", "in-service", "in-service"]);
    scaling.command("web", &standby(false), &mut store).unwrap();
    assert!(scaling.drained().len() <= 1);
}

/// A value from outside moves the capacity, and what was not sent holds it.
#[tokio::test]
async fn capacity_follows_a_metric_that_is_sent() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Memory::default();
    let mut scaling = Scaling::new(context(folder.path()));
    let policy = "{ name: load, target_tracking: { metric: jobs, value: 10 } }";
    let text = format!(
        "    scaling: {{ min: 1, max: 3, sample_interval: 1s, scale_in_window: 1s, DRIVER, policies: \
         [{policy}], metrics: [{{ name: jobs, post: {{}} }}] }}"
    );
    scaling.configure(&config(&text), &mut store).unwrap();
    settle(&mut scaling, &mut store).await;
    let explained = scaling.describe("web").unwrap().explanation;
    assert!(explained.contains("no value was sent since the agent started"), "{explained}");
    let problems: Vec<ProblemKind> = scaling.problems().map(|(_, problem)| problem.kind).collect();
    assert!(problems.contains(&ProblemKind::InputFails), "{problems:?}");
    let post = |value: f64| ScaleCommand::PostMetric {
        metric: "jobs".to_owned(),
        value: serde_json::Number::from_f64(value).unwrap(),
        ttl_seconds: None,
    };
    scaling.command("web", &post(25.0), &mut store).unwrap();
    for _ in 0..40 {
        settle(&mut scaling, &mut store).await;
        if targets(&scaling).len() == 3 {
            break;
        }
    }
    assert_eq!(targets(&scaling).len(), 3);
    let refused = scaling.command("web", &post(-1.0), &mut store);
    assert!(matches!(refused, Err(crate::CommandError::NotNow(_))), "{refused:?}");
}

/// Whoever reads that a driver fails looks at the wrong program.
#[tokio::test]
async fn a_failing_hook_is_named_and_its_driver_is_not_blamed() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Memory::default();
    let mut scaling = Scaling::new(context(folder.path()));
    let with = |program: &str| {
        let hooks = format!("hooks: {{ launch: {{ program: {program} }} }}");
        config(&format!("    scaling: {{ min: 1, max: 3, DRIVER, {hooks} }}"))
    };
    // No program may run here.
    scaling.configure(&with("/etc/warm-up"), &mut store).unwrap();
    let texts = |scaling: &Scaling| {
        let driver = |one: &Problem| one.kind == ProblemKind::DriverFails;
        let all = scaling.problems().map(|(_, problem)| problem).filter(driver);
        all.map(|problem| problem.text).collect::<Vec<_>>()
    };
    let wanted = "target group web: its launch hook /etc/warm-up failed for member ";
    // The member is given up, which is no fault of the driver either.
    let given_up = |scaling: &Scaling| scaling.groups().iter().any(|one| one.failed_calls > 0);
    // At each step: the next call of the driver that succeeds takes back what was said of it.
    let check = |scaling: &Scaling| {
        let problems = texts(scaling);
        assert!(problems.iter().all(|problem| problem.starts_with(wanted)), "{problems:?}");
    };
    for _ in 0..20 {
        while let Ok(finished) = timeout(Duration::from_millis(300), scaling.finished()).await {
            scaling.finish(finished, &mut store);
            check(&scaling);
        }
        let seen = seen(&scaling);
        scaling.tick(&seen, &mut store);
        check(&scaling);
        if given_up(&scaling) {
            break;
        }
    }
    assert!(given_up(&scaling) && texts(&scaling).len() == 1, "{:?}", texts(&scaling));
    // What is said of a hook goes with it.
    scaling.configure(&scaled(), &mut store).unwrap();
    assert_eq!(texts(&scaling), Vec::<String>::new());
}
