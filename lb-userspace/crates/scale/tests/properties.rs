//! What holds for every state and every sample, checked with random ones.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::Timestamp;
use lb_scale::{
    Adjustment, CheckedSettings, Decision, Lifecycle, Member, Moment, Policy, PolicyKind, Reading,
    Sample, Samples, Settings, State, Step, StepScaling, TargetTracking, decide,
};
use proptest::prelude::*;

const INTERVAL: u64 = 15;
const WINDOW: u64 = 900;

fn at(seconds: u64) -> Moment {
    let wall: Timestamp = "2026-11-29T12:00:00Z".parse().unwrap();
    Moment { boot_id: 1, boot: Duration::from_secs(1_000_000), wall }
        .after(Duration::from_secs(seconds))
}

fn tracking(name: &str, value: f64, disable_scale_in: bool) -> Policy {
    let tracking = TargetTracking { metric: name.to_owned(), value, disable_scale_in };
    Policy { name: name.to_owned(), kind: PolicyKind::TargetTracking(tracking) }
}

/// +10 % from 60 a target on, +30 % from 70 on, -10 % from 40 down.
fn step(name: &str) -> Policy {
    let steps = vec![
        Step { lower: Some(0.0), upper: Some(10.0), adjust: Adjustment::Percent(10) },
        Step { lower: Some(10.0), upper: None, adjust: Adjustment::Percent(30) },
        Step { lower: Some(-20.0), upper: Some(0.0), adjust: Adjustment::Percent(0) },
        Step { lower: None, upper: Some(-20.0), adjust: Adjustment::Percent(-10) },
    ];
    let step = StepScaling { metric: name.to_owned(), threshold: 60.0, steps, min_adjustment: 1 };
    Policy { name: name.to_owned(), kind: PolicyKind::Step(step) }
}

fn member(number: u32, lifecycle: Lifecycle, since: Moment, healthy: bool) -> Member {
    Member { name: format!("web-{number}"), lifecycle, since, healthy, protected: false }
}

prop_compose! {
    /// A group of up to 60 targets with two policies.
    fn any_settings()(
        min in 0_u32..20,
        span in 0_u32..40,
        value in 1.0_f64..500.0,
        tolerance in 0.0_f64..0.5,
        disabled in any::<bool>(),
        second in any::<bool>(),
    ) -> Settings {
        let mut policies = vec![tracking("a", value, disabled)];
        policies.push(if second { step("b") } else { tracking("b", value * 2.0, false) });
        Settings { policies, tolerance, ..Settings::new(min, min + span) }
    }
}

fn any_lifecycle() -> impl Strategy<Value = Lifecycle> {
    use Lifecycle::{
        Failed, InService, Pending, PendingWait, Standby, Terminated, Terminating, TerminatingWait,
    };
    prop_oneof![
        5 => Just(InService),
        1 => Just(Pending),
        1 => Just(PendingWait),
        1 => Just(Standby),
        1 => Just(TerminatingWait),
        1 => Just(Terminating),
        1 => Just(Terminated),
        1 => Just(Failed),
    ]
}

prop_compose! {
    fn any_state()(
        settings in any_settings(),
        desired in 0_u32..70,
        members in prop::collection::vec((any_lifecycle(), 0_u64..200, any::<bool>()), 0..60),
        fails_open in any::<bool>(),
    ) -> State {
        let mut state = State::new(Arc::new(CheckedSettings::new(settings).unwrap()));
        state.desired = desired;
        state.fails_open = fails_open;
        let since = |age: u64| Moment { boot: Duration::from_secs(1_000_000 - age), ..at(0) };
        state.members = (0..)
            .zip(members)
            .map(|(number, (life, age, healthy))| member(number, life, since(age), healthy))
            .collect();
        state
    }
}

fn any_work() -> impl Strategy<Value = f64> {
    prop_oneof![Just(0.0), 0.0_f64..100.0, 0.0_f64..10_000.0, 0.0_f64..1e300]
}

fn any_sample() -> impl Strategy<Value = Sample> {
    prop_oneof![
        6 => any_work().prop_map(Sample::Value),
        1 => any::<f64>().prop_map(Sample::Value),
        1 => Just(Sample::Empty),
        1 => Just(Sample::Error("timeout".to_owned())),
    ]
}

fn any_reading() -> impl Strategy<Value = Reading> {
    let reports = prop::collection::btree_map(0_u32..60, any_sample(), 0..60);
    prop_oneof![
        (any_sample(), any::<bool>())
            .prop_map(|(sample, saturated)| Reading::Total { sample, saturated }),
        reports.prop_map(|reports| Reading::Reports(
            reports.into_iter().map(|(n, sample)| (format!("web-{n}"), sample)).collect()
        )),
    ]
}

/// Readings for both policies; sometimes one is missing.
fn any_samples() -> impl Strategy<Value = Samples> {
    (any_reading(), prop::option::weighted(0.9, any_reading())).prop_map(|(a, b)| {
        let b = b.map(|b| ("b".to_owned(), b));
        [("a".to_owned(), a)].into_iter().chain(b).collect::<BTreeMap<_, _>>()
    })
}

fn totals(a: f64, b: f64) -> Samples {
    BTreeMap::from([("a".to_owned(), Reading::total(a)), ("b".to_owned(), Reading::total(b))])
}

/// All desired members are in service and warm.
fn fill(state: &mut State) {
    let since = Moment { boot: Duration::ZERO, ..at(0) };
    let members = 0..state.desired;
    state.members =
        members.map(|number| member(number, Lifecycle::InService, since, true)).collect();
}

fn step_on(state: &mut State, samples: &Samples, seconds: u64) -> Decision {
    let decision = decide(state, samples, at(seconds));
    state.apply(&decision);
    decision
}

/// A history that fills the window, with all members in service.
fn settle(state: &mut State, works: &[(f64, f64)]) -> u64 {
    let mut seconds = 0;
    for &(a, b) in works.iter().cycle().take(62) {
        fill(state);
        drop(step_on(state, &totals(a, b), seconds));
        seconds += INTERVAL;
    }
    seconds
}

fn is_unknown(reading: Option<&Reading>) -> bool {
    match reading {
        Some(Reading::Total { sample, .. }) => !matches!(sample.checked(), Sample::Value(_)),
        Some(Reading::Reports(reports)) => reports.is_empty(),
        None => true,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn limits_always_hold(
        mut state in any_state(),
        samples in prop::collection::vec(any_samples(), 1..80),
    ) {
        for (seconds, samples) in (0..).step_by(15).zip(samples) {
            let decision = step_on(&mut state, &samples, seconds);
            let limits = state.settings.limits;
            prop_assert!((limits.min..=limits.max).contains(&decision.desired), "{decision}");
        }
    }

    #[test]
    fn more_load_never_means_fewer_targets(
        mut state in any_state(),
        works in prop::collection::vec((0.0_f64..5000.0, 0.0_f64..5000.0), 1..62),
        (a, b) in (any_work(), any_work()),
        (more_a, more_b) in (0.0_f64..5000.0, 0.0_f64..5000.0),
        in_service in 0_u32..60,
    ) {
        let seconds = settle(&mut state, &works);
        state.members.truncate(in_service as usize);
        let less = decide(&state, &totals(a, b), at(seconds));
        let more = decide(&state, &totals(a + more_a, b + more_b), at(seconds));
        prop_assert!(less.desired <= more.desired, "{less}\n{more}");
    }

    #[test]
    fn the_same_state_and_samples_give_the_same_decision(
        mut state in any_state(),
        first in any_samples(),
        second in any_samples(),
    ) {
        drop(step_on(&mut state, &first, 0));
        let once = decide(&state, &second, at(15));
        prop_assert_eq!(&once, &decide(&state.clone(), &second, at(15)));
    }

    #[test]
    fn nothing_is_decided_on_what_is_not_a_load(
        mut state in any_state(),
        bad in prop_oneof![
            Just(f64::NAN), Just(f64::INFINITY), Just(f64::NEG_INFINITY), -1e9_f64..-1e-9
        ],
        works in prop::collection::vec((0.0_f64..5000.0, 0.0_f64..5000.0), 1..62),
    ) {
        let seconds = settle(&mut state, &works);
        let before = state.desired;
        let decision = decide(&state, &totals(bad, bad), at(seconds));
        prop_assert_eq!(decision.desired, before, "{}", decision);
        prop_assert_eq!(decision.alerts.len(), 2, "{}", decision);
    }

    #[test]
    fn a_failed_or_empty_input_blocks_scale_in(
        mut state in any_state(),
        works in prop::collection::vec((0.0_f64..500.0, 0.0_f64..500.0), 1..62),
        samples in any_samples(),
    ) {
        let seconds = settle(&mut state, &works);
        let before = state.desired;
        let decision = decide(&state, &samples, at(seconds));
        if is_unknown(samples.get("a")) || is_unknown(samples.get("b")) {
            prop_assert!(decision.desired >= before, "{decision}");
        }
    }

    #[test]
    fn never_below_what_the_window_needed(
        min in 0_u32..5,
        value in 1.0_f64..500.0,
        works in prop::collection::vec(0.0_f64..5000.0, 1..200),
    ) {
        let policies = vec![tracking("a", value, false)];
        let settings = Settings { policies, ..Settings::new(min, 1000) };
        let mut state = State::new(Arc::new(CheckedSettings::new(settings).unwrap()));
        for (index, work) in works.iter().enumerate() {
            fill(&mut state);
            let samples = BTreeMap::from([("a".to_owned(), Reading::total(*work))]);
            let before = state.desired;
            let decision = step_on(&mut state, &samples, index as u64 * INTERVAL);
            let window = &works[index.saturating_sub(60)..=index];
            let largest = window.iter().copied().fold(0.0, f64::max) / value;
            if decision.desired < before {
                prop_assert!(f64::from(decision.desired) >= largest - 1e-6, "{decision}");
                prop_assert!(index >= 60, "before the window was full\n{decision}");
            }
            // Out at once.
            let now = (work / value).min(1000.0);
            prop_assert!(f64::from(decision.desired) >= now - 1e-6, "{decision}");
        }
    }

    #[test]
    fn the_same_breach_never_adds_twice_while_members_are_pending(
        mut state in any_state(),
        (a, b) in (0.0_f64..20_000.0, 0.0_f64..20_000.0),
        created in 0_u32..60,
    ) {
        state.desired = state.limits.clamp(state.desired);
        fill(&mut state);
        let samples = totals(a, b);
        let first = step_on(&mut state, &samples, 0);
        prop_assume!(first.desired > first.from);
        // Some of the new members exist and are pending; in service are the old ones.
        for number in first.from..first.desired.min(first.from + created) {
            state.members.push(member(number, Lifecycle::Pending, at(1), true));
        }
        for seconds in (15..300).step_by(15) {
            let next = step_on(&mut state, &samples, seconds);
            prop_assert_eq!(next.desired, first.desired, "{}\n{}", first, next);
        }
    }

    #[test]
    fn after_a_restart_only_out_until_the_window_is_full(
        mut state in any_state(),
        before in prop::collection::vec((0.0_f64..5000.0, 0.0_f64..5000.0), 1..62),
        after in prop::collection::vec((0.0_f64..5000.0, 0.0_f64..5000.0), 60),
    ) {
        let start = settle(&mut state, &before);
        state.memory.restarted();
        for (index, (a, b)) in after.into_iter().enumerate() {
            let seconds = start + index as u64 * INTERVAL;
            fill(&mut state);
            let decision = step_on(&mut state, &totals(a, b), seconds);
            prop_assert!(seconds - start < WINDOW);
            prop_assert!(decision.desired >= decision.from, "{decision}");
        }
    }

    #[test]
    fn a_wall_clock_that_jumps_changes_nothing(
        mut state in any_state(),
        works in prop::collection::vec((0.0_f64..5000.0, 0.0_f64..5000.0), 1..100),
        jumps in prop::collection::vec(-400_000_i64..400_000, 100),
    ) {
        let mut jumping = state.clone();
        for (index, ((a, b), jump)) in works.into_iter().zip(jumps).enumerate() {
            let now = at(index as u64 * INTERVAL);
            let wall = now.wall.checked_add(jiff::SignedDuration::from_secs(jump)).unwrap();
            let steady = decide(&state, &totals(a, b), now);
            let jumped = decide(&jumping, &totals(a, b), Moment { wall, ..now });
            prop_assert_eq!(steady.desired, jumped.desired, "{}\n{}", steady, jumped);
            state.apply(&steady);
            jumping.apply(&jumped);
        }
    }
}
