//! `xelb-demo scaling`: the load of a group rises and falls, and its members follow: they start,
//! join, drain and end while requests go on.

use std::{
    collections::{BTreeMap, BTreeSet},
    thread,
    time::{Duration, Instant},
};

use anyhow::ensure;
use lb_tests::{
    Lab, Xelb,
    load::{Load, Pace},
    scaled::{self, GROUP, Member, PORT, ScaledGroup},
    topology::VIP_V4,
};

use crate::{
    chart::{Chart, Moment},
    report,
    screen::{Screen, time},
};

const MAX: usize = 4;
const SCALING: [&str; 5] = [
    "min: 1",
    "max: 4",
    "policies: [{ name: load, target_tracking: { metric: packets_per_target, value: 180 } }]",
    "sample_interval: 1s",
    "scale_in_window: 5s",
];
/// The longest that the first member may take.
const FIRST_LIMIT: Duration = Duration::from_secs(15);
/// How often a moment is drawn.
const INTERVAL: Duration = Duration::from_millis(500);
/// The load rises in two steps and falls in two; these are the times of the steps.
const RISES: [Duration; 2] = [Duration::from_secs(3), Duration::from_secs(7)];
const FALLS: [Duration; 2] = [Duration::from_secs(13), Duration::from_secs(16)];
/// Workers that each step adds, and their pause in milliseconds.
const STEPS: [(u8, u64); 2] = [(1, 30), (2, 25)];
/// All that is too much has ended by then.
const END: Duration = Duration::from_secs(40);
/// The longest that a request may take.
const REQUEST_LIMIT: Duration = Duration::from_secs(5);
/// The most requests a second that the steps make, for the scale of the bars.
const REQUESTS_MAX: usize = 120;

/// What was seen of all moments.
#[derive(Debug, Default)]
struct Seen {
    /// States by member.
    members: BTreeMap<String, String>,
    most: usize,
    ended: usize,
    grown: Option<Duration>,
}

impl Seen {
    /// What has happened since the last time, for people.
    fn news(&mut self, members: &[Member]) -> Vec<String> {
        let now: BTreeMap<String, String> =
            members.iter().map(|one| (one.name.clone(), one.state.clone())).collect();
        let mut news = Vec::new();
        for (name, state) in &now {
            if self.members.get(name) != Some(state) {
                news.push(format!("{name} {}", words(state)));
            }
        }
        for name in self.members.keys().filter(|name| !now.contains_key(*name)) {
            self.ended += 1;
            news.push(format!("{name} has ended: its process is gone"));
        }
        self.members = now;
        news
    }
}

fn is_leaving(state: &str) -> bool {
    ["terminating:wait", "terminating"].contains(&state)
}

fn words(state: &str) -> &str {
    match state {
        "pending" => "starts: the driver runs a server",
        "in-service" => "has joined: its health checks pass, and it gets requests",
        state if is_leaving(state) => "drains: it gets no new requests, and ends when idle",
        other => other,
    }
}

fn moment(members: &[Member], desired: usize, requests: usize) -> Moment {
    let count = |of: &[&str]| members.iter().filter(|one| of.contains(&one.state.as_str())).count();
    Moment {
        requests,
        desired,
        in_service: count(&["in-service"]),
        starting: count(&["pending", "pending:wait"]),
        draining: members.iter().filter(|one| is_leaving(&one.state)).count(),
    }
}

/// Runs all of it.
pub(crate) fn run(lab: &Lab, xelb: &Xelb, screen: &Screen) -> anyhow::Result<()> {
    let started = Instant::now();
    screen.title("xelb: the number of targets follows the load");
    screen.step("Start `xelb agent` with a target group that scales from 1 to 4");
    screen.line("scaling:");
    for line in SCALING {
        screen.line(format!("  {line}"));
    }
    let group = ScaledGroup::prepare(lab)?;
    group.configure(lab, "", &SCALING)?;
    let mut agent = group.agent(lab, xelb)?;
    scaled::wait_members(lab, xelb, "the first member is in service", FIRST_LIMIT, |members| {
        scaled::in_service(members, 1)
    })?;
    screen.fact("the first member is in service after", time(started.elapsed()));

    screen.step("Clients send requests: few, more, many, and few again");
    let (loads, seen) = watch(lab, xelb, &group)?;
    let samples = loads.finish();

    screen.step("What came of it");
    report::failures(screen, &samples);
    report::latency(screen, &samples);
    screen.fact("members that answered", samples.by_target().len());
    screen.fact("most members in service", seen.most);
    if let Some(grown) = seen.grown {
        screen.fact("first rise of the load to a new member", time(grown));
    }
    let explained = xelb.command(lab, &["scale", "explain", GROUP])?.success()?;
    screen.command(&format!("xelb scale explain {GROUP}"), &explained);
    screen.fact("the whole demo took", time(started.elapsed()));
    agent.stop(REQUEST_LIMIT)?;
    xelb.detach(lab)?;
    ensure!(samples.failures().is_empty(), "requests failed: {}", samples.failure_summary());
    ensure!(seen.most >= 3, "only {} members came into service", seen.most);
    ensure!(seen.ended >= 2, "only {} members have ended", seen.ended);
    Ok(())
}

/// The load of the moment: what runs always, and what the steps add.
struct Loads {
    all: Vec<Load>,
    over: Vec<lb_tests::load::Samples>,
}

impl Loads {
    fn finish(self) -> lb_tests::load::Samples {
        let samples = self.over.into_iter().chain(self.all.into_iter().map(Load::finish));
        lb_tests::load::Samples(samples.flat_map(|samples| samples.0).collect())
    }

    fn requests_since(&self, from: Instant) -> usize {
        self.all.iter().map(|load| load.samples().since(from).len()).sum()
    }
}

fn watch(lab: &Lab, xelb: &Xelb, group: &ScaledGroup) -> anyhow::Result<(Loads, Seen)> {
    let start = |client: u8, workers, pause_ms| {
        let pause = Duration::from_millis(pause_ms);
        let pace = Pace { workers, pause, limit: REQUEST_LIMIT };
        Load::start(&[(lab.client(client), (VIP_V4, PORT).into())], pace)
    };
    let begun = Instant::now();
    let mut loads = Loads { all: vec![start(1, 1, 150)?], over: Vec::new() };
    let (mut chart, mut seen) = (Chart::new(REQUESTS_MAX, MAX), Seen::default());
    let (mut rises, mut falls, mut steps) = (RISES.iter(), FALLS.iter(), STEPS.iter());
    let (mut rise, mut fall) = (rises.next(), falls.next());
    loop {
        let at = begun.elapsed();
        if rise.is_some_and(|rise| at >= *rise) {
            if let Some(&(workers, pause_ms)) = steps.next() {
                loads.all.push(start(2, workers, pause_ms)?);
            }
            rise = rises.next();
        }
        if fall.is_some_and(|fall| at >= *fall) {
            loads.over.extend(loads.all.pop().map(Load::finish));
            fall = falls.next();
        }
        // The agent believes that a member has ended when two lists of the driver lack it; what is
        // shown is that its process is gone.
        let running: BTreeSet<String> =
            group.processes().into_iter().map(|(name, _)| name).collect();
        let mut members = scaled::members(lab, xelb)?;
        members.retain(|one| !is_leaving(&one.state) || running.contains(&one.name));
        let described = scaled::json(lab, xelb, &["scale", "explain", GROUP, "-o", "json"])?;
        let desired = described["group"]["desired"].as_u64().unwrap_or_default();
        let window = Instant::now().checked_sub(Duration::from_secs(1)).unwrap_or(begun);
        let now = moment(&members, usize::try_from(desired)?, loads.requests_since(window));
        if seen.grown.is_none() && now.in_service > 1 {
            seen.grown = at.checked_sub(RISES[0]);
        }
        seen.most = seen.most.max(now.in_service);
        let news = seen.news(&members);
        chart.draw(at, now, &news);
        let is_over = fall.is_none() && members.len() == 1 && now.in_service == 1;
        if is_over || at >= END {
            return Ok((loads, seen));
        }
        thread::sleep(INTERVAL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(all: &[(&str, &str)]) -> Vec<Member> {
        let of = |(name, state): &(&str, &str)| Member {
            name: (*name).to_owned(),
            state: (*state).to_owned(),
            template: String::new(),
        };
        all.iter().map(of).collect()
    }

    #[test]
    fn changes_of_members_are_said_once() {
        let mut seen = Seen::default();
        assert_eq!(seen.news(&members(&[("a", "in-service")])).len(), 1);
        assert_eq!(seen.news(&members(&[("a", "in-service")])), [""; 0]);
        let news = seen.news(&members(&[("a", "terminating"), ("b", "pending")]));
        assert!(news[0].starts_with("a drains") && news[1].starts_with("b starts"), "{news:?}");
        assert_eq!(seen.news(&members(&[("b", "pending")])).len(), 1);
        assert_eq!(seen.ended, 1);
        let now = moment(&members(&[("a", "terminating"), ("b", "pending")]), 1, 5);
        assert_eq!((now.in_service, now.starting, now.draining), (0, 1, 1));
    }
}
