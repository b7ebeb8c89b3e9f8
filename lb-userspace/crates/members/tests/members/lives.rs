//! Long random lives of a group: faults, crashes, deaths of members, commands. Whenever it is left
//! alone, it converges.
//!
//! XELB_MEMBER_STEPS=1000000 cargo test -p lb-members --test members lives

use lb_members::{Command, Input, RefreshOptions, WarmPool, WarmState};
use proptest::{prelude::*, strategy::ValueTree as _};

use super::agent::{Agent, settings};

/// Steps of the default run.
const STEPS: u64 = 60_000;

#[derive(Clone, Debug)]
enum Happening {
    Desired(u32),
    Faults(u64),
    Quota(usize),
    Crash,
    CrashIn(u64),
    Dies(usize),
    Sick(usize),
    AllSick,
    Standby(usize, bool),
    Protect(usize, bool),
    End(usize),
    Template(u8),
    Refresh,
    RollBack,
    Pool(u32),
    Pass(u64),
}

fn happening() -> impl Strategy<Value = Happening> {
    use Happening::*;
    prop_oneof![
        4 => (0_u32..8).prop_map(Desired),
        2 => prop_oneof![Just(0), Just(20), Just(60), Just(100)].prop_map(Faults),
        1 => (0_usize..8).prop_map(Quota),
        2 => Just(Crash),
        4 => (0_u64..60).prop_map(CrashIn),
        2 => (0_usize..8).prop_map(Dies),
        2 => (0_usize..8).prop_map(Sick),
        1 => Just(AllSick),
        1 => (0_usize..8, any::<bool>()).prop_map(|(index, on)| Standby(index, on)),
        1 => (0_usize..8, any::<bool>()).prop_map(|(index, on)| Protect(index, on)),
        1 => (0_usize..8).prop_map(End),
        1 => (0_u8..3).prop_map(Template),
        1 => Just(Refresh),
        1 => Just(RollBack),
        1 => (0_u32..3).prop_map(Pool),
        12 => (1_u64..90).prop_map(Pass),
    ]
}

fn name_at(agent: &Agent, index: usize) -> Option<String> {
    agent.group.ledger().members.keys().nth(index).cloned()
}

fn happen(agent: &mut Agent, happening: &Happening) {
    match *happening {
        Happening::Desired(desired) => agent.desired = desired,
        Happening::Faults(faults) => agent.driver.faults = faults,
        Happening::Quota(quota) => agent.driver.quota = quota,
        Happening::Crash => agent.crash(),
        Happening::CrashIn(points) => agent.crash_in = Some(points),
        Happening::Dies(index) => {
            let name = agent.driver.instances.keys().nth(index).cloned();
            name.and_then(|name| agent.driver.instances.remove(&name));
        }
        Happening::Sick(index) => {
            if let Some(instance) = agent.driver.instances.values_mut().nth(index) {
                instance.sick = true;
            }
        }
        Happening::AllSick => {
            agent.driver.instances.values_mut().for_each(|instance| instance.sick = true);
        }
        Happening::Standby(index, standby) => {
            let command = |name| Command::Standby { name, standby };
            name_at(agent, index)
                .map(command)
                .into_iter()
                .for_each(|c| agent.input(Input::Command(c)));
        }
        Happening::Protect(index, protected) => {
            let command = |name| Command::Protect { name, protected };
            name_at(agent, index)
                .map(command)
                .into_iter()
                .for_each(|c| agent.input(Input::Command(c)));
        }
        Happening::End(index) => {
            let command = |name| Command::End { name };
            name_at(agent, index)
                .map(command)
                .into_iter()
                .for_each(|c| agent.input(Input::Command(c)));
        }
        Happening::Template(template) => {
            let mut settings = (*agent.settings).clone();
            settings.template = format!("t{template}");
            agent.set_settings(settings);
        }
        Happening::Refresh => {
            agent.input(Input::Command(Command::Refresh(RefreshOptions::default())));
        }
        Happening::RollBack => agent.input(Input::Command(Command::RollBack)),
        Happening::Pool(size) => {
            let mut settings = (*agent.settings).clone();
            settings.warm_pool = Some(WarmPool { size, state: WarmState::Stopped });
            agent.set_settings(settings);
        }
        Happening::Pass(seconds) => agent.advance(seconds),
    }
}

/// Left alone, it comes to rest.
fn rest(agent: &mut Agent, case: &str) {
    // A crash would lose the commands.
    agent.crash_in = None;
    let mut settings = (*agent.settings).clone();
    settings.warm_pool = None;
    agent.set_settings(settings);
    agent.input(Input::Command(Command::CancelRefresh));
    for name in agent.group.ledger().members.keys().cloned().collect::<Vec<_>>() {
        agent.input(Input::Command(Command::Protect { name: name.clone(), protected: false }));
        agent.input(Input::Command(Command::Standby { name, standby: false }));
    }
    // The longest pause is an hour, and a breaker that has just closed may open again.
    agent.settle(2 * 3600);
    agent.assert_converged(case);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn any_life_converges(seed in any::<u64>(), life in prop::collection::vec(happening(), 1..60)) {
        let mut agent = Agent::new(settings(), seed);
        for happening in &life {
            happen(&mut agent, happening);
        }
        rest(&mut agent, &format!("{life:?}"));
    }
}

#[test]
fn a_long_life_converges_again_and_again() {
    let steps = std::env::var("XELB_MEMBER_STEPS").ok().and_then(|text| text.parse().ok());
    let steps = steps.unwrap_or(STEPS);
    let mut agent = Agent::new(settings(), 7);
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let strategy = happening();
    let mut done = 0;
    while done < steps {
        for _ in 0..500 {
            let happening = strategy.new_tree(&mut runner).unwrap().current();
            happen(&mut agent, &happening);
        }
        rest(&mut agent, &format!("after {done} steps"));
        agent.events.clear();
        done += 500 + 720;
    }
    assert!(agent.crashes > 0);
}
