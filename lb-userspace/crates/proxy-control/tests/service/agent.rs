//! What an agent says is served as it comes, and the agent is told what became of it.

use std::{net::SocketAddr, sync::Arc};

use lb_common::target::TargetState;
use lb_config::TargetKey;
use lb_proxy_control::{ConfigId, Load, Served, ServiceOptions, Source, Told};
use tokio::sync::watch;

use crate::support::{
    ConfigFile, LONG, RunningService, free_port, get, load, local, target, two_groups, wait_until,
};

/// The agent's side.
struct Agent {
    told: watch::Sender<Option<Arc<Told>>>,
    served: watch::Receiver<Served>,
    version: u64,
}

impl Agent {
    fn start() -> (Self, RunningService) {
        let (told, receiver) = watch::channel(None);
        let (sender, served) = watch::channel(Served::default());
        let source = Source::Agent { told: receiver, served: sender };
        let options = ServiceOptions {
            source,
            workers: 2,
            access_log: None,
            drain_timeout: LONG,
            monitor: None,
        };
        (Self { told, served, version: 0 }, RunningService::start(options))
    }

    /// Says that a file is the configuration, and how the targets of the group `web` are.
    fn tell(&mut self, digest: &str, file: &ConfigFile, web: &[(SocketAddr, TargetState)]) {
        self.version += 1;
        let path = file.path("xelb.yaml");
        let load: Load = Arc::new(move || load(&path));
        let key = |address: &SocketAddr| TargetKey {
            group: "web".into(),
            address: address.ip(),
            port: address.port(),
        };
        let id = ConfigId {
            digest: digest.to_owned(),
            revision: Some(self.version),
            name: format!("revision {}", self.version),
        };
        let states = web.iter().map(|(address, state)| (key(address), *state)).collect();
        let told = Told { id, version: self.version, load: Some(load), states };
        self.told.send_replace(Some(Arc::new(told)));
    }

    fn wait(&self, what: &str, holds: impl Fn(&Served) -> bool) {
        wait_until(what, || holds(&self.served.borrow()));
    }
}

/// Two targets in the group `web`.
fn two_targets(port: u16, targets: [SocketAddr; 2]) -> String {
    let [one, two] = targets;
    two_groups(port, one, one).replacen(
        "targets: [{ address: 127.0.0.1 }]",
        &format!(
            "targets: [{{ address: 127.0.0.1 }}, {{ address: 127.0.0.1, port: {} }}]",
            two.port()
        ),
        1,
    )
}

#[test]
fn states_of_targets_are_those_that_the_agent_says() {
    use TargetState::{Draining, Healthy, Unhealthy};
    let (port, targets) = (free_port(), [target("one"), target("two")]);
    let file = ConfigFile::new(&two_targets(port, targets));
    let (mut agent, service) = Agent::start();
    agent.wait("nothing is served at first", |served| served.id.digest.is_empty());
    for (states, expected) in
        [([Healthy, Unhealthy], "one"), ([Draining, Healthy], "two"), ([Healthy, Draining], "one")]
    {
        agent.tell("a", &file, &[(targets[0], states[0]), (targets[1], states[1])]);
        let version = agent.version;
        agent.wait("it is served", |served| served.version == version && served.id.digest == "a");
        for _ in 0..4 {
            assert_eq!(get(local(port), "/").1, expected, "{states:?}");
        }
    }
    assert_eq!(agent.served.borrow().id.revision, Some(3));
    assert_eq!(service.stop(), (0, 0));
}

#[test]
fn a_configuration_that_cannot_be_served_is_told_and_tried_again() {
    let (port, web) = (free_port(), target("one"));
    let healthy = [(web, TargetState::Healthy)];
    let (good, bad) =
        (ConfigFile::new(&two_groups(port, web, web)), ConfigFile::new("interfaces: 7"));
    let (mut agent, service) = Agent::start();
    agent.tell("a", &good, &healthy);
    agent.wait("the good one is served", |served| served.id.digest == "a");
    agent.tell("b", &bad, &healthy);
    agent.wait("the bad one is refused", |served| served.refused.contains("interfaces"));
    assert_eq!(
        (agent.served.borrow().id.digest.as_str(), get(local(port), "/").1.as_str()),
        ("a", "one")
    );
    // Its files are corrected, and nobody says so.
    let other = free_port();
    bad.write(&two_groups(other, web, web));
    agent.wait("it is tried again", |served| served.id.digest == "b" && served.refused.is_empty());
    assert_eq!(get(local(other), "/").1, "one");
    assert_eq!(service.stop(), (0, 0));
}
