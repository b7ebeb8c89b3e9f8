//! The scheduler against a fake prober, in paused time where only timing matters.

mod descriptors;
mod many;

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    ops::Range,
    sync::mpsc as blocking,
    time::Duration,
};

use lb_common::target::TargetState;
use lb_config::{HealthProtocol, UdpCheck, Via};
use lb_plan::Reason;
use tokio::{
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
    time::sleep,
};

use super::*;
use crate::{NoDescriptor, Outcome, ProbeFuture, schedule::FIRST_PROBE_WAIT_MAX};

const INTERVAL: Duration = Duration::from_secs(5);
const TIMEOUT: Duration = Duration::from_secs(2);

/// Time for the first probe of each target and no second one.
const FIRST_ONLY: Duration = Duration::from_secs(4);

/// Answers the n-th probe (from 0) of an address as configured, and records the time of each.
struct Fake<F> {
    script: F,
    calls: Mutex<BTreeMap<SocketAddr, Vec<Instant>>>,
}

impl<F> Fake<F>
where
    F: Fn(SocketAddr, usize) -> (Duration, Outcome) + Send + Sync + 'static,
{
    fn new(script: F) -> Arc<Self> {
        let calls = Mutex::default();
        Arc::new(Self { script, calls })
    }

    fn calls(&self, number: u16) -> Vec<Instant> {
        let calls = self.calls.lock().unwrap();
        calls.get(&address(number)).cloned().unwrap_or_default()
    }
}

impl<F> Prober for Fake<F>
where
    F: Fn(SocketAddr, usize) -> (Duration, Outcome) + Send + Sync + 'static,
{
    fn probe<'a>(&'a self, probe: &'a Probe, _deadline: Instant) -> ProbeFuture<'a> {
        let count = {
            let mut calls = self.calls.lock().unwrap();
            let times = calls.entry(probe.address).or_default();
            times.push(Instant::now());
            times.len() - 1
        };
        let (duration, outcome) = (self.script)(probe.address, count);
        Box::pin(async move {
            sleep(duration).await;
            outcome
        })
    }
}

fn address(number: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), number)
}

fn key(number: u16) -> TargetKey {
    TargetKey { group: "web".into(), address: Ipv4Addr::LOCALHOST.into(), port: number }
}

pub(super) fn spec(number: u16) -> CheckSpec {
    CheckSpec {
        target: key(number),
        check: HealthCheck {
            protocol: HealthProtocol::Tcp,
            port: None,
            via: Via::Address,
            interval: INTERVAL,
            timeout: TIMEOUT,
            healthy_threshold: 3,
            unhealthy_threshold: 2,
            inconclusive_timeout: None,
        },
        resume: None,
    }
}

fn specs(numbers: Range<u16>) -> Vec<CheckSpec> {
    numbers.map(spec).collect()
}

const QUICK: Duration = Duration::from_millis(10);

/// Answers `letters` one after the other, the last for ever: success, fail, panic.
fn script(letters: &'static str) -> impl Fn(SocketAddr, usize) -> (Duration, Outcome) {
    move |_address, count| {
        let letter = letters.chars().nth(count).or(letters.chars().last());
        let outcome = match letter.unwrap() {
            's' => Outcome::Success,
            'f' => Outcome::failed("refused"),
            'n' => Outcome::NoDescriptor(NoDescriptor::Host),
            _ => panic!("as the script says"),
        };
        (QUICK, outcome)
    }
}

type Events = UnboundedReceiver<HealthEvent>;

fn scheduler(prober: Arc<dyn Prober>) -> (Scheduler, Events) {
    let (sender, events) = unbounded_channel();
    (Scheduler::with_prober(sender, prober), events)
}

fn states(events: &mut Events) -> Vec<TargetState> {
    std::iter::from_fn(|| events.try_recv().ok()).map(|event| event.health.state).collect()
}

#[tokio::test(start_paused = true)]
async fn verdicts_follow_the_thresholds() {
    use TargetState::{Healthy, Initial, Unhealthy};
    // (resume, outcomes, events)
    let cases: [(_, _, &[TargetState]); 7] = [
        (None, "s", &[Healthy]),
        (None, "f", &[Unhealthy]),
        (None, "fs", &[Healthy]),
        (None, "sfsfs", &[Healthy]),
        (None, "sffsss", &[Healthy, Unhealthy, Healthy]),
        (Some(Healthy), "s", &[]),
        (Some(Unhealthy), "ssfssfsss", &[Healthy]),
    ];
    for (resume, outcomes, expected) in cases {
        let (mut scheduler, mut events) = scheduler(Fake::new(script(outcomes)));
        scheduler.set(vec![CheckSpec { resume, ..spec(1) }]);
        assert_eq!(scheduler.health(&key(1)).unwrap().state, resume.unwrap_or(Initial));
        sleep(INTERVAL * 20).await;
        assert_eq!(states(&mut events), expected, "{resume:?} {outcomes}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_says_what_was_seen_and_when() {
    let fake = Fake::new(script("f"));
    let (mut scheduler, mut events) = scheduler(fake.clone());
    scheduler.set(specs(1..2));
    sleep(INTERVAL * 3).await;
    let event = events.try_recv().unwrap();
    assert_eq!(event.target, key(1));
    assert_eq!(event.health.reason, Some(Reason::FailedHealthChecks));
    assert_eq!(event.health.detail, "refused");
    let second = fake.calls(1)[1];
    let took = Instant::from_std(event.decided_at) - second;
    assert!(took >= QUICK && took < QUICK * 2, "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn every_one_of_1000_targets_is_checked_at_its_pace() {
    let fake = Fake::new(|_, _| (Duration::from_millis(700), Outcome::Success));
    let (mut scheduler, mut events) = scheduler(fake.clone());
    let start = Instant::now();
    scheduler.set(specs(1..1001));
    sleep(INTERVAL * 100).await;
    assert_eq!(states(&mut events).len(), 1000);
    for number in 1..1001 {
        let calls = fake.calls(number);
        let first = calls[0] - start;
        assert!(first <= FIRST_PROBE_WAIT_MAX + Duration::from_millis(2), "{first:?}");
        // No drift: after 100 intervals there have been 100 probes, however long each took.
        assert!((100..=101).contains(&calls.len()), "{}", calls.len());
        for pair in calls.windows(2) {
            let gap = (pair[1] - pair[0]).as_secs_f64() / INTERVAL.as_secs_f64();
            assert!((0.949..1.051).contains(&gap), "{gap}");
        }
    }
    let stats = scheduler.stats().snapshot();
    assert!((100_000..=101_000).contains(&stats.probes_started), "{stats:?}");
    assert_eq!((stats.probes_failed, stats.probes_late), (0, 0), "{stats:?}");
}

#[tokio::test(start_paused = true)]
async fn a_slow_probe_is_cut_off_and_never_doubled() {
    let fake = Fake::new(|_, _| (Duration::from_hours(1), Outcome::Success));
    let (mut scheduler, mut events) = scheduler(fake.clone());
    let mut slow = spec(1);
    slow.check.timeout = INTERVAL;
    scheduler.set(vec![slow]);
    sleep(INTERVAL * 50).await;
    let calls = fake.calls(1);
    assert!((47..=50).contains(&calls.len()), "{}", calls.len());
    for pair in calls.windows(2) {
        assert!(pair[1] - pair[0] >= INTERVAL, "two probes at once");
    }
    let event = events.try_recv().unwrap();
    assert_eq!(event.health.reason, Some(Reason::Timeout));
    assert_eq!(event.health.detail, "no result within 5s");
    assert_eq!(scheduler.stats().snapshot().probes_late, 0);
}

#[tokio::test(start_paused = true)]
async fn a_changed_check_continues_without_a_flap() {
    let fake = Fake::new(script("s"));
    let (mut scheduler, mut events) = scheduler(fake.clone());
    scheduler.set(specs(1..3));
    sleep(FIRST_ONLY).await;
    assert_eq!(states(&mut events).len(), 2);
    let before = fake.calls(2);

    let mut changed = spec(1);
    changed.check.protocol = HealthProtocol::Udp(UdpCheck { payload: Vec::new(), expect: None });
    changed.check.port = Some(9);
    changed.check.interval = INTERVAL * 2;
    scheduler.set(vec![changed, spec(2)]);
    let health = scheduler.health(&key(1)).unwrap();
    assert_eq!(health.state, TargetState::Healthy);
    sleep(INTERVAL * 20).await;

    assert_eq!(states(&mut events), [], "a flap");
    let calls = fake.calls(9);
    assert!((10..=11).contains(&calls.len()), "{}", calls.len());
    assert_eq!(fake.calls(1).len(), 1, "the old check must end");
    let gap = fake.calls(2)[before.len()] - before[before.len() - 1];
    assert!(gap >= INTERVAL.mul_f64(0.949), "an unchanged check restarted: {gap:?}");
}

#[tokio::test(start_paused = true)]
async fn another_resume_or_order_restarts_nothing() {
    let fake = Fake::new(script("s"));
    let (mut scheduler, _events) = scheduler(fake.clone());
    for round in 0..100 {
        let mut wanted = specs(1..10);
        if round % 2 == 1 {
            wanted.reverse();
            wanted[0].resume = Some(TargetState::Unhealthy);
        }
        scheduler.set(wanted);
        sleep(INTERVAL / 10).await;
    }
    for number in 1..10 {
        let count = fake.calls(number).len();
        assert!((10..=11).contains(&count), "{number}: {count}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_missing_target_stops() {
    let fake = Fake::new(script("sff"));
    let (mut scheduler, mut events) = scheduler(fake.clone());
    scheduler.set(specs(1..4));
    sleep(FIRST_ONLY).await;
    scheduler.set(specs(2..4));
    assert_eq!(scheduler.targets(), 2);
    assert_eq!(scheduler.health(&key(1)), None);
    sleep(INTERVAL * 10).await;
    assert_eq!(fake.calls(1).len(), 1);
    assert_eq!(states(&mut events).len(), 3 + 2);

    drop(scheduler);
    sleep(INTERVAL * 10).await;
    assert_eq!(fake.calls(2).len(), 11, "a dropped scheduler goes on");
    assert!(events.is_closed());
}

#[tokio::test(start_paused = true)]
async fn old_events_are_distinguished_from_current_ones() {
    let (mut scheduler, mut events) = scheduler(Fake::new(script("s")));
    scheduler.set(specs(1..2));
    sleep(FIRST_ONLY).await;
    let event = events.try_recv().unwrap();
    assert!(scheduler.is_current(&event));

    let mut changed = spec(1);
    changed.check.interval *= 2;
    scheduler.set(vec![changed]);
    assert!(scheduler.is_current(&event), "its verdict was kept");

    scheduler.set(vec![]);
    assert!(!scheduler.is_current(&event));
    scheduler.set(specs(1..2));
    assert!(!scheduler.is_current(&event), "the new target has no verdict yet");
}

#[tokio::test(start_paused = true)]
async fn a_death_is_detected_as_fast_as_the_documentation_says() {
    // (how long a probe of a dead target takes to fail, and at most counts as)
    let cases = [(QUICK, QUICK), (Duration::from_hours(1), TIMEOUT)];
    for (failing, counted) in cases {
        let death = Instant::now() + INTERVAL * 7;
        let fake = Fake::new(move |_, _| {
            if Instant::now() < death {
                (QUICK, Outcome::Success)
            } else {
                (failing, Outcome::failed("dead"))
            }
        });
        let (mut scheduler, mut events) = scheduler(fake);
        scheduler.set(specs(1..1001));
        sleep(INTERVAL * 20).await;
        // 0.001 more at both ends, since timers tick once a millisecond.
        let bounds = INTERVAL.mul_f64(0.949) + counted..=INTERVAL.mul_f64(2.051) + counted;
        let mut deaths = 0;
        while let Ok(event) = events.try_recv() {
            if event.health.state == TargetState::Unhealthy {
                let took = Instant::from_std(event.decided_at) - death;
                assert!(bounds.contains(&took), "{took:?}");
                deaths += 1;
            }
        }
        assert_eq!(deaths, 1000);
    }
}

/// Blocks inside a poll, where an abort has no effect, until it is released.
struct Stuck {
    entered: blocking::SyncSender<()>,
    release: Mutex<blocking::Receiver<()>>,
}

impl Prober for Stuck {
    fn probe<'a>(&'a self, _probe: &'a Probe, _deadline: Instant) -> ProbeFuture<'a> {
        Box::pin(async {
            self.entered.send(()).unwrap();
            self.release.lock().unwrap().recv().unwrap();
            Outcome::Success
        })
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_target_stays_silent_even_in_the_middle_of_a_probe() {
    let (entered, entries) = blocking::sync_channel(1);
    let (go_on, release) = blocking::sync_channel(1);
    let release = Mutex::new(release);
    let (mut scheduler, mut events) = scheduler(Arc::new(Stuck { entered, release }));
    scheduler.set(specs(1..2));
    tokio::task::block_in_place(|| entries.recv().unwrap());
    scheduler.set(vec![]);
    go_on.send(()).unwrap();
    drop(scheduler);
    // The channel closes when the task, which runs to the end of its poll, has gone.
    let event = events.recv().await;
    assert!(event.is_none(), "{event:?}");
}

#[tokio::test(start_paused = true)]
async fn a_panicking_prober_does_not_end_the_check() {
    let fake = Fake::new(script("ppps"));
    let (mut scheduler, mut events) = scheduler(fake);
    scheduler.set(specs(1..2));
    sleep(INTERVAL * 5).await;
    // The first event says that the target cannot be checked.
    assert_eq!(states(&mut events), [TargetState::Initial, TargetState::Healthy]);
    assert_eq!(scheduler.stats().snapshot().probes_inconclusive, 3);
}

#[tokio::test(start_paused = true)]
async fn failures_and_delays_are_counted() {
    let fake = Fake::new(script("f"));
    let (mut scheduler, _events) = scheduler(fake);
    scheduler.set(specs(1..2));
    sleep(INTERVAL + FIRST_ONLY).await;
    let before = scheduler.stats().snapshot();
    assert_eq!((before.probes_started, before.probes_failed), (2, 2));
    assert_eq!(before.probes_late, 0);
    // Nothing runs while time passes, as on a host that has no CPU to give.
    tokio::time::advance(INTERVAL * 3 / 2).await;
    sleep(QUICK).await;
    let after = scheduler.stats().snapshot();
    assert_eq!(after.probes_late, 1, "{after:?}");
    assert!(after.lateness_max_us > 1_000_000, "{after:?}");
}
