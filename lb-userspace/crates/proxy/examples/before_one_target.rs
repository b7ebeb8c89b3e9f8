//! A proxy in front of one target, for measurements: listen address, target address, number of workers, number of
//! rules. It counts, but writes no log.
//!
//! ```sh
//! cargo run --release -p lb-proxy --example before_one_target -- 127.0.0.1:8080 127.0.0.1:9000 1 20
//! ```

use std::{env, error::Error, sync::Arc, time::Duration};

use lb_proxy::{
    Group, GroupAttributes, Listener, ListenerAttributes, Proxy, ProxyOptions, Snapshot, Target,
    choice::{Health, Settings},
};
use lb_rules::{
    Action, Condition, HeaderChanges, Index, ListenerEnd, Protocol, Rule, RuleSet, Transforms,
    sticky::{Keys, SameSite},
};

fn rule(number: u32) -> Rule {
    Rule {
        name: format!("rule-{number}"),
        priority: number,
        conditions: vec![
            Condition::Host(vec!["*.example.com".to_owned()]),
            Condition::Path(vec![format!("/service-{number}/*")]),
        ],
        transforms: Transforms::default(),
        headers: HeaderChanges::default(),
        actions: vec![Action::forward("target")],
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [address, target, workers, rules] = arguments.as_slice() else {
        return Err("arguments: LISTEN TARGET WORKERS RULES".into());
    };
    let end = ListenerEnd { protocol: Protocol::Http, port: 80 };
    let rules = (1..=rules.parse()?).map(rule).collect();
    let rules = RuleSet::new(rules, Action::forward("target"), end);
    let rules = rules.map_err(|errors| format!("{errors:?}"))?;
    let target = Target { address: target.parse()?, weight: 1, health: Health::Healthy };
    let snapshot = Snapshot {
        revision: 1,
        listeners: vec![Listener {
            name: "listener".to_owned(),
            address: address.parse()?,
            rules: Arc::new(Index::new(rules)?),
            tls: None,
            certificates: None,
            attributes: ListenerAttributes::default(),
            same_site: SameSite::Lax,
        }],
        groups: vec![Group {
            name: "target".to_owned(),
            targets: vec![target],
            choice: Settings::default(),
            stickiness: None,
            tls: None,
            attributes: GroupAttributes::default(),
        }],
        sticky_keys: Keys::new([0; 32], Vec::new()),
    };
    let options = ProxyOptions { workers: workers.parse()?, ..ProxyOptions::default() };
    let _proxy = Proxy::start(&options, snapshot)?;
    loop {
        std::thread::sleep(Duration::from_hours(1));
    }
}
