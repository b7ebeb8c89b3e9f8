//! How long it takes to decide for 1,000 groups with a policy each:
//!
//! ```sh
//! cargo bench -p lb-scale
//! ```

use std::{hint::black_box, sync::Arc, time::Duration};

use criterion::{Criterion, criterion_group, criterion_main};
use lb_scale::{
    CheckedSettings, Lifecycle, Member, Moment, Policy, PolicyKind, Reading, Samples, Settings,
    State, TargetTracking, decide,
};

const METRIC: &str = "requests_per_target";
const GROUPS: u32 = 1000;
const MEMBERS: u32 = 10;

fn at(seconds: u64) -> Moment {
    let wall = "2026-11-29T12:00:00Z".parse().expect("a time");
    let start = Moment { boot_id: 1, boot: Duration::from_secs(1_000_000), wall };
    start.after(Duration::from_secs(seconds))
}

/// A group with 10 members, and a window full of falling needs: the longest memory.
fn group() -> State {
    let metric = METRIC.to_owned();
    let tracking = TargetTracking { metric, value: 1000.0, disable_scale_in: false };
    let policies =
        vec![Policy { name: "load".to_owned(), kind: PolicyKind::TargetTracking(tracking) }];
    let settings = Settings { policies, ..Settings::new(2, 20) };
    let mut state = State::new(Arc::new(CheckedSettings::new(settings).expect("sound settings")));
    state.desired = MEMBERS;
    state.members = (0..MEMBERS)
        .map(|number| Member {
            name: format!("web-{number}"),
            lifecycle: Lifecycle::InService,
            since: at(0),
            healthy: true,
            protected: false,
        })
        .collect();
    for number in 0..60_u32 {
        let decision =
            decide(&state, &total(9900.0 - f64::from(number)), at(u64::from(number) * 15));
        state.apply(&decision);
    }
    state
}

fn total(work: f64) -> Samples {
    Samples::from([(METRIC.to_owned(), Reading::total(work))])
}

fn decide_all(criterion: &mut Criterion) {
    let groups: Vec<State> = (0..GROUPS).map(|_| group()).collect();
    let samples = total(9800.0);
    criterion.bench_function("decide for 1000 groups", |bencher| {
        bencher.iter(|| {
            for state in &groups {
                drop(black_box(decide(black_box(state), &samples, at(900))));
            }
        });
    });
}

criterion_group!(benches, decide_all);
criterion_main!(benches);
