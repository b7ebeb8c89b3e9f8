//! Rule 4: a value, nothing and an error are three things. Rule 2, for what targets report.

use std::collections::BTreeMap;

use super::*;

fn reading(sample: Sample) -> Samples {
    Samples::from([(METRIC.to_owned(), Reading::Total { sample, saturated: false })])
}

#[test]
fn only_a_value_scales_in() {
    let cases = [
        (Sample::Value(0.0), 2, None),
        (Sample::Empty, 6, Some(Because::Empty("load".to_owned()))),
        (Sample::Error("timeout".to_owned()), 6, Some(Because::Failed("load".to_owned()))),
        (Sample::Value(f64::NAN), 6, Some(Because::Failed("load".to_owned()))),
        (Sample::Value(-1.0), 6, Some(Because::Failed("load".to_owned()))),
        (Sample::Value(f64::INFINITY), 6, Some(Because::Failed("load".to_owned()))),
    ];
    for (sample, expected, because) in cases {
        // A second policy asks for scale-in all the time.
        let policies = vec![tracking("load", METRIC), tracking("other", "y")];
        let mut state = group(settings(policies), 6);
        let mut samples = total(0.0);
        samples.insert("y".to_owned(), Reading::total(0.0));
        advance(&mut state, &samples, 0, 885);
        samples.extend(reading(sample.clone()));
        let decision = run(&mut state, &samples, 900, 900);
        assert_eq!(decision.desired, expected, "{sample}\n{decision}");
        assert_eq!(
            because.is_some_and(|because| is_rejected(&decision, |other| *other == because)),
            expected == 6,
            "{sample}\n{decision}"
        );
    }
}

#[test]
fn an_error_is_an_alert_and_an_empty_sample_is_not() {
    let state = group(settings(vec![tracking("load", METRIC)]), 6);
    let alerts = |sample| decide(&state, &reading(sample), at(0)).alerts.len();
    assert_eq!(alerts(Sample::Error("timeout".to_owned())), 1);
    assert_eq!(alerts(Sample::Empty), 0);
    assert_eq!(alerts(Sample::Value(6000.0)), 0);
    assert_eq!(decide(&state, &Samples::new(), at(0)).alerts.len(), 1, "no reading at all");
}

#[test]
fn a_failed_input_does_not_keep_others_from_scaling_out() {
    let state = group(settings(vec![tracking("a", "x"), tracking("load", METRIC)]), 4);
    let decision = decide(&state, &total(9000.0), at(0));
    assert_eq!(decision.desired, 9);
}

#[test]
fn reports_of_members_that_are_not_warm_do_not_count() {
    let report = |values: &[Option<f64>]| {
        let reports: BTreeMap<String, Sample> = (0..)
            .zip(values)
            .filter_map(|(n, value)| Some((format!("web-{n}"), Sample::Value((*value)?))))
            .collect();
        Samples::from([(METRIC.to_owned(), Reading::Reports(reports))])
    };
    let (full, half, idle) = (Some(1000.0), Some(500.0), Some(0.0));
    // (reports, members that are warm out of 4, work, what 4 become after a full window)
    let cases: &[(&[Option<f64>], u32, f64, u32)] = &[
        (&[full, full, full, full], 4, 4.0, 4),
        (&[half, half, half, half], 4, 2.0, 2),
        (&[Some(2000.0); 4], 4, 8.0, 8),
        // Missing: idle on the way out, fully used on the way in.
        (&[Some(2500.0), None, None, None], 4, 2.5, 4),
        (&[Some(3000.0), Some(3000.0), None, None], 4, 6.0, 6),
        (&[idle, idle, idle, None], 4, 0.0, 2),
        (&[idle, None, None, None], 4, 0.0, 3),
        // Booting members burn CPU time; it does not count.
        (&[full, full, Some(9000.0), Some(9000.0)], 2, 2.0, 4),
    ];
    for &(values, warm, work, expected) in cases {
        let mut state = group(settings(vec![tracking("load", METRIC)]), 4);
        let mut decision = None;
        for seconds in (0..=900).step_by(15) {
            for booting in state.members.iter_mut().skip(warm as usize) {
                booting.since = at(seconds);
            }
            let next = decide(&state, &report(values), at(seconds));
            state.apply(&next);
            decision = Some(next);
        }
        let decision = decision.unwrap();
        let asked = decision.inputs[0].ask;
        assert_eq!(asked, crate::decision::Ask::Work(work), "{values:?}\n{decision}");
        assert_eq!(decision.desired, expected, "{values:?}\n{decision}");
    }
}

#[test]
fn no_report_at_all_is_empty() {
    let state = group(settings(vec![tracking("load", METRIC)]), 4);
    let samples = Samples::from([(METRIC.to_owned(), Reading::Reports(BTreeMap::new()))]);
    let decision = decide(&state, &samples, at(0));
    assert_eq!((decision.desired, &decision.inputs[0].sample), (4, &Sample::Empty));
}
