//! docs/benchmarks.md, docs/benchmarks.json and the plots, from what the parts have measured. All
//! of it is generated; it is not edited by hand.

use std::fs;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::{
    Measured, goal,
    part::PARTS,
    plot,
    program::{Conditions, Report},
    tables,
};
use crate::workspace::Workspace;

/// What the numbers do not tell.
const NOT_MEASURED: &[&str] = &[
    "a physical network card and its driver: only the program, in the kernel's test run",
    "several CPUs at once: the program shares nothing but maps between them, but caches and memory are \
     shared",
    "packets that are not for a listener, fragments, ICMP, and answers in modes nat and fullnat",
    "nat and fullnat with more than 64k flows: there are bindings for 131,072 of each",
];

pub(super) fn write(workspace: &Workspace, measured: &Measured) -> Result<()> {
    let docs = workspace.root.join("docs");
    let report = Report::parse(measured.get("program").context("the program was not measured")?)?;
    let control_plane = measured.get("control-plane").unwrap_or(&Value::Null);
    let plots = plot::all(&report, control_plane)?;
    let goals = goal::all(measured)?;
    let machine_readable = json!({
        "format": 1,
        "goals": goals.iter().map(goal::Goal::json).collect::<Vec<_>>(),
        "parts": measured,
        "not_measured": NOT_MEASURED,
    });
    let folder = docs.join("benchmarks");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let plots = plots.into_iter().map(|(name, svg)| (folder.join(name), svg));
    let files = [
        (docs.join("benchmarks.md"), text(measured, &report.conditions, &goals)?),
        (docs.join("benchmarks.json"), serde_json::to_string_pretty(&machine_readable)? + "\n"),
    ];
    for (path, content) in files.into_iter().chain(plots) {
        fs::write(&path, content).with_context(|| format!("cannot write {}", path.display()))?;
        println!("written: {}", path.display());
    }
    Ok(())
}

fn text(measured: &Measured, conditions: &Conditions, goals: &[goal::Goal]) -> Result<String> {
    let mut text = vec![format!(
        "# Benchmarks\n\nMade by `cargo xtask bench`, which also writes [benchmarks.json](benchmarks.json); how \
         it measures, and how to measure your own hosts, is in [benchmarking.md](benchmarking.md). Numbers of \
         different machines or days do not compare; ratios inside one table do.\n\n## Conditions\n\n{}\n## \
         Goals\n\n{}\n",
        conditions_of(conditions),
        tables::goals(goals)
    )];
    for part in PARTS {
        let (Some(section), Some(value)) = (part.section, measured.get(part.name)) else {
            continue;
        };
        text.push(format!(
            "## {}\n\n```sh\n{}\n```\n\n{}\n",
            part.purpose,
            part.command,
            section(value)?
        ));
        for (name, alternative) in plots_of(part.name) {
            text.push(format!("![{alternative}](benchmarks/{name})\n\n"));
        }
    }
    text.push("## What was not measured\n\n".to_owned());
    for what in NOT_MEASURED {
        text.push(format!("- {what}\n"));
    }
    Ok(text.concat())
}

/// The plots of a part, and what they show in words.
const fn plots_of(part: &str) -> &'static [(&'static str, &'static str)] {
    match part.as_bytes() {
        b"program" => &[
            ("program-by-flows.svg", "Lines: nanoseconds a packet by number of flows"),
            ("program-by-case.svg", "Bars: nanoseconds a packet by case"),
        ],
        b"control-plane" => {
            &[("change.svg", "Lines: milliseconds of a change by number of targets")]
        }
        _ => &[],
    }
}

fn conditions_of(conditions: &Conditions) -> String {
    let Conditions { version, taken_at, cpu, cpus, kernel, mitigations, load } = conditions;
    let mut text = vec![format!(
        "- xelb {version}, {taken_at}\n- {cpu}, {cpus} CPUs; load at the start: {load}\n- Linux {kernel}\n"
    )];
    for (fault, mitigation) in mitigations {
        text.push(format!("- {fault}: {mitigation}\n"));
    }
    text.concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::program::tests::report;

    #[test]
    fn the_document_says_under_which_conditions() {
        let report = report(&[("ipip-4in4", "1", 30.0)]);
        let goals = goal::all(&Measured::new()).unwrap();
        let text = text(&Measured::new(), &report.conditions, &goals).unwrap();
        for part in ["# Benchmarks", "Linux 6.1", "**not measured**", "a physical network card"] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }

    #[test]
    fn every_part_of_the_document_is_named_once() {
        for part in PARTS {
            assert_eq!(PARTS.iter().filter(|other| other.name == part.name).count(), 1);
        }
    }
}
