//! The machine against a reference, and by example.

use std::{mem, time::Duration};

use lb_config::{HealthProtocol, Via};
use proptest::prelude::*;

use super::*;

fn check(healthy_threshold: u32, unhealthy_threshold: u32) -> HealthCheck {
    HealthCheck {
        protocol: HealthProtocol::Tcp,
        port: None,
        via: Via::Address,
        interval: Duration::from_secs(5),
        timeout: Duration::from_secs(2),
        healthy_threshold,
        unhealthy_threshold,
        inconclusive_timeout: None,
    }
}

/// `s` success, `f` failure, `t` timeout, `?` inconclusive.
fn outcome(letter: char) -> Outcome {
    match letter {
        's' => Outcome::Success,
        'f' => Outcome::failed("refused"),
        't' => Outcome::Failure { reason: Reason::Timeout, detail: "late".to_owned() },
        _ => Outcome::Inconclusive { detail: "no file descriptors".to_owned() },
    }
}

fn letter_of(state: TargetState) -> char {
    match state {
        TargetState::Initial => 'I',
        TargetState::Healthy => 'H',
        TargetState::Unhealthy => 'U',
        other => panic!("{other:?} is not a verdict"),
    }
}

/// The reference: looks at the whole history before each answer. The state changes when the
/// last n conclusive outcomes since the last change (or the start) all speak against it.
fn reference(check: &HealthCheck, start: char, history: &str) -> Vec<Option<char>> {
    let mut state = start;
    let mut since = String::new();
    let mut answers = Vec::new();
    for letter in history.chars() {
        if letter != '?' {
            since.push(if letter == 's' { 's' } else { 'f' });
        }
        let up = if state == 'I' { 1 } else { check.healthy_threshold };
        let good = "s".repeat(up as usize);
        let bad = "f".repeat(check.unhealthy_threshold as usize);
        let next = if letter == '?' {
            state
        } else if state != 'H' && since.ends_with(&good) {
            'H'
        } else if state != 'U' && since.ends_with(&bad) {
            'U'
        } else {
            state
        };
        answers.push((next != state).then_some(next));
        if next != state {
            since.clear();
            state = next;
        }
    }
    answers
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn the_machine_agrees_with_the_reference(
        healthy_threshold in 1_u32..6,
        unhealthy_threshold in 1_u32..6,
        start in 0_usize..3,
        history in "[sft?]{0,60}",
    ) {
        let check = check(healthy_threshold, unhealthy_threshold);
        let (resume, letter) = [
            (None, 'I'),
            (Some(TargetState::Healthy), 'H'),
            (Some(TargetState::Unhealthy), 'U'),
        ][start];
        let mut machine = Machine::new(&check, resume);
        let now = Instant::now();
        let mut state = letter;
        let answers: Vec<_> = history
            .chars()
            .map(|each| {
                machine.observe(&outcome(each), now);
                let next = letter_of(machine.health().state);
                (mem::replace(&mut state, next) != next).then_some(next)
            })
            .collect();
        prop_assert_eq!(answers, reference(&check, letter, &history));
        let health = machine.health();
        let blind = history.ends_with(&"?".repeat(unhealthy_threshold as usize));
        let well = health.state == TargetState::Healthy && !blind;
        prop_assert_eq!(health.reason.is_none(), well);
        prop_assert_eq!(health.detail.is_empty(), well);
        prop_assert_eq!(health.reason == Some(Reason::InternalError), blind);
    }
}

#[test]
fn verdicts_by_example() {
    // (healthy threshold, unhealthy threshold, resume, outcomes, verdict at each outcome)
    let cases = [
        (3, 2, None, "s", "H"),
        (3, 2, None, "fs", ".H"),
        (3, 2, None, "ff", ".U"),
        (3, 2, Some(TargetState::Healthy), "fsfsff", ".....U"),
        (3, 2, Some(TargetState::Healthy), "f?f", "..U"),
        (3, 2, Some(TargetState::Unhealthy), "ssfssftsss", ".........H"),
        (3, 2, Some(TargetState::Unhealthy), "s?s?s", "....H"),
        (1, 1, Some(TargetState::Healthy), "fsf", "UHU"),
        (3, 2, Some(TargetState::Draining), "s", "H"),
        (3, 2, Some(TargetState::Unused), "ff", ".U"),
    ];
    for (up, down, resume, outcomes, expected) in cases {
        let mut machine = Machine::new(&check(up, down), resume);
        let verdicts: String = outcomes
            .chars()
            .map(|each| {
                let verdict = machine.observe(&outcome(each), Instant::now());
                verdict.map_or('.', |health| letter_of(health.state))
            })
            .collect();
        assert_eq!(verdicts, expected, "{up}/{down} from {resume:?}: {outcomes}");
    }
}

#[test]
fn the_last_failure_shows_without_a_new_verdict() {
    let mut machine = Machine::new(&check(3, 2), None);
    machine.observe(&outcome('f'), Instant::now());
    assert_eq!(machine.health().reason, Some(Reason::InitialHealthChecking));
    assert_eq!(machine.health().detail, "refused");
    machine.observe(&outcome('f'), Instant::now());
    assert_eq!(machine.health().reason, Some(Reason::FailedHealthChecks));
    assert_eq!(machine.observe(&outcome('t'), Instant::now()), None);
    assert_eq!(machine.health().reason, Some(Reason::Timeout));
    assert_eq!(machine.health().detail, "late");
}

/// The minute of each outcome, the outcome, and what is news of it.
type News = &'static [(u64, char, &'static str)];

#[test]
fn a_target_that_cannot_be_checked_is_named_and_given_up_in_the_end() {
    let timeout = Some(Duration::from_mins(5));
    let start = Instant::now();
    // (state at the start, minute of an outcome with what is news of it)
    let cases: [(Option<TargetState>, News); 4] = [
        (
            Some(TargetState::Healthy),
            &[
                (0, '?', ""),
                (1, '?', "H!"),
                (2, '?', ""),
                (4, '?', ""),
                (5, '?', "U!"),
                (6, '?', ""),
            ],
        ),
        (Some(TargetState::Healthy), &[(0, '?', ""), (4, '?', "H!"), (5, 's', "H"), (9, '?', "")]),
        (
            Some(TargetState::Healthy),
            &[
                (0, '?', ""),
                (4, '?', "H!"),
                (5, 'f', "H"),
                (6, 'f', "U"),
                (7, '?', ""),
                (8, '?', "U!"),
                (20, '?', ""),
                (21, 's', "U"),
                (22, 's', ""),
                (23, 's', "H"),
            ],
        ),
        (None, &[(0, '?', ""), (1, '?', "I!"), (5, '?', "U!"), (6, 's', "U")]),
    ];
    for (resume, outcomes) in cases {
        let check = HealthCheck { inconclusive_timeout: timeout, ..check(3, 2) };
        let mut machine = Machine::new(&check, resume);
        for (minute, letter, expected) in outcomes {
            let now = start + Duration::from_mins(*minute);
            let news = machine.observe(&outcome(*letter), now).map_or(String::new(), |health| {
                let blind = health.reason == Some(Reason::InternalError);
                format!("{}{}", letter_of(health.state), if blind { "!" } else { "" })
            });
            assert_eq!(news, *expected, "{resume:?}, minute {minute}");
        }
    }
}

#[test]
fn the_cause_of_an_inconclusive_probe_is_shown() {
    let mut machine = Machine::new(&check(3, 3), None);
    machine.observe(&outcome('?'), Instant::now());
    assert_eq!(machine.health().detail, "could not be probed yet: no file descriptors");
    for _ in 0..2 {
        machine.observe(&outcome('?'), Instant::now());
    }
    assert_eq!(machine.health().detail, "this host cannot check it: no file descriptors");
}

#[test]
fn another_check_keeps_the_verdict_and_forgets_the_count() {
    let mut machine = Machine::new(&check(3, 2), Some(TargetState::Healthy));
    machine.observe(&outcome('f'), Instant::now());
    machine.adopt(&check(3, 2));
    assert_eq!(machine.observe(&outcome('f'), Instant::now()), None);
    assert_eq!(machine.health().state, TargetState::Healthy);
    assert!(machine.observe(&outcome('f'), Instant::now()).is_some());
}
