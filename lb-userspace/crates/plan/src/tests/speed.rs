//! Prints how long a change of health takes from verdict to operations. It judges nothing.
//!
//! `cargo test -p lb-userspace --release plan::tests::speed -- --ignored --nocapture`

use std::time::Instant;

use lb_common::{
    Mode,
    target::TargetState::{Healthy, Unhealthy},
};

use super::*;
use crate::maglev::{self, Member};

#[test]
#[ignore = "prints a table for docs/ring.md"]
fn a_change_of_health() {
    println!("| groups | targets each | ring build | compile with it | diff | (medians of 21) |");
    println!("|-|-|-|-|-|-|");
    for (groups, targets) in [(1_u16, 3_u16), (1, 100), (1, 1000), (100, 30)] {
        let mut world = World::new();
        for group in 0..groups {
            let name = format!("group-{group}");
            world.group(&name, Mode::Ipip);
            for target in 0..targets {
                world.target(v4(group * targets + target), 1, Some(Healthy));
            }
            world.listener(&format!("203.0.113.{group}"), &name);
        }
        let mut plan = world.first_plan().unwrap();
        let mut times = [const { Vec::new() }; 3];
        for round in 0..21 {
            let key = plan.targets.iter().nth(usize::from(targets) / 2).unwrap().key.clone();
            let state = if round % 2 == 0 { Unhealthy } else { Healthy };
            world.health.insert(key, verdict(state));

            let members: Vec<Member> = plan
                .targets
                .iter()
                .take(usize::from(targets) - 1)
                .map(|report| Member {
                    id: report.id,
                    identity: maglev::identity(report.key.address, report.key.port),
                    weight: 1,
                })
                .collect();
            let start = Instant::now();
            let ring = maglev::build(&members, maglev::ring_bits(usize::from(targets), None));
            times[0].push(start.elapsed());
            std::hint::black_box(ring);

            let start = Instant::now();
            let next = world.plan(&plan.tables, &plan.cache).unwrap();
            times[1].push(start.elapsed());
            let start = Instant::now();
            let operations = diff(&plan.tables, &next.tables);
            times[2].push(start.elapsed());
            assert_eq!(operations.len(), 2);
            plan = next;
        }
        let medians = times.map(|mut times| {
            times.sort();
            format!("{:.3} ms", times[times.len() / 2].as_secs_f64() * 1e3)
        });
        println!("| {groups} | {targets} | {} |", medians.join(" | "));
    }
}
