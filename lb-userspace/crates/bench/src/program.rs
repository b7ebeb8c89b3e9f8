//! `xelb bench program`: nanoseconds a packet of the loaded program.
//!
//! A generator restores the frame, picks the next flow and tail-calls the program under test; what
//! it costs itself, measured with a program that only returns `XDP_TX`, is subtracted batch by
//! batch. Cells are interleaved: each repetition has all of them. After each, counters must show
//! that every packet took the measured path.

use std::{net::SocketAddr, path::Path, time::Instant};

use lb_common::generate::FRAME_LENGTH;
use lb_dataplane::{Facts, LiveTables};

use super::{
    BenchError, Conditions,
    balancer_under_test::{BalancerUnderTest, listener_name, share},
    cell::Measured,
    harness::Harness,
    isolated_thread,
    options::{Options, Source},
    report::{FORMAT, Method, Report},
};

/// Listeners of a live configuration that are measured when none is named.
const LIVE_LISTENERS: usize = 8;

/// Measures, and tells `progress` of each repetition that begins.
pub fn measure(
    options: &Options,
    mut progress: impl FnMut(u32) + Send,
) -> Result<Report, BenchError> {
    options.check()?;
    Facts::read()?.check()?;
    let live = match &options.source {
        Source::Synthetic { .. } => None,
        Source::Live { folder, .. } => Some(LiveTables::read(folder)?),
    };
    let conditions = Conditions::read();
    isolated_thread::run(options.cpu, |bpffs, cpu| {
        let start = Instant::now();
        let mut beds = beds(options, live.as_ref(), bpffs)?;
        let machine_code_bytes = match beds.first_mut() {
            Some(bed) => bed.balancer.machine_code()?,
            None => 0,
        };
        let mut tools = Harness::load(options, beds)?;
        let mut measured = tools.rows(options);
        let (begun, ended_early) =
            repeat(&mut tools, &mut measured, options, start, &mut progress)?;
        let method = Method {
            configuration: if live.is_some() { "live" } else { "synthetic" }.to_owned(),
            targets: match options.source {
                Source::Synthetic { targets, .. } => targets,
                Source::Live { .. } => 0,
            },
            frame_bytes: FRAME_LENGTH,
            packets: options.packets,
            batches: options.batches,
            repetitions: begun,
            cpu,
            ended_early,
            seconds: (start.elapsed().as_secs_f64() * 10.0).round() / 10.0,
        };
        let rows = measured.into_iter().map(Measured::into_row).collect();
        Ok(Report { format: FORMAT, conditions, method, machine_code_bytes, rows })
    })
}

/// Repeats all cells until it is enough, or time is up; gives the repetitions that were begun, and
/// whether time was up.
fn repeat(
    tools: &mut Harness,
    measured: &mut [Measured],
    options: &Options,
    start: Instant,
    progress: &mut impl FnMut(u32),
) -> Result<(u32, bool), BenchError> {
    for row in &mut *measured {
        for cell in &mut row.cells {
            in_time(options, start)?;
            tools.prepare(row.what, cell)?;
        }
    }
    for repetition in 1..=options.repetitions {
        progress(repetition);
        for row in &mut *measured {
            for cell in &mut row.cells {
                match in_time(options, start) {
                    Err(error) if repetition == 1 => return Err(error),
                    Err(_) => return Ok((repetition, true)),
                    Ok(()) => tools.measure(row.what, cell, options)?,
                }
            }
        }
    }
    Ok((options.repetitions, false))
}

fn in_time(options: &Options, start: Instant) -> Result<(), BenchError> {
    let seconds = options.time_limit.as_secs();
    if start.elapsed() < options.time_limit { Ok(()) } else { Err(BenchError::TooLong { seconds }) }
}

/// Loads the balancers.
fn beds(
    options: &Options,
    live: Option<&LiveTables>,
    bpffs: &Path,
) -> Result<Vec<BalancerUnderTest>, BenchError> {
    match (&options.source, live) {
        (Source::Live { listeners, .. }, Some(live)) => {
            let found: Vec<_> = live.tables.listeners.keys().copied().collect();
            let is_named = |key: &lb_common::ListenerKey, name: &SocketAddr| {
                listener_name(key).starts_with(&format!("{name}/"))
            };
            if let Some(name) =
                listeners.iter().find(|name| !found.iter().any(|key| is_named(key, name)))
            {
                return Err(BenchError::Usage(format!(
                    "--listener {name}: there is no such listener on a single address and port"
                )));
            }
            let wanted = found.into_iter().filter(|key| {
                listeners.is_empty() || listeners.iter().any(|name| is_named(key, name))
            });
            let most = if listeners.is_empty() { LIVE_LISTENERS } else { usize::MAX };
            let keys: Vec<_> = wanted.take(most).collect();
            if keys.is_empty() {
                return Err(BenchError::Usage(
                    "the live configuration has no listener on a single address and port"
                        .to_owned(),
                ));
            }
            Ok(vec![BalancerUnderTest::live(&bpffs.join("live"), live, &keys)?])
        }
        (Source::Synthetic { cases, targets }, _) => {
            let shares = share(cases, *targets);
            let folder = |number: usize| bpffs.join(format!("bed{number}"));
            let beds = shares.iter().enumerate();
            beds.map(|(number, cases)| {
                BalancerUnderTest::synthetic(&folder(number), cases, *targets)
            })
            .collect()
        }
        (Source::Live { .. }, None) => Ok(Vec::new()),
    }
}
