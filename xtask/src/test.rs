//! Runs the stages, and says at the end what passed and how long it took.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::{
    process::{self},
    setup,
    stages::Stage,
    tidy,
};

/// Runs `wanted`, or all stages.
pub(crate) fn run(wanted: &[Stage], keep_going: bool) -> Result<()> {
    process::require_root("the tests")?;
    setup::build_tools()?;
    setup::lab_tools()?;
    let all: Vec<Stage> = Stage::ALL
        .into_iter()
        .filter(|stage| wanted.is_empty() || wanted.contains(stage))
        .collect();
    let mut results = Vec::new();
    for stage in &all {
        println!("== {}", stage.name());
        let started = Instant::now();
        let result = run_stage(*stage);
        if let Err(error) = &result {
            println!("FAILED: {error:#}");
        }
        let failed = result.is_err();
        results.push((*stage, started.elapsed(), result));
        if failed && !keep_going {
            break;
        }
    }
    summary(&all, &results)
}

fn run_stage(stage: Stage) -> Result<()> {
    if stage == Stage::Tidy {
        return tidy::run();
    }
    stage.commands().iter_mut().try_for_each(process::run)
}

fn summary(all: &[Stage], results: &[(Stage, Duration, Result<()>)]) -> Result<()> {
    println!();
    for stage in all {
        let result = results.iter().find(|(ran, ..)| ran == stage);
        let (verdict, seconds) = match result {
            Some((_, took, Ok(()))) => ("passed", took.as_secs_f64()),
            Some((_, took, Err(_))) => ("FAILED", took.as_secs_f64()),
            None => ("not run", 0.0),
        };
        println!("{:<10} {verdict:<8} {seconds:>7.1} s", stage.name());
    }
    let total: Duration = results.iter().map(|(_, took, _)| *took).sum();
    let passed = results.iter().filter(|(.., result)| result.is_ok()).count();
    if passed < all.len() {
        bail!("{passed} of {} stages passed, in {} s", all.len(), total.as_secs());
    }
    println!("all {passed} stages passed, in {} s", total.as_secs());
    Ok(())
}
