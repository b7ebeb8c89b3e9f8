//! A scaled group whose members are containers of Podman: they come, are replaced by those of another
//! template, and are ended when the group leaves the configuration.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use lb_config::Config;
use lb_drivers::{DockerDriver, Driver as _, Request};
use lb_health::{ExecUser, Programs};
use lb_members::{Answer, Reported, Verb};
use lb_scaling::{
    DriverContext, GroupSeen, GroupStore, PartChange, ScaleCommand, Scaling, TargetSeen,
};
use serde_json::{Map, json};
use tokio::time::timeout;

use crate::podman::Podman;

/// Podman is slow on a busy host.
const LIMIT: Duration = Duration::from_mins(2);

#[derive(Debug, Default)]
struct Memory(BTreeMap<(String, String), Vec<u8>>);

impl GroupStore for Memory {
    fn names(&mut self) -> Result<Vec<String>, String> {
        let main = self.0.keys().filter(|(_, part)| part.is_empty());
        Ok(main.map(|(group, _)| group.clone()).collect())
    }

    fn load(&mut self, group: &str, parts: &[&str]) -> Result<Vec<Option<Vec<u8>>>, String> {
        let state = |part: &&str| self.0.get(&(group.to_owned(), (*part).to_owned())).cloned();
        Ok(parts.iter().map(state).collect())
    }

    fn keep(&mut self, changes: &[PartChange<'_>]) -> Result<(), String> {
        for &PartChange { group, part, state } in changes {
            let key = (group.to_owned(), part.to_owned());
            match state {
                Some(state) => drop(self.0.insert(key, state.to_vec())),
                None => drop(self.0.remove(&key)),
            }
        }
        Ok(())
    }
}

fn config(scaling: &str) -> Config {
    let text = format!(
        "interfaces: [eth0]\ntarget_groups:\n  - name: web\n    protocol: tcp\n    port: 80\n    \
         forwarding: ipip\n    attributes: {{ deregistration_delay: 0s }}\n{scaling}"
    );
    lb_config::parse(&text, "").unwrap_or_else(|error| panic!("{error}\n{text}")).1
}

fn scaled(socket: &Path, seconds: u32) -> Config {
    config(&format!(
        "    scaling:
      min: 2
      max: 3
      driver:
        docker:
          image: xelb-test:1
          socket: {}
          command: [/bin/sh, -c, sleep {seconds}]
          stop_timeout: 0s
      replacement: {{ max_at_once: 50%, min_healthy: 50% }}
",
        socket.display()
    ))
}

/// A second of an agent whose health checks all pass.
async fn second(scaling: &mut Scaling, store: &mut Memory) {
    let mut seen: BTreeMap<Arc<str>, GroupSeen> = BTreeMap::new();
    for (key, drains) in scaling.keys() {
        let target = TargetSeen { healthy: Some(true), drains, ..TargetSeen::default() };
        let group = seen.entry(key.group).or_default();
        group.targets.insert(SocketAddr::new(key.address, key.port), target);
    }
    seen.entry("web".into()).or_default();
    scaling.tick(&seen, store);
    let end = Instant::now() + Duration::from_secs(1);
    while let Ok(finished) =
        timeout(end.saturating_duration_since(Instant::now()), scaling.finished()).await
    {
        scaling.finish(finished, store);
    }
}

/// Members in service by name, when there are so many and no others.
fn in_service(scaling: &Scaling, count: usize) -> Option<Vec<(String, String)>> {
    let members = scaling.members();
    let all = members.iter().all(|member| member.state == "in-service");
    let of = |member: lb_scaling::MemberView| (member.name, member.template);
    (all && members.len() == count).then(|| members.into_iter().map(of).collect())
}

async fn until<T>(
    scaling: &mut Scaling,
    store: &mut Memory,
    mut done: impl FnMut(&Scaling) -> Option<T>,
) -> T {
    let end = Instant::now() + LIMIT;
    loop {
        if let Some(result) = done(scaling) {
            return result;
        }
        let problems: Vec<String> = scaling.problems().map(|(_, problem)| problem.text).collect();
        assert!(Instant::now() < end, "{:?}; {problems:?}", scaling.members());
        second(scaling, store).await;
    }
}

async fn containers(driver: &DockerDriver) -> Vec<Reported> {
    let request = Request {
        verb: Verb::List,
        group: "web".to_owned(),
        name: String::new(),
        template: String::new(),
        parameters: Map::new(),
    };
    match driver.call(&request, LIMIT).await {
        Ok(Answer::Members(members)) => members,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn containers_are_launched_replaced_and_ended() {
    let podman = Podman::start();
    let folder = tempfile::tempdir().unwrap();
    let mut scaling = Scaling::new(DriverContext {
        programs: Programs::Off,
        user: ExecUser::nobody(),
        state_dir: folder.path().to_owned(),
        read_secret: |_| Err("there is none".to_owned()),
    });
    let store = &mut Memory::default();
    scaling.configure(&scaled(&podman.socket(), 1000), store).unwrap();
    let first = until(&mut scaling, store, |scaling| in_service(scaling, 2)).await;

    let settings = json!({ "image": "x", "port": 80, "socket": podman.socket() });
    let driver = DockerDriver::new(serde_json::from_value(settings).unwrap()).unwrap();
    let listed = containers(&driver).await;
    let of = |one: &Reported| (one.name.clone(), one.template.clone().unwrap_or_default());
    assert_eq!(
        listed.iter().map(of).collect::<std::collections::BTreeSet<_>>(),
        first.iter().cloned().collect()
    );
    let targets: Vec<SocketAddr> =
        scaling.keys().map(|(key, _)| SocketAddr::new(key.address, key.port)).collect();
    for container in &listed {
        let target = SocketAddr::new(container.address.unwrap(), 80);
        assert!(targets.contains(&target), "{target} of {targets:?}");
    }

    scaling.configure(&scaled(&podman.socket(), 2000), store).unwrap();
    scaling.command("web", &ScaleCommand::Refresh, store).unwrap();
    let is_new = |scaling: &Scaling| {
        let members = in_service(scaling, 2)?;
        members.iter().all(|member| !first.contains(member)).then_some(members)
    };
    let second = until(&mut scaling, store, is_new).await;
    assert!(second.iter().all(|(_, template)| *template != first[0].1), "{first:?} {second:?}");

    scaling.configure(&config(""), store).unwrap();
    let is_over = |scaling: &Scaling| scaling.is_empty().then_some(());
    until(&mut scaling, store, is_over).await;
    assert_eq!(containers(&driver).await, [], "containers are left");
}
